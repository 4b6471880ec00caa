"""Who exists: the configuration turned into supervised children, in start order, with where and how they live.

``supervisor``
  ``notify``                         runs programs, in order within each source
  ``presence/ADDRESS``               one for each address without which a service is not looked after (ha_suspend)
  ``check/NAME[@ADDRESS:PORT]``      one for each different check that anybody names
  ``services``                       takes away the services that nobody declares any more
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

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from zlib import crc32

import msgspec

from actors.checks_tree import Checks, checking
from actors.children import Child
from actors.combine_actor import CombineActor
from actors.core.quorum import Member, Quorum, Roster, Sorry
from actors.core.restart import Beyond, Policy
from actors.core.table import Destination, Service, ServiceKey, Tunnel, endpoint
from actors.core.tracking import Follow
from actors.ipvs_actor import IpvsActor, ServiceSpec
from actors.ipvs_tree import ipvs_settings, sync_daemon
from actors.notify_actor import FAREWELL, NotifyActor
from actors.presence_tree import presences, resting
from actors.process import CHECKERS, FOLDERS, VRRP
from actors.real_server_actor import RealServerActor, RealServerSpec
from actors.routers import program, routers
from actors.services_actor import ServicesActor, ServicesSpec
from loader.model import Config, Identity, RealServer, VirtualServer
from plugins.registry import Place

VITAL = Policy(beyond=Beyond.ESCALATE)
"""For what the program cannot do its work without."""


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
        *presences(config),
        *(checking(spec) for spec in resting(config, checks.specs, servers, vrrp).values()),
        *ipvs_settings(config),
        *_table(config),
        *(child for group in servers for child in group),
        *(_service(service, default, heals) for service in config.virtual_servers if any(_keys(service))),
        *vrrp,
        *sync_daemon(config),
    )
    housed = tuple(
        child if child.kind is CombineActor else msgspec.structs.replace(child, process=home(child.id, shards))
        for child in children
    )
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
            tuple(
                Follow(checks.follow(each.name, server), each.weight, each.reverse, each.counts)
                for each in server.files
            ),
        )


def _followed(server: RealServer, checks: Checks) -> Iterable[str]:
    """The ids of the checks that a server names, and of its own."""
    yield from (checks.follow(name, server) for name in server.checkers)
    yield from (checks.own(check, server) for check in server.checks)
    yield from (checks.follow(each.name, server) for each in server.files)


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


def _table(config: Config) -> tuple[Child, ...]:
    """Who sees to it that no service stays which nobody declares."""
    keys = tuple(key for service in config.virtual_servers for key in _keys(service))
    return (Child("services", ServicesActor, (ServicesSpec("services", keys),), ("plane",)),) if keys else ()


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
    spec = ServiceSpec(service_id(service), roster, up, down, service.omega, heals)
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
