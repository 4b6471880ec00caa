"""The virtual addresses of one router: held, announced and released, following its role."""

from typing import Any

import msgspec

from actors.core.packet import gratuitous_arp, neighbour_advertisement
from actors.core.status import AddressStatus, LinkStatus, VrrpStatus
from actors.messages import Message
from actors.planes import PlaneError
from actors.planes.network import Address, Addresses, Wire
from actors.runtime.actor import Context

RETURNS = 5
"""How often within `CALM` seconds an address that somebody else removed is put back."""
CALM = 10.0


class Announcing(msgspec.Struct, frozen=True):
    """How neighbours are told: ``repeat`` times on taking over and again ``delay`` seconds later (0: not again), then
    ``refresh_repeat`` times every ``refresh`` seconds (0: never); keepalived's ``garp_master_*``."""

    repeat: int = 5
    delay: float = 5.0
    refresh: float = 0.0
    refresh_repeat: int = 1


class AddressSpec(msgspec.Struct, frozen=True):
    """What the router ``router`` (an id) holds while MASTER, on ``interface`` unless an address says otherwise."""

    id: str
    router: str
    interface: str
    addresses: tuple[Address, ...]
    announcing: Announcing = Announcing()


class Announce(Message, frozen=True):
    """It is time to tell the neighbours, ``repeat`` times."""

    repeat: int


class Calm(Message, frozen=True):
    """Addresses have been left alone for a while."""


class AddressActor:
    """Follows the role; what it cannot hold speaks against the router."""

    def __init__(self, context: Context, spec: AddressSpec, addresses: Addresses, wire: Wire) -> None:
        self._context = context
        self._spec = spec
        self._addresses = addresses
        self._wire = wire
        self._link = LinkStatus(f"link/{spec.interface}", False)
        self._held = isinstance(context.last, AddressStatus) and context.last.held
        self._fault = ""
        self._returns = 0

    def on_start(self) -> None:
        """Remove what another run of the program has left; what a crashed predecessor held is held until the router's
        role is known."""
        self._publish()
        self._context.subscribe(f"link/{self._spec.interface}")
        self._context.subscribe(self._spec.router)
        if self._context.last is None:
            self._remove()

    def receive(self, message: Any) -> None:
        """The router has another role, the interface has news, or it is time to announce."""
        match message:
            case VrrpStatus(role=role):
                self._follow(role == "MASTER")
            case LinkStatus():
                self._link = message
                self._look_after()
            case Announce():
                self._announce(message.repeat)
                self._refresh()
            case Calm():
                self._returns, self._fault = 0, ""
                self._publish()

    def on_stop(self, final: bool) -> None:
        """Release, also for a successor: it may be told to hold others, and does not know these."""
        if self._held:
            self._release()

    def explain(self) -> list[str]:
        """For an operator: what is held, and how often it had to be put back."""
        texts = ", ".join(f"{item.address}/{item.prefix}" for item in self._spec.addresses)
        return [f"{'holds' if self._held else 'does not hold'} {texts}", f"put back {self._returns} times of late"]

    def _follow(self, master: bool) -> None:
        if master and not self._held:
            self._hold()
        elif self._held and not master:
            self._release()

    def _hold(self) -> None:
        if not self._add():
            self._remove()  # some of them may be there
            return
        self._held = True
        announcing = self._spec.announcing
        self._announce(announcing.repeat)
        if announcing.delay:
            self._context.after("announce", announcing.delay, Announce(announcing.repeat))
        else:
            self._refresh()
        self._publish()

    def _release(self) -> None:
        self._held = False
        self._context.cancel("announce")
        self._remove()
        self._publish()

    def _refresh(self) -> None:
        announcing = self._spec.announcing
        if announcing.refresh:
            self._context.after("announce", announcing.refresh, Announce(announcing.refresh_repeat))

    def _look_after(self) -> None:
        """Put back what somebody else removed, but do not fight for ever."""
        ours = {a.address for a in self._spec.addresses if a.interface in ("", self._spec.interface)}
        if not self._held or not self._link.up or not ours - set(self._link.addresses):
            return
        self._returns += 1
        self._context.after("calm", CALM, Calm())
        if self._returns > RETURNS:
            self._fail(f"somebody keeps removing {', '.join(sorted(ours - set(self._link.addresses)))}")
        elif self._add():
            self._context.log.warning("address put back", addresses=sorted(ours - set(self._link.addresses)))
            self._announce(self._spec.announcing.repeat)

    def _add(self) -> bool:
        try:
            self._addresses.add(self._spec.interface, self._spec.addresses)
        except PlaneError as error:
            self._fail(str(error))
            return False
        return True

    def _remove(self) -> None:
        try:
            self._addresses.remove(self._spec.interface, self._spec.addresses)
        except PlaneError as error:
            self._context.log.error("addresses", error=str(error))

    def _fail(self, fault: str) -> None:
        self._context.log.error("addresses", error=fault)
        self._fault = fault
        self._context.after("calm", CALM, Calm())
        self._publish()

    def _publish(self) -> None:
        self._context.publish(AddressStatus(self._spec.id, self._held, self._fault))

    def _announce(self, repeat: int) -> None:
        if not self._link.mac:  # a tunnel has no neighbours to tell
            return
        try:
            for _ in range(repeat):
                for item in self._spec.addresses:
                    self._wire.announce(item.interface or self._spec.interface, self._frame(item.address))
        except PlaneError as error:
            self._context.log.error("announcement", error=str(error))

    def _frame(self, address: str) -> bytes:
        if ":" in address:
            return neighbour_advertisement(self._link.mac, address, router=True)
        return gratuitous_arp(self._link.mac, address)
