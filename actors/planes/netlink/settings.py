"""What a virtual router's interface needs of the kernel's settings, and what they were before. Files in /proc/sys.

An ARP request for a virtual address is to be answered by the router's own interface alone (``arp_ignore``), and what
this machine itself asks through the one below is not to tell of the virtual address (``arp_announce``). Packets that
come in there from neighbours are not to be dropped because the way back is another one (``rp_filter``).
"""

from pathlib import Path

import structlog

from actors.planes.network import Device

ROOT = Path("/proc/sys/net")

OWN4 = {"arp_ignore": "1", "accept_local": "1", "promote_secondaries": "1", "rp_filter": "0"}
OWN6 = {"addr_gen_mode": "3", "dad_transmits": "0", "accept_ra": "0", "autoconf": "0"}
"""What a router's own interface is set to. Its link-local address, without which the kernel asks for no neighbour and
forwards to none, is a random one: none is made of a virtual MAC (RFC 5798 7.4), and none by what routers advertise."""

BELOW = {"arp_ignore": ("1", ("0",)), "arp_announce": ("2", ("0", "1"))}
"""What the interface below is set to, where it is one of those now."""

log = structlog.get_logger()


class Settings:
    """Of an interface below several routers, what was there comes back with the last of them."""

    def __init__(self, root: Path = ROOT) -> None:
        self._root = root
        self._above: dict[str, set[str]] = {}
        self._before: dict[str, dict[str, str]] = {}

    def prepare(self, device: Device) -> None:
        """Set what the device and the one below it need; the device is not up yet, or is so already."""
        self._strict_paths()
        for family, settings in ((4, OWN4), (6, OWN6)):
            for setting, value in settings.items():
                self._write(f"ipv{family}/conf/{device.name}/{setting}", value)
        self._write(f"ipv6/conf/{device.name}/disable_ipv6", "0" if device.family == 6 else "1")
        if forwarding := self._read(f"ipv{device.family}/conf/{device.below}/forwarding"):
            self._write(f"ipv{device.family}/conf/{device.name}/forwarding", forwarding)
        self._above.setdefault(device.below, set()).add(device.name)
        # One that was removed and is back has all to be told again; what was there first is what comes back.
        self._before[device.below] = self._lower(device.below) | self._before.get(device.below, {})

    def restore(self, device: Device) -> None:
        """Put back what was there."""
        above = self._above.get(device.below, set())
        above.discard(device.name)
        if not above:
            for setting, value in self._before.pop(device.below, {}).items():
                self._write(f"ipv4/conf/{device.below}/{setting}", value)

    def _lower(self, name: str) -> dict[str, str]:
        """Set what the interface below needs; what was there before, where that was something else."""
        before = {}
        for setting, (value, others) in BELOW.items():
            place = f"ipv4/conf/{name}/{setting}"
            was = self._read(place)
            if was in others and self._write(place, value):
                before[setting] = was
        return before

    def _strict_paths(self) -> None:
        """Have every interface say for itself what all of them were told: the stricter of the two counts, and a
        router's own interface must not filter."""
        common = self._read("ipv4/conf/all/rp_filter")
        if common in ("", "0"):
            return
        for folder in (self._root / "ipv4/conf").iterdir():
            place = f"ipv4/conf/{folder.name}/rp_filter"
            if folder.name != "all" and self._read(place) < common:
                self._write(place, common)
        self._write("ipv4/conf/all/rp_filter", "0")
        log.warning("rp_filter of all interfaces is now each interface's own", value=common)

    def _read(self, place: str) -> str:
        try:
            return (self._root / place).read_text().strip()
        except OSError:
            return ""

    def _write(self, place: str, value: str) -> bool:
        """Whether that could be done. Without IPv6, or for an interface that has gone, there is no such file."""
        try:
            (self._root / place).write_text(value)
        except FileNotFoundError:
            return False
        except OSError as error:
            log.warning("setting not changed", setting=place, value=value, reason=str(error))
            return False
        return True
