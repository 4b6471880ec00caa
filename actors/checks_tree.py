"""Which checks there are: each different one once, with all that is said of it and of the servers that follow it."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import msgspec

from actors.checker_actor import CheckerActor, CheckerSpec
from actors.children import Child
from actors.combine_actor import CombineActor, CombineSpec
from actors.core.combining import Leaf, Not, Some, Term
from actors.core.health import Debounce
from actors.core.table import endpoint
from loader.expressions import KEYWORD, OPTION, Count, Expression, Name, Negation, names, parsed
from loader.model import Check, Checker, Config, Identity, InlineCheck, RealServer
from plugins.registry import Place

SHIPPED = Place("")
"""Where the plugins of this package are."""

DELAY_LOOP = 60.0
CONNECT_TIMEOUT = 5.0
RETRY = 1
DELAY_BEFORE_RETRY = 1.0
WARMUP = 1.0
"""Defaults of a check that neither it nor its server sets: keepalived's, but for the warm-up, since here a server waits
outside the pool for its first result."""


OWN: dict[str, dict[str, float]] = {
    "HTTP_GET": {"delay_before_retry": 3.0},
    "SSL_GET": {"delay_before_retry": 3.0},
    "DNS_CHECK": {"retry": 3},
    "MISC_CHECK": {"retry": 0},
}
"""What keepalived has instead, of some keywords, for checks that are declared in a server."""

NAMED: dict[str, dict[str, float]] = {
    "FILE_CHECK": {"retry": 0},
    "PROCESS_CHECK": {"retry": 0, "delay_loop": 1.0},
}
"""The same for those that have a name: what is seen on this machine needs no second look."""

LIMITS = {"MISC_CHECK": "misc_timeout"}
"""Options that are the limit of a check, of keywords that have their own; unsaid it is the time between two checks."""


class Checks:
    """The different checks that the configuration asks for, each once, whoever follows it under what name."""

    def __init__(self, config: Config, places: Mapping[str, Place], default: Identity) -> None:
        self._places = places
        self._default = default
        self._declared = {checker.name: checker for checker in config.checkers}
        self._ids: dict[CheckerSpec | CombineSpec, str] = {}
        self._names: dict[str, dict[str, None]] = {}
        self.specs: dict[str, CheckerSpec | CombineSpec] = {}

    def follow(self, name: str, server: RealServer | None = None) -> str:
        """The id of the check that ``server`` means by ``name``; without one, of a check that has its own target."""
        checker = self._declared[name]
        if checker.keyword == KEYWORD:
            return self._known(name, self._combined(checker, name, checker.init, server))
        spec = _check(checker, server, self._places.get(checker.keyword, SHIPPED))
        return self._known(name, spec)

    def own(self, check: InlineCheck, server: RealServer) -> str:
        """The id of a check that is declared in ``server``."""
        if check.keyword == KEYWORD:
            return self._known(check.keyword, self._combined(check, check.keyword, "unknown", server))
        return self._known(check.keyword, _own(check, server, self._places.get(check.keyword, SHIPPED)))

    def _combined(self, check: Check, name: str, init: str, server: RealServer | None) -> CombineSpec:
        """One for each server, unless none of its parts looks at that."""
        expression = _expression(check)
        term = self._term(expression, server)
        if server is None or all(self._is_whole(self._declared[each]) for each in names(expression)):
            return CombineSpec(f"check/{name}", KEYWORD, term, init)
        id = f"check/{name}@{endpoint(server.address, server.port)}"
        return CombineSpec(id, KEYWORD, term, init, server.address, server.port)

    def _term(self, expression: Expression, server: RealServer | None) -> Term:
        match expression:
            case Name(name):
                return Leaf(self.follow(name, server), name)
            case Negation(part):
                return Not(self._term(part, server))
            case Count(needed, parts):
                return Some(needed, tuple(self._term(part, server) for part in parts))

    def _is_whole(self, checker: Checker) -> bool:
        """Whether it is the same check for whichever server."""
        if checker.keyword == KEYWORD:
            return all(self._is_whole(self._declared[each]) for each in names(_expression(checker)))
        return _has_target(checker)

    def _known(self, name: str, spec: CheckerSpec | CombineSpec) -> str:
        nameless = msgspec.structs.replace(spec, id="", user=self._default.user, group=self._default.group)
        if nameless not in self._ids:
            self._ids[nameless] = self._free(spec.id)
        id = self._ids[nameless]
        self.specs.setdefault(id, msgspec.structs.replace(nameless, id=id))
        self._names.setdefault(id, {})[name] = None
        return id

    def _free(self, id: str) -> str:
        """``id``, numbered when a check of the same target with other settings has it: ``check/web@10.0.1.1:80#2``."""
        number, free = 1, id
        while free in self.specs:
            number += 1
            free = f"{id}#{number}"
        return free

    def names(self) -> Mapping[str, tuple[str, ...]]:
        """The names under which each check was declared."""
        return {id: tuple(names) for id, names in self._names.items()}


