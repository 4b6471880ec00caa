"""The VRRP half of the tree: links, addresses, sync groups and routers of the configuration as children.

A router stops before its addresses are released, so they start in the other order: the farewell advert goes out first.
"""

from collections.abc import Callable, Iterable
from typing import NamedTuple

import msgspec

from actors.addressing import announcer_id, announcers, closed, places, static_addresses, virtual_addresses
from actors.children import Child
from actors.core.authentication import Authentication
from actors.core.authentication_header import HeaderKey
from actors.core.authentication_trailer import Mode, TrailerKeys
from actors.core.packet_checks import ANY_TTL, Expected, Peer
from actors.core.packet_values import AH_PROTOCOL, OWNER, PROTOCOL, Advert
from actors.core.restart import Beyond, Policy
from actors.core.tracking import Follow
from actors.core.vrrp_values import Router
from actors.device_actor import DeviceActor, DeviceSpec
from actors.firewall_actor import FirewallActor, FirewallSpec
from actors.group_actor import GroupActor, GroupSpec
from actors.link_actor import LinkActor
from actors.messages import Program, RolePrograms
from actors.planes.network import Device, Endpoint, Rules
from actors.station import VrrpSpec
from actors.vrrp_actor import VrrpActor
from loader.model import Config, GlobalDefs, Identity, Script, VrrpInstance, VrrpSyncGroup
from loader.vrrp_model import Following

VITAL = Policy(beyond=Beyond.ESCALATE)
"""Addresses without a router that works are worse than none: the program ends, and the peer takes over."""

FIREWALL = "firewall/rules"

CheckOf = Callable[[str], str]
"""The id of the check that a name means."""

ALONE = VrrpSyncGroup("", members=())
"""The group of an instance that is in none."""


class Around(NamedTuple):
    """What all routers of a configuration share. ``virtual`` are the addresses of all of them, ``default`` is whose
    programs run that name nobody."""

    defaults: GlobalDefs
    virtual: tuple[str, ...]
    check_of: CheckOf
    default: Identity


def routers(config: Config, check_of: CheckOf, default: Identity) -> tuple[Child, ...]:
    """The children that VRRP needs, in start order. ``default`` is whose programs run that name nobody."""
    instances, groups = config.vrrp_instances, config.vrrp_sync_groups
    virtual = tuple(item.address for each in instances for item in (*each.virtual_addresses, *each.excluded))
    around = Around(config.global_defs, virtual, check_of, default)
    group_of = {name: group for group in groups for name in group.members}
    return (
        *firewall(instances),
        *(Child(f"link/{name}", LinkActor, (name,), ("links",), policy=VITAL) for name in _interfaces(config)),
        *(_device(instance) for instance in instances if instance.use_vmac),
        *static_addresses(config.static_addresses),
        *announcers(instances),
        *(virtual_addresses(instance) for instance in instances),
        *(_group(group, default) for group in groups),
        *(_router(each, group_of.get(each.name, ALONE), around) for each in instances),
    )


def firewall(instances: Iterable[VrrpInstance]) -> tuple[Child, ...]:
    """Who keeps back the packets of all routers: nobody where that is wanted of none. It starts before the addresses
    and devices, and stops after them."""
    instances = tuple(instances)
    addresses = tuple(dict.fromkeys(address for each in instances for address in closed(each)))
    rules = Rules(addresses, tuple(each.use_vmac for each in instances if each.use_vmac))
    if rules == Rules():
        return ()
    return (Child(FIREWALL, FirewallActor, (FirewallSpec(FIREWALL, rules),), ("firewall",), policy=VITAL),)


def _interfaces(config: Config) -> tuple[str, ...]:
    """The interfaces that anybody uses or tracks."""
    instances = config.vrrp_instances
    own = (name for each in instances for name in (each.interface, *places(each)))
    tracked = (item.name for each in (*instances, *config.vrrp_sync_groups) for item in each.track_interfaces)
    static = (each.device for each in config.static_addresses)
    return tuple(dict.fromkeys((*own, *tracked, *static)))


def _group(group: VrrpSyncGroup, default: Identity) -> Child:
    members = tuple(f"vrrp/{name}" for name in group.members)
    spec = GroupSpec(f"group/{group.name}", members, _programs(group, default))
    return Child(spec.id, GroupActor, (spec,), policy=VITAL)


