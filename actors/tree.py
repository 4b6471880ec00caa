"""Who exists: the configuration turned into supervised children, in start order, with where and how they live.

``supervisor``
  ``notify``                         runs programs, in order within each source
  ``check/NAME[@ADDRESS:PORT]``      one for each different check that anybody names
  ``vs/ADDRESS:PORT:PROTO/rs/…``     one for each real server
  ``vs/ADDRESS:PORT:PROTO``          one for each virtual server
  ``ipvs/settings``                  if the configuration sets what concerns IPVS as a whole
  ``ipvs/sync``                      if other machines are told of IPVS's connections
  ``firewall/rules``                 if a router keeps packets from coming in or going out
  ``link/NAME``                      one for each interface that a router uses or tracks
  ``static/NAME/ADDRESS/PREFIX``     one for each static address
  ``announcer/NAME``                 one for each interface with virtual addresses: tells the neighbours
  ``address/NAME``                   one for each vrrp_instance: its virtual addresses
  ``device/NAME``                    the own interface of a vrrp_instance that uses a virtual MAC
  ``group/NAME``                     one for each vrrp_sync_group
  ``vrrp/NAME``                      one for each vrrp_instance
"""

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any
from zlib import crc32

import msgspec

from actors.checker_actor import CheckerActor, CheckerSpec
from actors.children import Child
from actors.core.health import Debounce
from actors.core.quorum import Member, Quorum, Roster, Sorry
from actors.core.restart import Beyond, Policy
from actors.core.table import Destination, Service, ServiceKey, Tunnel, endpoint
from actors.ipvs_actor import IpvsActor, ServiceSpec
from actors.ipvs_tree import ipvs_settings, sync_daemon
from actors.notify_actor import FAREWELL, NotifyActor
from actors.process import CHECKERS, FOLDERS, VRRP
from actors.real_server_actor import RealServerActor, RealServerSpec
from actors.routers import program, routers
from loader.model import Check, Checker, Config, Identity, InlineCheck, RealServer, VirtualServer
from plugins.registry import Place

SHIPPED = Place("")
"""Where the plugins of this package are."""

VITAL = Policy(beyond=Beyond.ESCALATE)
"""For what the program cannot do its work without."""

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
        self._ids: dict[CheckerSpec, str] = {}
        self._names: dict[str, dict[str, None]] = {}
        self.specs: dict[str, CheckerSpec] = {}

    def follow(self, name: str, server: RealServer | None = None) -> str:
        """The id of the check that ``server`` means by ``name``; without one, of a check that has its own target."""
        checker = self._declared[name]
        spec = _check(checker, server, self._places.get(checker.keyword, SHIPPED))
        return self._known(name, spec)

    def own(self, check: InlineCheck, server: RealServer) -> str:
        """The id of a check that is declared in ``server``."""
        return self._known(check.keyword, _own(check, server, self._places.get(check.keyword, SHIPPED)))

    def _known(self, name: str, spec: CheckerSpec) -> str:
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


class Tree(msgspec.Struct, frozen=True):
    """The children in start order, and the names that each check goes by."""

    children: tuple[Child, ...]
    names: dict[str, tuple[str, ...]]


def grow(
    config: Config,
    identity: Identity | None = None,
    shards: int = 0,
    places: Mapping[str, Place] = MappingProxyType({}),
) -> Tree:
    """Everybody whom ``config`` asks for. ``identity`` is whose programs run that name nobody.

    ``shards`` is how many processes share the checkers; with 0 everybody lives in main. ``places`` are those of
    plugins that are not shipped, by keyword.
    """
    default = config.global_defs.script_user or identity or Identity("")
    checks = Checks(config, places, default)
    servers = [_servers(service, checks, default) for service in config.virtual_servers]
    heals = config.global_defs.ipvs_drift == "heal"
    vrrp = routers(config, checks.follow, default)
    children = (
        Child("notify", NotifyActor, (), ("spawner",), policy=VITAL, stop_limit=FAREWELL + 1.0),
        *(Child(id, CheckerActor, (spec,), ("probes", "random")) for id, spec in checks.specs.items()),
        *ipvs_settings(config),
        *(child for group in servers for child in group),
        *(_service(service, default, heals) for service in config.virtual_servers if any(_keys(service))),
        *vrrp,
        *sync_daemon(config),
    )
    housed = tuple(msgspec.structs.replace(child, process=home(child.id, shards)) for child in children)
    return Tree(housed, dict(checks.names()))