def checking(spec: CheckerSpec | CombineSpec) -> Child:
    """A combination stays in main, where it hears of all the processes of checkers."""
    if isinstance(spec, CombineSpec):
        return Child(spec.id, CombineActor, (spec,))
    return Child(spec.id, CheckerActor, (spec,), ("probes", "random"))


def _check(checker: Checker, server: RealServer | None, place: Place) -> CheckerSpec:
    """One check. What it leaves open of its target comes from the server; then so do the settings it leaves open."""
    whole = server is None or _has_target(checker)
    never = checker.aims == "never"
    address = checker.connect_ip or (server.address if server and not never else "")
    port = checker.connect_port or (server.port if server and not never else 0)
    id = f"check/{checker.name}" if whole else f"check/{checker.name}@{endpoint(address, port)}"
    usual = NAMED.get(checker.keyword, {})
    return _spec(checker, id, (address, port), None if whole else server, checker.init, place, usual)


def _has_target(checker: Check) -> bool:
    """Whether it needs no server's."""
    has_port = checker.connect_port is not None or checker.aims == "host"
    return checker.aims == "never" or (checker.connect_ip is not None and has_port)


def _expression(check: Check) -> Expression:
    said: Any = dict(check.options)[OPTION]
    return parsed(said)


def _own(check: InlineCheck, server: RealServer, place: Place) -> CheckerSpec:
    """A check that a server has for itself: it is up until a result says otherwise, unless that is to be ``alpha``."""
    address, port = check.connect_ip or server.address, check.connect_port or server.port
    alpha = server.alpha if check.alpha is None else check.alpha
    id = f"check/{check.keyword}@{endpoint(server.address, server.port)}"
    return _spec(
        check, id, (address, port), server, "unknown" if alpha else "up", place, (OWN | NAMED).get(check.keyword, {})
    )


def _spec(
    checker: Check,
    id: str,
    target: tuple[str, int],
    server: RealServer | None,
    init: str,
    place: Place,
    usual: Mapping[str, float] = MappingProxyType({}),
) -> CheckerSpec:
    """What ``server`` says goes before what is ``usual``, and that before the defaults of all."""
    given = _settings(checker, server)
    retry = given("retry", usual.get("retry", RETRY))
    interval = given("delay_loop", usual.get("delay_loop", DELAY_LOOP))
    return CheckerSpec(
        id=id,
        keyword=checker.keyword,
        threaded=checker.threaded,
        address=target[0],
        port=target[1],
        timeout=_limit(checker, interval) or given("connect_timeout", CONNECT_TIMEOUT),
        interval=interval,
        retry_interval=given("delay_before_retry", usual.get("delay_before_retry", DELAY_BEFORE_RETRY)),
        fast_interval=checker.fast_interval or 0.0,
        down_interval=checker.down_interval or 0.0,
        reverse=checker.reverse,
        warmup=given("warmup", min(WARMUP, interval)),
        jitter=checker.jitter / 100,
        debounce=Debounce(checker.rise, checker.fall or int(retry) + 1),
        init=init,
        bindto=checker.bindto or "",
        bind_port=checker.bind_port or 0,
        fwmark=checker.fwmark,
        tos=checker.tos,
        interface=checker.bind_if,
        options=_options(checker, server),
        origin=place.origin,
        edition=place.edition,
    )


def _limit(checker: Check, interval: float) -> float:
    """That of a check that has a keyword of its own for it; 0 for all others."""
    if checker.keyword not in LIMITS:
        return 0.0
    said: Any = dict(checker.options).get(LIMITS[checker.keyword])
    return said or checker.connect_timeout or interval


def _settings(checker: Check, server: RealServer | None) -> Callable[[str, float], float]:
    def given(name: str, default: float) -> float:
        own = getattr(checker, name)
        inherited = getattr(server, name, None) if server else None
        return own if own is not None else inherited if inherited is not None else default

    return given


def _options(checker: Check, server: RealServer | None) -> tuple[tuple[str, object], ...]:
    if server is None or not server.virtualhost:
        return checker.options
    return tuple(
        (name, value or server.virtualhost if name == "virtualhost" else value) for name, value in checker.options
    )
