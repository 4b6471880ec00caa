"""A virtual server: quorum, sorry server, and a data plane that follows both."""

from collections.abc import Mapping, Sequence
from typing import Any
from zlib import crc32

import msgspec

from actors.core.drift import reckoned
from actors.core.quorum import Roster, decided, pools, servers_up, weight_up
from actors.core.refusals import Refusals
from actors.core.status import ServerStatus, ServiceStatus
from actors.core.table import AddService, Edit, Loads, Pool, ServiceKey, attempt, plan, title
from actors.messages import Message, Program, Replayed, Settle
from actors.planes import DataPlane, PlaneError
from actors.runtime.actor import Context

RECONCILE = 5.0
"""Seconds between two looks at what the plane really holds."""

HEARING = 2.0
"""Seconds in which all servers should have said something; until they have, servers from before stay as they are."""

FRESH = 2.0
"""Seconds for which figures are not read again, whoever asks."""


class ServiceSpec(msgspec.Struct, frozen=True):
    """A virtual server: its roster, and its programs. With ``omega`` a stop counts as losing quorum.

    Without ``heals`` what others change in the plane is told and left.
    """

    id: str
    roster: Roster
    quorum_up: Program | None = None
    quorum_down: Program | None = None
    omega: bool = False
    heals: bool = True


class Reconcile(Message, frozen=True):
    """It is time to compare the plane with what it should hold."""


class Decide(Message, frozen=True):
    """The servers have been heard, or have had their time."""