def home(id: str, shards: int) -> str:
    """The process in which an actor lives: all of VRRP in one of its own, checkers shared out, the rest in main."""
    folder = id.partition("/")[0] + "/"
    if not shards:
        return "main"
    if folder in FOLDERS[CHECKERS]:
        return f"{CHECKERS}-{crc32(id.encode()) % shards + 1}"
    return VRRP if folder in FOLDERS[VRRP] else "main"


def service_id(service: VirtualServer) -> str:
    """``vs/10.0.0.1:80:tcp``, ``vs/[::1]:80:udp``, ``vs/fwmark:7``, ``vs/group:web:tcp``."""
    if service.group:
        return f"vs/group:{service.group}:{service.protocol}"
    if service.fwmark:
        return f"vs/fwmark:{service.fwmark}" + (":6" if service.family == 6 else "")
    return f"vs/{endpoint(service.address, service.port)}:{service.protocol}"


def _servers(service: VirtualServer, checks: Checks, default: Identity) -> list[Child]:
    return [Child(spec.id, RealServerActor, (spec,)) for spec in _server_specs(service, checks, default)]


def _server_specs(service: VirtualServer, checks: Checks, default: Identity) -> Iterable[RealServerSpec]:
    for server in service.real_servers:
        yield RealServerSpec(
            _server_id(service, server),
            server.weight,
            tuple(dict.fromkeys(_followed(server, checks))),
            server.alpha,
            service.omega,
            program(server.notify_up, default),
            program(server.notify_down, default),
        )


def _followed(server: RealServer, checks: Checks) -> Iterable[str]:
    """The ids of the checks that a server names, and of its own."""
    yield from (checks.follow(name, server) for name in server.checkers)
    yield from (checks.own(check, server) for check in server.checks)


def _server_id(service: VirtualServer, server: RealServer) -> str:
    return f"{service_id(service)}/rs/{endpoint(server.address, server.port)}"


def _keys(service: VirtualServer) -> tuple[ServiceKey, ...]:
    """The services that a virtual server is: one, or those of its group."""
    if not service.group:
        return (ServiceKey(service.family, service.address, service.port, service.protocol, service.fwmark),)
    return tuple(
        ServiceKey(each.family, each.address, each.port, "" if each.fwmark else service.protocol, each.fwmark)
        for each in service.entries
    )


def _service(service: VirtualServer, default: Identity, heals: bool) -> Child:
    first, *more = _keys(service)
    roster = Roster(
        Service(
            first,
            service.scheduler,
            service.flags,
            service.persistence_timeout,
            service.persistence_prefix,
            service.persistence_engine,
        ),
        tuple(Member(_server_id(service, s), _destination(s), s.inhibit_on_failure) for s in service.real_servers),
        _sorry(service),
        Quorum(service.quorum, service.hysteresis),
        tuple(more),
    )
    up, down = program(service.quorum_up, default), program(service.quorum_down, default)
    spec = ServiceSpec(service_id(service), roster, up, down, service.omega, heals, bool(service.group))
    return Child(spec.id, IpvsActor, (spec,), ("plane",))


def _destination(server: RealServer) -> Destination:
    wrapped = server.tunnel
    return Destination(
        server.address,
        server.port,
        server.weight,
        server.method,
        server.uthreshold,
        server.lthreshold,
        Tunnel(wrapped.kind, wrapped.port, wrapped.checksum),
    )


def _sorry(service: VirtualServer) -> Sorry | None:
    sorry = service.sorry_server
    if sorry is None:
        return None
    tunnel = Tunnel(sorry.tunnel.kind, sorry.tunnel.port, sorry.tunnel.checksum)
    return Sorry(Destination(sorry.address, sorry.port, 1, sorry.method, tunnel=tunnel), sorry.inhibit)


def _check(checker: Checker, server: RealServer | None, place: Place) -> CheckerSpec:
    """One check. What it leaves open of its target comes from the server; then so do the settings it leaves open."""
    whole = server is None or (checker.connect_ip is not None and checker.connect_port is not None)
    address = checker.connect_ip or (server.address if server else "")
    port = checker.connect_port or (server.port if server else 0)
    id = f"check/{checker.name}" if whole else f"check/{checker.name}@{endpoint(address, port)}"
    usual = NAMED.get(checker.keyword, {})
    return _spec(checker, id, (address, port), None if whole else server, checker.init, place, usual)


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
