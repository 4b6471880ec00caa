"""Joins plugins to lanes: what a checker actor is given to probe with, and what a probe's end means."""

import traceback
from collections.abc import Callable, Mapping
from typing import Any

from actors.checker_actor import CheckerSpec
from actors.messages import Probed
from actors.runtime.dial import CooperativeDial, NativeDial
from actors.runtime.lanes import DeadlinePassed, Ended, Lane, Lanes
from plugins.api import Failed, Passed, Source, Target, build, outcome

Report = Callable[[Probed], None]

LONGEST = 300
"""Characters of a detail; a plugin that quotes a whole page is cut short."""


class PluginProbe:
    """One checker's plugin in its lane."""

    __slots__ = ("_dial", "_lane", "_plugin", "_report", "_source", "_spec")

    def __init__(self, spec: CheckerSpec, plugin: Any, lane: Lane, dial: Any, report: Report) -> None:
        self._spec = spec
        self._source = Source(spec.bindto, spec.bind_port, spec.fwmark, spec.tos, spec.interface)
        self._plugin = plugin
        self._lane = lane
        self._dial = dial
        self._report = report

    @property
    def busy(self) -> bool:
        """Whether the last probe has not ended, maybe long after it was abandoned."""
        return self._lane.busy

    def start(self, run: int) -> None:
        """Have the plugin probe; the deadline counts from when it really begins."""
        self._lane.start(run, self._probe, self._ended)

    def abandon(self) -> None:
        """The running probe is too late."""
        self._lane.abandon()

    def close(self) -> None:
        """No more probes."""
        self._lane.close()

    def _probe(self) -> Passed | Failed:
        spec = self._spec
        target = Target(spec.address, spec.port, spec.timeout, self._source, self._dial)
        return outcome(self._plugin, target)

    def _ended(self, ended: Ended) -> None:
        self._report(judge(ended))


class PluginProbes:
    """Makes probes of the registered plugins; ``plugins`` maps bare keywords to plugin classes."""

    def __init__(self, plugins: Mapping[str, type], lanes: Lanes) -> None:
        self.plugins = plugins
        self._lanes = lanes
        self._cooperative = CooperativeDial()
        self._native = NativeDial()

    def open(self, spec: CheckerSpec, report: Report) -> PluginProbe:
        """See `actors.checker_actor.Probes`."""
        plugin = build(self.plugins[spec.keyword], spec.options)
        dial = self._native if spec.threaded else self._cooperative
        return PluginProbe(spec, plugin, self._lanes.open(spec.id, spec.threaded), dial, report)


def judge(ended: Ended) -> Probed:
    """What the end of a probe means: a result, a stop at the deadline, or a crash of the plugin."""
    result = ended.value
    if isinstance(result, Passed | Failed):
        return Probed(ended.run, isinstance(result, Passed), _told(result.detail), ended.seconds)
    if isinstance(ended.error, DeadlinePassed):
        return Probed(ended.run, False, "stopped at its deadline", ended.seconds)
    trace = "".join(traceback.format_exception(ended.error))
    return Probed(ended.run, False, "the plugin crashed", ended.seconds, crash=trace)


def _told(detail: Any) -> str:
    """A detail that logs, JSON and terminals can carry: one short line of printable text; what is no text is named."""
    if not isinstance(detail, str):
        return f"<{type(detail).__name__}>"
    text = detail[:LONGEST]
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
