"""A checker over other checkers' verdicts: it probes nothing, and decides as soon as one of them has news."""

from typing import Any

import msgspec

from actors.core.combining import Term, drawn, judged, leaves
from actors.core.status import CheckStatus, Verdict
from actors.messages import Replayed, Settle
from actors.runtime.actor import Context


class CombineSpec(msgspec.Struct, frozen=True):
    """What is combined. ``init`` is the verdict until its parts know theirs: unknown, up, down or last.

    ``address`` and ``port`` are of the server that it is for, empty when it is for everybody.
    """

    id: str
    keyword: str
    term: Term
    init: str = "unknown"
    address: str = ""
    port: int = 0

    @property
    def title(self) -> str:
        """The keyword, which is the same whether with RT_ or TH_: nothing runs."""
        return self.keyword


_INITIAL = {"up": Verdict.OK, "down": Verdict.FAILED}


class CombineActor:
    """Decides once for all the news of one moment, and not before every checker was heard that has ever spoken."""

    def __init__(self, context: Context, spec: CombineSpec) -> None:
        self._context = context
        self._spec = spec
        self._known: dict[str, CheckStatus] = {}
        self._unheard = {leaf.id for leaf in leaves(spec.term)}
        assumed = CheckStatus(spec.id, _INITIAL.get(spec.init, Verdict.UNKNOWN), "until its parts are known", True)
        self._status = context.last if isinstance(context.last, CheckStatus) else assumed

    def on_start(self) -> None:
        """Say what is known, and follow the parts."""
        self._context.publish(self._status)
        for id in sorted(self._unheard):
            self._context.subscribe(id)

    def receive(self, message: Any) -> None:
        """A part has news, or has none yet."""
        match message:
            case CheckStatus(source):
                self._known[source] = message
            case Replayed(pattern):
                self._unheard.discard(pattern)
        if not self._unheard and isinstance(message, CheckStatus | Replayed):
            self._context.after("settle", 0.0, Settle())
        elif isinstance(message, Settle):
            self._settle()

    def on_stop(self, final: bool) -> None:
        """Nothing to leave behind."""

    def explain(self) -> list[str]:
        """For an operator: the verdict, and the expression as a tree with what each part says."""
        return [f"{self._status}, since:", *drawn(self._spec.term, self._known, "  ")]

    def _settle(self) -> None:
        found = judged(self._spec.term, self._known)
        if found.verdict is Verdict.UNKNOWN and self._status.verdict is not Verdict.UNKNOWN:
            return  # nothing speaks against what was said before: a part that is new does not take servers out
        assumed = any(each.assumed for each in self._known.values()) or found.verdict is Verdict.UNKNOWN
        status = CheckStatus(self._spec.id, found.verdict, found.detail, assumed, found.share)
        if status != self._status:
            self._status = status
            self._context.publish(status)