class IpvsActor:
    """Follows its servers' statuses; the plane is brought to the desired pool by the least edits.

    Nothing is touched before every retained status has been replayed: a restart takes no server out. A pool that
    has servers from before, from another run or from who declared the service until now, waits for its own to speak.
    """

    def __init__(self, context: Context, spec: ServiceSpec, plane: DataPlane) -> None:
        self._context = context
        self._spec = spec
        self._plane = plane
        self._servers: dict[str, ServerStatus] = {}
        self._silent = {member.id for member in spec.roster.members}
        self._status = context.last if isinstance(context.last, ServiceStatus) else None
        self._announced: bool | None = self._status.quorum if self._status else None
        self._quorum = bool(self._announced)
        self._held: dict[ServiceKey, Pool | None] = {}
        self._replayed = self._ready = False
        self._error = ""
        self._refusals = Refusals()
        self._drift: dict[ServiceKey, tuple[Edit, ...]] = {}
        self._counted: tuple[float, Mapping[ServiceKey, Loads]] = (-FRESH, {})
        self.drifts = 0

    def on_start(self) -> None:
        """Follow the servers, and look at what the plane holds from before."""
        self._complain([error for key in self.keys if (error := self._look(key))])
        for pool in self.held if self._status is None else ():
            self._context.log.info("adopted", service=title(pool.service.key), servers=len(pool.destinations))
        self._context.subscribe(f"{self._spec.id}/rs/*")

    def receive(self, message: Any) -> None:
        """A server has news, or it is time to reconcile."""
        if isinstance(message, ServerStatus):
            self._servers[message.source] = message
            self._silent.discard(message.source)
            if self._ready:
                self._context.after("settle", 0.0, Settle())
            elif self._replayed and not self._is_waiting():
                self._context.after("decide", 0.0, Decide())
        elif isinstance(message, Replayed):
            self._replayed = True
            if self._is_waiting():
                self._context.after("decide", HEARING, Decide())
            else:
                self._begin()
        elif isinstance(message, Decide):
            self._begin()
        elif isinstance(message, Settle):
            self._settle()
        elif isinstance(message, Reconcile):
            self._reconcile()

    def _begin(self) -> None:
        self._ready = True
        self._settle()
        self._schedule()

    def _is_waiting(self) -> bool:
        """Whether servers are there from before, and own ones have not even said that they know nothing."""
        return bool(self._silent) and any(pool.destinations for pool in self.held)

    def on_stop(self, final: bool) -> None:
        """With ``omega`` tell that quorum goes. Whether the service goes too is not for one alone to say: see
        `actors.services_actor`."""
        if final and self._spec.omega and self._quorum:
            self._notify("quorum_down", self._spec.quorum_down)

    @property
    def keys(self) -> tuple[ServiceKey, ...]:
        """Its services: one, or those of a group."""
        return tuple(service.key for service in self._spec.roster.services)

    @property
    def servers(self) -> Mapping[str, ServerStatus]:
        """What its servers have said last, by their ids."""
        return self._servers

    @property
    def held(self) -> tuple[Pool, ...]:
        """What the plane holds of its services, as far as is known."""
        return tuple(pool for pool in self._held.values() if pool is not None)

    def loads(self) -> Mapping[ServiceKey, Loads]:
        """What its services carry, read anew when that is some seconds old; nothing where the plane cannot say."""
        now = self._context.now()
        if now - self._counted[0] >= FRESH:
            self._counted = (now, {key: self._load(key) for key in self.keys})
        return self._counted[1]

    def _load(self, key: ServiceKey) -> Loads:
        try:
            return self._plane.loads(key)
        except PlaneError:
            return Loads()

    def explain(self) -> list[str]:
        """For an operator: the arithmetic of the quorum, and each server's part in it."""
        roster = self._spec.roster
        rule = roster.quorum
        lines = [
            f"quorum {'held' if self._quorum else 'lost'}: weight {weight_up(roster, self._servers)} of {roster.total} "
            f"is up, {rule.quorum} wanted, hysteresis {rule.hysteresis}",
            *(f"  {member.id}: {self._says(member.id)}" for member in roster.members),
        ]
        lines += [f"others have changed it: {attempt(edit)} would put that right" for edit in self._left()]
        return [*lines, f"the data plane refuses: {self._error}"] if self._error else lines

    def _left(self) -> list[Edit]:
        """What others have changed and nobody puts right."""
        return [edit for edits in self._drift.values() for edit in edits]

    def _says(self, server: str) -> str:
        status = self._servers.get(server)
        if status is None:
            return "has said nothing yet"
        return f"{status.verdict.value}, weight {status.weight}" + (f", {status.detail}" if status.detail else "")

    def _settle(self, unread: Sequence[str] = ()) -> None:
        roster = self._spec.roster
        self._quorum = roster.quorum.held(self._quorum, weight_up(roster, self._servers), roster.total)
        self._follow(unread)
        self._announce()
        self._publish()

    def _follow(self, unread: Sequence[str]) -> None:
        """Carry out every edit that can be; the refused are tried again later and later."""
        wanted = pools(self._spec.roster, self._servers, self._quorum)
        plans = [(pool, plan(pool, self._held.get(pool.service.key))) for pool in wanted]
        self._refusals.keep([edit for _, edits in plans for edit in edits])
        self._complain([*unread, *(error for pool, edits in plans for error in self._bring(pool, edits))])
        if (due := self._refusals.next) is not None:
            self._context.after("retry", max(due - self._context.now(), 0.0), Settle())

    def _bring(self, wanted: Pool, edits: tuple[Edit, ...]) -> list[str]:
        """Carry out what is to be done for one service, and remember what it holds then."""
        key = wanted.service.key
        refused = self._carry_out(edits)
        if not refused:
            self._held[key] = wanted
            return []
        believed = self._held.get(key)
        unread = self._look(key)
        if not self._spec.heals and key in self._held:
            self._held[key] = reckoned(believed, self._held.get(key), edits, refused)
        return [*refused.values(), unread] if unread else [*refused.values()]

    def _carry_out(self, edits: tuple[Edit, ...]) -> dict[Edit, str]:
        """Those that are refused, and why. The others are carried out: but those of a service that cannot be added."""
        refused: dict[Edit, str] = {}
        for edit in edits:
            if error := self._attempt(edit):
                refused[edit] = error
                if isinstance(edit, AddService):
                    break
        return refused

    def _attempt(self, edit: Edit) -> str:
        now = self._context.now()
        if barred := self._refusals.bar(edit, now):
            return barred
        try:
            self._plane.apply(edit)
        except PlaneError as error:
            self._refusals.note(edit, str(error), now)
            return str(error)
        self._context.log.debug("edit", edit=edit)
        return ""

    def _look(self, key: ServiceKey) -> str:
        """See what the plane holds; when it does not say, what is believed stands, and the error is told."""
        try:
            self._held[key] = self._plane.read(key)
        except PlaneError as error:
            return str(error)
        return ""

    def _complain(self, errors: list[str]) -> None:
        """Remember what the plane refuses now; only news is logged."""
        error = errors[0] if errors else ""
        if error and error != self._error:
            self._context.log.error("data plane", error=error, others=len(errors) - 1)
        self._error = error

    def _reconcile(self) -> None:
        trusted = not self._error or not self._spec.heals
        unread = [error for key in self.keys if (error := self._compare(key, trusted))]
        self._settle(unread)
        self._schedule()

    def _compare(self, key: ServiceKey, trusted: bool) -> str:
        """Tell what others have changed in a service, if what was believed of it can be ``trusted``."""
        is_known, believed = key in self._held, self._held.get(key)
        if error := self._look(key):
            return error
        drift = plan(believed, self._held[key]) if trusted and is_known else ()
        if drift and drift != self._drift.get(key):
            self.drifts += len(drift)
            deed = "healed" if self._spec.heals else "left"
            self._context.log.warning("drift", **{deed: [_brief(edit) for edit in drift]})
        if not self._spec.heals:
            self._drift[key] = drift
            self._held[key] = believed if drift else self._held[key]
        return ""

    def _schedule(self) -> None:
        phase = 1 + crc32(self._spec.id.encode()) % 100 / 500
        self._context.after("reconcile", RECONCILE * phase, Reconcile(), grain=0.05)

    def _announce(self) -> None:
        if self._quorum and self._announced is not True:
            self._announced = True
            self._notify("quorum_up", self._spec.quorum_up)
        elif not self._quorum and self._announced is not False and self._is_certain():
            self._announced = False
            self._notify("quorum_down", self._spec.quorum_down)

    def _is_certain(self) -> bool:
        """A loss is a fact at once; at the start it is one only when every server has a verdict."""
        return self._announced is True or decided(self._spec.roster, self._servers)

    def _notify(self, event: str, program: Program | None) -> None:
        self._context.log.info(event, weight=weight_up(self._spec.roster, self._servers))
        if program is not None:
            self._context.tell("notify", program.run(self._spec.id, event))

    def _publish(self) -> None:
        roster = self._spec.roster
        sorry = roster.sorry is not None and not self._quorum
        up = servers_up(roster, self._servers)
        status = ServiceStatus(self._spec.id, self._quorum, up, sorry, self._error)
        if status != self._status:
            self._status = status
            self._context.publish(status)


def _brief(edit: Edit) -> str:
    return f"{type(edit).__name__} {msgspec.to_builtins(edit)}"