def _router(instance: VrrpInstance, group: VrrpSyncGroup, around: Around) -> Child:
    family = instance.family
    addresses = tuple(each.address for each in instance.virtual_addresses)
    interval = round(instance.advert_interval * 100)
    word, how = _word(instance), _authentication(instance)
    ah = isinstance(how, HeaderKey)
    peers = tuple(each.address for each in instance.unicast_peers)
    multicast = "" if peers else _multicast(family, around.defaults)
    destinations = peers or (multicast,)
    spec = VrrpSpec(
        f"vrrp/{instance.name}",
        _machine(instance, interval, around.defaults, group is not ALONE),
        _endpoint(instance, destinations, AH_PROTOCOL if ah else PROTOCOL),
        Advert(instance.version, instance.vrid, instance.priority, interval, addresses, word, family, ah),
        _expected(instance, interval, multicast, word, ah),
        instance.unicast_src_ip or instance.mcast_src_ip or "",
        around.virtual,
        _follows(instance, group, around.check_of),
        not instance.dont_track_primary,
        "" if group is ALONE else f"group/{group.name}",
        _programs(instance, around.default),
        tuple(announcer_id(place) for place in places(instance)),
        instance.track_src_ip,
        instance.interface if instance.use_vmac else "",
        f"device/{instance.name}" if instance.use_vmac else "",
        FIREWALL if closed(instance) else "",
        authentication=how,
    )
    # With another VRID or on another interface it is another virtual router, whatever its name: those that back up the
    # old one are told that it is gone.
    identity = f"{instance.interface} IPv{family} {instance.vrid}"
    return Child(spec.id, VrrpActor, (spec,), ("wire",), policy=VITAL, identity=identity)


def _word(instance: VrrpInstance) -> bytes:
    """What stands in adverts in clear text."""
    given = instance.authentication
    return given.auth_pass.encode() if given is not None and given.auth_type == "PASS" else b""


def _authentication(instance: VrrpInstance) -> Authentication | None:
    if (hmac := instance.auth_hmac) is not None:
        keys = tuple((key.id, key.secret) for key in hmac.keys)
        return TrailerKeys(keys, hmac.active_key, hmac.time_window, hmac.anti_replay == "monotonic", Mode(hmac.mode))
    given = instance.authentication
    return HeaderKey(given.auth_pass.encode()) if given is not None and given.auth_type == "AH" else None


def _endpoint(instance: VrrpInstance, destinations: tuple[str, ...], protocol: int) -> Endpoint:
    """Adverts go through the router's own interface, if it has one that they are to go through.

    What peers send to the group with the virtual MAC is heard there alone, and what they send with another MAC is heard
    there too. What they send to an address comes to the interface below, which has it.
    """
    own = instance.use_vmac if not instance.vmac_xmit_base else ""
    return Endpoint(
        own or instance.interface,
        instance.family,
        instance.vrid,
        destinations,
        instance.unicast_ttl,
        bool(own),
        protocol,
        ear="" if own or instance.unicast_peers else instance.use_vmac,
        below=instance.interface if instance.use_vmac else "",
    )


def _device(instance: VrrpInstance) -> Child:
    """RFC 5798 7.3 says what MAC a virtual router has."""
    mac = f"00:00:5e:00:0{1 if instance.family == 4 else 2}:{instance.vrid:02x}"
    device = Device(instance.use_vmac, instance.interface, mac, instance.family)
    spec = DeviceSpec(f"device/{instance.name}", device)
    # One with another name, MAC or place is not its successor, and would leave it lying there.
    identity = f"{device.name} on {device.below} with {device.mac}"
    return Child(spec.id, DeviceActor, (spec,), ("devices",), policy=VITAL, identity=identity)


def _multicast(family: int, defaults: GlobalDefs) -> str:
    return defaults.vrrp_mcast_group4 if family == 4 else defaults.vrrp_mcast_group6


def _expected(instance: VrrpInstance, interval: int, group: str, word: bytes, ah: bool) -> Expected:
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
        word,
        instance.family,
        peers if instance.check_unicast_src or ranged else (),
        owns=owns,
        link_local_first=instance.strict_mode,
        owner_ignores=owns and (instance.strict_mode or instance.owner_ignore_adverts),
        any_addresses=instance.skip_check_adv_addr,
        v3_checksum_as_v2=instance.v3_checksum_as_v2,
        ah=ah,
    )


def _machine(instance: VrrpInstance, interval: int, defaults: GlobalDefs, grouped: bool) -> Router:
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
        grouped=grouped,
    )


def _follows(instance: VrrpInstance, group: VrrpSyncGroup, check_of: CheckOf) -> tuple[Follow, ...]:
    """What the instance follows itself, and what its group has all members follow.

    In a group a member's own weights would part what belongs together: they count as 0, so that the group goes to
    FAULT, unless it says ``sync_group_tracking_weight`` (keepalived).
    """
    weighs = group is ALONE or group.sync_group_tracking_weight
    own = _tracked(instance, check_of)
    own = own if weighs else (msgspec.structs.replace(each, weight=0) for each in own)
    return tuple(dict.fromkeys((*own, *_tracked(group, check_of))))


def _tracked(following: Following, check_of: CheckOf) -> Iterable[Follow]:
    yield from (Follow(check_of(each.name), each.weight, each.reverse, each.counts) for each in following.checkers)
    yield from (Follow(f"link/{each.name}", each.weight, each.reverse) for each in following.track_interfaces)


def _programs(following: Following, default: Identity) -> RolePrograms:
    scripts = (
        following.notify_master,
        following.notify_backup,
        following.notify_fault,
        following.notify_stop,
        following.notify,
    )
    return RolePrograms(*(program(script, default) for script in scripts))


def program(script: Script | None, default: Identity) -> Program | None:
    """A script of the configuration as something that can be run, as ``default`` unless it names its user."""
    if script is None:
        return None
    if script.user:
        return Program(script.command, script.user, script.group)
    return Program(script.command, default.user, default.group)
