"""The part of the tree that concerns services which are looked after only where their address is (``ha_suspend``)."""

from collections.abc import Iterable, Iterator, Mapping

from msgspec.structs import replace

from actors.checker_actor import CheckerSpec
from actors.children import Child
from actors.combine_actor import CombineSpec
from actors.core.combining import leaves
from actors.core.tracking import Follow
from actors.presence_actor import PresenceActor, PresenceSpec
from actors.real_server_actor import RealServerSpec
from actors.station import VrrpSpec
from loader.model import Config, VirtualServer

Specs = Mapping[str, CheckerSpec | CombineSpec]


def presences(config: Config) -> tuple[Child, ...]:
    """Who tells whether the addresses of such services are here."""
    ids = dict.fromkeys(id for service in config.virtual_servers for id in _places(service))
    specs = (PresenceSpec(id, id.partition("/")[2]) for id in ids)
    return tuple(Child(spec.id, PresenceActor, (spec,), ("links",)) for spec in specs)


def resting(config: Config, specs: Specs, servers: Iterable[Iterable[Child]], routers: Iterable[Child]) -> Specs:
    """The checks, with the places of those whose followers all belong to such services.

    One that a router follows, or a service that is looked after everywhere, never rests.
    """
    if not any(service.ha_suspend for service in config.virtual_servers):
        return specs
    wanted: dict[str, set[str]] = {}
    always = {follow.source for child in routers for spec in child.args[:1] for follow in _follows(spec)}
    for service, children in zip(config.virtual_servers, servers, strict=True):
        here = _places(service)
        for child in children:
            spec: RealServerSpec = child.args[0]
            for id in spec.checks:
                wanted.setdefault(id, set()).update(here)
                always |= set() if here else {id}
    return _placed(specs, wanted, always)


def _placed(specs: Specs, wanted: Mapping[str, Iterable[str]], always: Iterable[str]) -> Specs:
    """A combination rests with its parts, which are followed by whoever follows it."""
    never = {part for id in always for part in _parts(id, specs)}
    places: dict[str, set[str]] = {}
    for id, here in wanted.items():
        for part in _parts(id, specs):
            places.setdefault(part, set()).update(here)
    return {
        id: spec if id in never or isinstance(spec, CombineSpec) else _at(spec, places.get(id, ()))
        for id, spec in specs.items()
    }


def _at(spec: CheckerSpec, places: Iterable[str]) -> CheckerSpec:
    return replace(spec, places=tuple(sorted(places)))


def _parts(id: str, specs: Specs) -> Iterator[str]:
    spec = specs.get(id)
    if isinstance(spec, CombineSpec):
        for leaf in leaves(spec.term):
            yield from _parts(leaf.id, specs)
    else:
        yield id


def _follows(spec: object) -> tuple[Follow, ...]:
    return spec.follows if isinstance(spec, VrrpSpec) else ()


def _places(service: VirtualServer) -> tuple[str, ...]:
    """The ids of a service's addresses; none when it is to be looked after everywhere, or has none."""
    addresses = (service.address, *(entry.address for entry in service.entries)) if service.ha_suspend else ()
    return tuple(f"presence/{address}" for address in addresses if address)
