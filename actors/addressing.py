"""The addresses of the configuration as children: who holds them, who tells the neighbours behind each interface."""

from collections.abc import Iterable
from ipaddress import ip_address

from actors.address_actor import AddressActor, AddressSpec
from actors.announcer_actor import AnnouncerActor, AnnouncerSpec, Voice
from actors.children import Child
from actors.core.address import Address
from actors.core.announcing import Announcing
from actors.core.packet_values import OWNER
from actors.core.restart import Beyond, Policy
from loader.model import VirtualAddress, VrrpInstance

VITAL = Policy(beyond=Beyond.ESCALATE)
"""A MASTER without its addresses is worse than none: the program ends, and the peer takes over."""


def places(instance: VrrpInstance) -> tuple[str, ...]:
    """The interfaces that the addresses of an instance are on."""
    return tuple(dict.fromkeys(each.device or holder(instance) for each in _all(instance)))


def holder(instance: VrrpInstance) -> str:
    """The interface of addresses that name none: the router's own, if it has one."""
    return instance.use_vmac or instance.interface


def announcers(instances: Iterable[VrrpInstance]) -> tuple[Child, ...]:
    """One for each interface that has virtual addresses."""
    voices: dict[str, list[Voice]] = {}
    for instance in instances:
        for place in places(instance):
            voices.setdefault(place, []).append(Voice(f"address/{instance.name}", _announcing(instance)))
    specs = (AnnouncerSpec(announcer_id(place), place, tuple(who)) for place, who in voices.items())
    return tuple(Child(spec.id, AnnouncerActor, (spec,), ("wire",), policy=VITAL) for spec in specs)


def announcer_id(interface: str) -> str:
    """Who tells the neighbours behind an interface."""
    return f"announcer/{interface}"


def virtual_addresses(instance: VrrpInstance) -> Child:
    """Who holds the addresses of an instance."""
    held = tuple(_address(each) for each in _all(instance))
    owner = instance.priority == OWNER
    spec = AddressSpec(f"address/{instance.name}", f"vrrp/{instance.name}", holder(instance), held, owner)
    return Child(spec.id, AddressActor, (spec,), ("addresses",), policy=VITAL)


def closed(instance: VrrpInstance) -> tuple[str, ...]:
    """The addresses of an instance that nobody is to reach here: none of an owner (RFC 5798 6.4.3), and none of one
    that accepts. A link-local one is another on each interface, and is named with it."""
    if instance.accept or instance.priority == OWNER:
        return ()
    return tuple(
        f"{each.address}%{each.device or holder(instance)}" if _is_link_local(each.address) else each.address
        for each in _all(instance)
    )


def static_addresses(given: Iterable[VirtualAddress]) -> tuple[Child, ...]:
    """One for each, so that one that cannot be held keeps no other from it, and a reload touches the difference alone.

    The kernel tells them apart by address, length and interface: of two that are alike there, the first counts.
    """
    children: dict[str, Child] = {}
    for each in given:
        id = f"static/{each.device}/{each.address}/{each.prefix}"
        spec = AddressSpec(id, "", each.device, (_address(each),))
        children.setdefault(id, Child(id, AddressActor, (spec,), ("addresses",)))
    return tuple(children.values())


def _all(instance: VrrpInstance) -> tuple[VirtualAddress, ...]:
    return (*instance.virtual_addresses, *instance.excluded)


def _is_link_local(address: str) -> bool:
    return ":" in address and ip_address(address).is_link_local


def _address(given: VirtualAddress) -> Address:
    return Address(given.address, given.prefix, given.device, given.label, given.scope, given.broadcast)


def _announcing(instance: VrrpInstance) -> Announcing:
    return Announcing(
        instance.garp_master_repeat,
        instance.garp_master_delay,
        instance.garp_master_refresh,
        instance.garp_master_refresh_repeat,
        instance.garp_lower_prio_repeat,
        instance.garp_lower_prio_delay,
        instance.garp_interval,
        instance.gna_interval,
    )
