"""The VRRP half of the tree: links, addresses and routers of the configuration as children.

A router stops before its addresses are released, so they start in the other order: the farewell advert goes out first.
"""

from collections.abc import Callable, Iterable

from actors.address_actor import AddressActor, AddressSpec, Announcing
from actors.core.packet_checks import ANY_TTL, Expected, Peer
from actors.core.packet_values import OWNER, Advert
from actors.core.restart import Beyond, Policy
from actors.core.vrrp_values import Router
from actors.link_actor import LinkActor
from actors.planes.network import Address, Endpoint
from actors.supervisor_actor import Child
from actors.vrrp_actor import Follow, VrrpActor, VrrpSpec
from loader.model import Config, GlobalDefs, VirtualAddress, VrrpInstance

VITAL = Policy(beyond=Beyond.ESCALATE)
"""Addresses without a router that works are worse than none: the program ends, and the peer takes over."""

CheckOf = Callable[[str], str]
"""The id of the check that a name means."""


def routers(config: Config, check_of: CheckOf) -> tuple[Child, ...]:
    """The children that VRRP needs, in start order."""
    instances = config.vrrp_instances
    virtual = tuple(item.address for each in instances for item in (*each.virtual_addresses, *each.excluded))
    return (
        *(Child(f"link/{name}", LinkActor, (name,), ("links",), policy=VITAL) for name in _interfaces(instances)),
        *(_addresses(instance) for instance in instances),
        *(_router(instance, config.global_defs, virtual, check_of) for instance in instances),
    )


def _interfaces(instances: Iterable[VrrpInstance]) -> tuple[str, ...]:
    names = [name for each in instances for name in (each.interface, *(t.name for t in each.track_interfaces))]
    return tuple(dict.fromkeys(names))


def _addresses(instance: VrrpInstance) -> Child:
    announcing = Announcing(
        instance.garp_master_repeat,
        instance.garp_master_delay,
        instance.garp_master_refresh,
        instance.garp_master_refresh_repeat,
    )
    held = tuple(_address(each) for each in (*instance.virtual_addresses, *instance.excluded))
    spec = AddressSpec(f"address/{instance.name}", f"vrrp/{instance.name}", instance.interface, held, announcing)
    return Child(spec.id, AddressActor, (spec,), ("addresses", "wire"), policy=VITAL)


def _address(given: VirtualAddress) -> Address:
    return Address(given.address, given.prefix, given.device, given.label, given.scope, given.broadcast)


def _router(instance: VrrpInstance, defaults: GlobalDefs, virtual: tuple[str, ...], check_of: CheckOf) -> Child:
    family = instance.family
    addresses = tuple(each.address for each in instance.virtual_addresses)
    interval = round(instance.advert_interval * 100)
    auth = instance.authentication.encode() if instance.version == 2 else b""
    peers = tuple(each.address for each in instance.unicast_peers)
    group = "" if peers else _group(family, defaults)
    destinations = peers or (group,)
    spec = VrrpSpec(
        f"vrrp/{instance.name}",
        _machine(instance, interval, defaults),
        Endpoint(instance.interface, family, instance.vrid, destinations, instance.unicast_ttl),
        Advert(instance.version, instance.vrid, instance.priority, interval, addresses, auth, family),
        _expected(instance, interval, group, auth),
        instance.unicast_src_ip or instance.mcast_src_ip or "",
        virtual,
        (*_checks(instance, check_of), *_links(instance)),
        not instance.dont_track_primary,
    )
    return Child(spec.id, VrrpActor, (spec,), ("wire",), policy=VITAL)


def _group(family: int, defaults: GlobalDefs) -> str:
    return defaults.vrrp_mcast_group4 if family == 4 else defaults.vrrp_mcast_group6


def _expected(instance: VrrpInstance, interval: int, group: str, auth: bytes) -> Expected:
    """A peer with a range of TTLs is known by its source: the range implies ``check_unicast_src``."""
    peers = tuple(Peer(each.address, each.min_ttl, each.max_ttl) for each in instance.unicast_peers)
    ranged = any((each.min_ttl, each.max_ttl) != ANY_TTL for each in peers)
    owns = instance.priority == OWNER
    return Expected(
        instance.version,
        instance.vrid,
        interval,
        tuple(each.address for each in instance.virtual_addresses),
        group,
        auth,
        instance.family,
        peers if instance.check_unicast_src or ranged else (),
        owns=owns,
        link_local_first=instance.strict_mode,
        owner_ignores=owns and (instance.strict_mode or instance.owner_ignore_adverts),
        any_addresses=instance.skip_check_adv_addr,
        v3_checksum_as_v2=instance.v3_checksum_as_v2,
    )


def _machine(instance: VrrpInstance, interval: int, defaults: GlobalDefs) -> Router:
    return Router(
        address="",
        priority=instance.priority,
        version=instance.version,
        interval=interval,
        preempt=instance.preempt,
        preempt_delay=instance.preempt_delay,
        down_timer_adverts=instance.down_timer_adverts,
        lower_prio_no_advert=instance.lower_prio_no_advert,
        higher_prio_send_advert=instance.higher_prio_send_advert,
        owner_ignore_adverts=instance.owner_ignore_adverts,
        strict_mode=instance.strict_mode,
        start_delay=defaults.vrrp_startup_delay,
    )


def _checks(instance: VrrpInstance, check_of: CheckOf) -> tuple[Follow, ...]:
    return tuple(Follow(check_of(each.name), each.weight) for each in instance.checkers)


def _links(instance: VrrpInstance) -> tuple[Follow, ...]:
    return tuple(Follow(f"link/{each.name}", each.weight) for each in instance.track_interfaces)
