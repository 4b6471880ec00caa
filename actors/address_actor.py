"""Addresses that are held while a router is MASTER, or as long as the program runs, and put back when taken away."""

from typing import Any

import msgspec

from actors.core.address import Address
from actors.core.status import AddressStatus, LinkStatus, VrrpStatus
from actors.messages import Message
from actors.planes import PlaneError
from actors.planes.network import Addresses
from actors.runtime.actor import Context

RETURNS = 5
"""How often within `CALM` seconds addresses that somebody else removed are put back."""
CALM = 10.0
PATIENCE = 320.0
"""What cannot be held is tried again after `CALM` seconds, then after twice as many each time, up to this."""
SETTLED = 1.0
"""Seconds after which the kernel has told of all that was added: what is not there then, somebody has removed."""


class AddressSpec(msgspec.Struct, frozen=True):
    """What the router ``router`` (an id; empty: nobody, so always) holds while MASTER, on ``interface`` unless an
    address says otherwise. ``owner``: those that were there before are the machine's own, and stay (RFC 3768 6.4.1)."""

    id: str
    router: str
    interface: str
    addresses: tuple[Address, ...]
    owner: bool = False


class Settled(Message, frozen=True):
    """What was added has been there for a while."""


class Calm(Message, frozen=True):
    """Addresses have been left alone for a while."""


class Retry(Message, frozen=True):
    """It is time to try again what failed."""


class AddressActor:
    """Follows the role; what it cannot hold speaks against the router.

    What lies there at the start is what another run has left, and goes. What somebody else adds later is taken for
    the router's own: it stays when the router leads, and goes when it does no longer, as keepalived does it; two
    machines that answer for one address are worse. A successor takes over what is there, and touches the difference.
    """

    def __init__(self, context: Context, spec: AddressSpec, addresses: Addresses) -> None:
        last = context.last if isinstance(context.last, AddressStatus) else None
        self._context = context
        self._spec = spec
        self._addresses = addresses
        self._wanted = tuple(_at(item, spec.interface) for item in spec.addresses)
        self._links = {(link := f"link/{item.interface}"): LinkStatus(link, False) for item in self._wanted}
        self._held = last is not None and last.held
        self._there = last.addresses if last else ()
        self._own = last.own if last else ()
        self._known: set[Address] = set()
        self._leads = False
        self._fault = ""
        self._failures = self._returns = 0

    def on_start(self) -> None:
        """Remove what another run of the program has left; what a predecessor held is held until the router's role is
        known."""
        self._publish()
        for link in self._links:
            self._context.subscribe(link)
        if self._held:
            self._context.after("settle", SETTLED, Settled())
        if not self._spec.router:
            self._follow(True)
            return
        self._context.subscribe(self._spec.router)
        if not self._spec.owner:
            self._remove(_without(self._wanted, self._there))

    def receive(self, message: Any) -> None:
        """The router has another role, an interface has news, or it is time to look again."""
        match message:
            case VrrpStatus(role=role):
                self._follow(role == "MASTER")
            case LinkStatus():
                self._notice(message)
            case Settled():
                self._failures, self._known = 0, set(self._there)
                for link in self._links.values():
                    self._look_after(link)
            case Calm():
                self._returns = 0
            case Retry():
                self._retry()

    def on_stop(self, final: bool) -> None:
        """Release what no successor takes over."""
        if final and self._there:
            self._release()

    def explain(self) -> list[str]:
        """For an operator: what is held, what is wrong, and how often something had to be put back."""
        texts = ", ".join(f"{item} on {item.interface}" for item in self._wanted)
        holds = f"{'holds' if self._held else 'does not hold'} {texts}"
        faults = [f"{self._fault}; failed {self._failures} times, tried again"] if self._fault else []
        return [holds, *faults, f"put back {self._returns} times of late"]

    def _follow(self, leads: bool) -> None:
        self._leads = leads
        if not leads and (self._held or self._there):
            self._release()
        elif leads and not self._fault and not (self._held and self._there == self._wanted):
            self._hold()

    def _hold(self) -> None:
        self._remove(_without(self._there, self._wanted))
        if self._add(_without(self._wanted, self._there)):
            self._settle()
        self._publish()

    def _settle(self) -> None:
        self._there, self._held = self._wanted, True
        self._context.after("settle", SETTLED, Settled())

    def _release(self) -> None:
        self._context.cancel("settle")
        self._remove((*_without(self._there, self._wanted), *self._wanted))
        self._there, self._held, self._known = (), False, set()
        self._publish()

    # What others do

    def _notice(self, link: LinkStatus) -> None:
        """An interface that is another one now, or can be used again, may have room for what failed."""
        before, self._links[link.source] = self._links[link.source], link
        if self._spec.owner and not self._there:
            elsewhere = tuple(item for item in self._own if not _is_of(item, link))
            here = tuple(item for item in self._wanted if _is_of(item, link) and item.address in link.addresses)
            self._own = elsewhere + here
        if self._fault and (link.up, link.mac) != (before.up, before.mac):
            self._retry()
        self._look_after(link)

    def _look_after(self, link: LinkStatus) -> None:
        """Put back what somebody removed, but do not fight for ever.

        News of an interface may be older than what was added since: an address is missed once it has been seen.
        """
        seen = set(link.addresses)
        ours = tuple(item for item in self._there if _is_of(item, link))
        self._known |= {item for item in ours if item.address in seen}
        missing = tuple(item for item in ours if item in self._known and item.address not in seen)
        if self._held and link.up and missing:
            self._put_back(missing)

    def _put_back(self, missing: tuple[Address, ...]) -> None:
        texts = ", ".join(sorted(item.address for item in missing))
        self._returns += 1
        self._context.after("calm", CALM, Calm())
        self._there = _without(self._there, missing)
        self._known -= set(missing)
        self._publish()
        if self._returns > RETURNS:
            self._fail(f"somebody keeps removing {texts}")
        elif self._add(missing):
            self._context.log.warning("address put back", addresses=texts)
            self._settle()
        self._publish()

    # What cannot be done

    def _fail(self, fault: str) -> None:
        """All of them or none: what a failure leaves is removed."""
        self._context.log.error("addresses", error=fault)
        self._fault = fault
        self._context.after("retry", min(CALM * 2 ** min(self._failures, 9), PATIENCE), Retry())
        self._failures += 1
        self._release()

    def _retry(self) -> None:
        self._context.cancel("retry")
        self._fault = ""
        self._publish()
        self._follow(self._leads)

    def _add(self, items: tuple[Address, ...]) -> bool:
        try:
            if items:
                self._addresses.add(self._spec.interface, items)
        except PlaneError as error:
            self._fail(str(error))
            return False
        return True

    def _remove(self, items: tuple[Address, ...]) -> None:
        try:
            if ours := _without(items, self._own):
                self._addresses.remove(self._spec.interface, ours)
        except PlaneError as error:
            self._context.log.error("addresses", error=str(error))

    def _publish(self) -> None:
        self._context.publish(AddressStatus(self._spec.id, self._held, self._fault, self._there, self._own))


def _at(item: Address, interface: str) -> Address:
    return item if item.interface else msgspec.structs.replace(item, interface=interface)


def _is_of(item: Address, link: LinkStatus) -> bool:
    return link.source == f"link/{item.interface}"


def _without(items: tuple[Address, ...], others: tuple[Address, ...]) -> tuple[Address, ...]:
    known = set(others)
    return tuple(item for item in items if item not in known)
