"""The network of a dry run: routers listen to the wire, but say nothing, and take no address."""

from collections.abc import Callable

import msgspec
import structlog

from actors.core.address import Address
from actors.planes.network import Device, Endpoint, Received, Rules
from actors.planes.wire import RawWire

log = structlog.get_logger()


class DryRunWire(RawWire):
    """Hears the other routers, so that roles are what they would be beside them; sends nothing."""

    def open(self, endpoint: Endpoint, source: str, heard: Callable[[Received], None]) -> None:
        """See `Wire.open`. A router's own interface is not there: what it would hear is heard below."""
        super().open(_below(endpoint), source, heard)

    def close(self, endpoint: Endpoint) -> None:
        """See `Wire.close`."""
        super().close(_below(endpoint))

    def drain(self, endpoint: Endpoint) -> None:
        """See `Wire.drain`."""
        super().drain(_below(endpoint))

    def send(self, endpoint: Endpoint, destination: str, pdu: bytes) -> None:
        """Nothing: adverts would be one line a second in the log."""

    def announce(self, interface: str, frame: bytes) -> None:
        """Nothing: see `DryRunAddresses` for what would be announced."""


class DryRunAddresses:
    """Tells in the log which addresses it would have put on or taken off."""

    def add(self, interface: str, addresses: tuple[Address, ...]) -> None:
        """See `Addresses.add`."""
        log.info("dry run", would_be=f"adding {_listed(addresses)} on {interface}")

    def remove(self, interface: str, addresses: tuple[Address, ...]) -> None:
        """See `Addresses.remove`."""
        log.info("dry run", would_be=f"removing {_listed(addresses)} on {interface}")


class DryRunDevices:
    """Tells in the log which interfaces it would have made or removed."""

    def make(self, device: Device) -> int:
        """See `Devices.make`."""
        log.info("dry run", would_be=f"making {device.name} with {device.mac} on {device.below}")
        return 1

    def remove(self, device: Device) -> None:
        """See `Devices.remove`."""
        log.info("dry run", would_be=f"removing {device.name}")


class DryRunFirewall:
    """Tells in the log which packets it would have dropped."""

    def apply(self, rules: Rules) -> None:
        """See `Firewall.apply`."""
        log.info("dry run", would_be="dropping packets", to=rules.closed, group_reports_through=rules.silent)

    def stands(self) -> bool:
        """See `Firewall.stands`."""
        return True


def _below(endpoint: Endpoint) -> Endpoint:
    interface = endpoint.below or endpoint.interface
    return msgspec.structs.replace(endpoint, interface=interface, ear="", below="", borrows=False)


def _listed(addresses: tuple[Address, ...]) -> str:
    return ", ".join(f"{item.address}/{item.prefix}" for item in addresses)
