"""What is known of this machine's links and addresses, from a dump and from the news since. No socket, no clock."""

from collections.abc import Iterable

from actors.planes.netlink.codec import Held, Link
from actors.planes.network import LinkEvent


class LinkTable:
    """Links and their addresses by index. An address keeps its place, so that the oldest of a family comes first:
    what a router takes as its own must not change when virtual addresses come beside it."""

    def __init__(self) -> None:
        self._links: dict[int, Link] = {}
        self._addresses: dict[int, dict[tuple[str, int], None]] = {}

    def fill(self, links: Iterable[Link], addresses: Iterable[Held]) -> None:
        """Forget all, and know this, in the kernel's order: it lists IPv6 addresses the newest first."""
        self._links = {link.index: link for link in links}
        self._addresses = {}
        known = list(addresses)
        for held in (*(h for h in known if ":" not in h.address), *(h for h in reversed(known) if ":" in h.address)):
            self.put_address(held)

    def put_link(self, link: Link) -> None:
        """A link is new, or has changed (its name too)."""
        self._links[link.index] = link

    def drop_link(self, index: int) -> None:
        """A link has gone, and its addresses with it."""
        self._links.pop(index, None)
        self._addresses.pop(index, None)

    def put_address(self, held: Held) -> None:
        """An address is there, or has changed; one that cannot be used yet is not known."""
        if held.usable:
            self._addresses.setdefault(held.index, {})[held.address, held.prefix] = None
        else:
            self.drop_address(held)

    def drop_address(self, held: Held) -> None:
        """An address has gone."""
        self._addresses.get(held.index, {}).pop((held.address, held.prefix), None)

    def indices(self) -> dict[str, int]:
        """Every interface by name."""
        return {link.name: link.index for link in self._links.values()}

    def addresses(self) -> frozenset[str]:
        """Every address of any interface."""
        return frozenset(address for each in self._addresses.values() for address, _ in each)

    def event(self, interface: str, index: int | None) -> LinkEvent:
        """The present state of an interface; without ``index`` there is none."""
        if index is None:
            return LinkEvent(interface, False)
        link = self._links[index]
        addresses = dict.fromkeys(address for address, _ in self._addresses.get(index, ()))
        return LinkEvent(interface, link.up, link.mac, tuple(addresses))
