"""What tests of addresses share: interfaces in memory that do as a kernel does, and a wire that notes frames."""

from collections.abc import Callable

import msgspec

from actors.core.address import Address
from actors.planes import PlaneError
from actors.planes.network import LinkEvent

MACS = {"eth0": "02:00:00:00:00:01", "eth1": "02:00:00:00:00:02", "lo": "00:00:00:00:00:00"}


class Kernel:
    """`Addresses` and `Links` of one machine. ``work`` is what was asked for; it will not take what is ``refused``.

    It tells of what changes, in the order in which it happens, unless it is ``mute``.
    """

    def __init__(self, *interfaces: str) -> None:
        self.links = {
            name: LinkEvent(name, True, MACS[name], (f"10.0.{place}.1",)) for place, name in enumerate(interfaces)
        }
        self.watchers: dict[str, Callable[[LinkEvent], None]] = {}
        self.seekers: dict[str, Callable[[bool], None]] = {}
        self.work: list[tuple[str, str]] = []
        self.refused: set[str] = set()
        self.mute = False

    def add(self, interface: str, addresses: tuple[Address, ...]) -> None:
        """As `Addresses.add`."""
        faults = [self._add(item, item.interface or interface) for item in addresses]
        if any(faults):
            raise PlaneError(f"adding {'; '.join(filter(None, faults))}")

    def _add(self, item: Address, interface: str) -> str:
        self.work.append(("add", f"{item} {interface}"))
        link = self.links.get(interface)
        if link is None or item.address in self.refused:
            return f"{item} on {interface}: refused"
        if item.address not in link.addresses:
            self.become(msgspec.structs.replace(link, addresses=(*link.addresses, item.address)))
        return ""

    def remove(self, interface: str, addresses: tuple[Address, ...]) -> None:
        """As `Addresses.remove`."""
        for item in addresses:
            self.work.append(("remove", f"{item} {item.interface or interface}"))
            self.take(item.interface or interface, item.address)

    def take(self, interface: str, *addresses: str) -> None:
        """Somebody removes addresses."""
        link = self.links.get(interface)
        if link is not None and set(addresses) & set(link.addresses):
            left = tuple(address for address in link.addresses if address not in addresses)
            self.become(msgspec.structs.replace(link, addresses=left))

    def become(self, event: LinkEvent) -> None:
        """An interface has changed, or come."""
        before = {address for address in self.seekers if self.has(address)}
        self.links[event.interface] = event
        self.tell(event.interface)
        for address, changed in self.seekers.items():
            if self.has(address) is not (address in before):
                changed(self.has(address))

    def tell(self, interface: str) -> None:
        """Tell of an interface."""
        if interface in self.watchers and not self.mute:
            self.watchers[interface](self.links.get(interface, LinkEvent(interface, False)))

    def watch(self, interface: str, changed: Callable[[LinkEvent], None]) -> None:
        """As `Links.watch`."""
        self.watchers[interface] = changed
        self.tell(interface)

    def unwatch(self, interface: str) -> None:
        """As `Links.unwatch`."""
        del self.watchers[interface]

    def has(self, address: str) -> bool:
        """Whether any interface has the address."""
        return any(address in link.addresses for link in self.links.values())

    def seek(self, address: str, changed: Callable[[bool], None]) -> None:
        """As `Links.seek`."""
        self.seekers[address] = changed
        changed(self.has(address))

    def unseek(self, address: str) -> None:
        """As `Links.unseek`."""
        del self.seekers[address]

    def on(self, interface: str) -> set[str]:
        """The addresses of an interface, less those from the beginning."""
        return {each for each in self.links[interface].addresses if not each.startswith("10.0.")}


class Frames:
    """The part of a `Wire` that announces: when what went out where, from which hardware address.

    An interface in ``broken`` cannot be used; ``router`` is whether this machine forwards IPv6.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self.sent: list[tuple[float, str, bytes]] = []
        self.broken: set[str] = set()
        self.router = False

    def announce(self, interface: str, frame: bytes) -> None:
        """As `Wire.announce`."""
        if interface in self.broken:
            raise PlaneError(f"announcing on {interface}: no")
        self.sent.append((round(self._now(), 3), interface, frame))

    def forwards(self, interface: str) -> bool:
        """As `Wire.forwards`."""
        return self.router
