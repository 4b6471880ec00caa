"""What actors are given by name, in each process: the edges to kernel and wire, and what probes."""

from random import Random
from typing import Any

from actors.planes.dry import DryRunAddresses, DryRunDevices, DryRunWire
from actors.planes.netlink import NetlinkAddresses, NetlinkDevices, NetlinkLinks
from actors.planes.wire import RawWire
from actors.probing import PluginProbes
from actors.runtime.engine import Engine
from actors.runtime.lanes import Lanes
from plugins import registry


def network(dry: bool) -> dict[str, Any]:
    """What VRRP needs; a dry run listens, says nothing and takes no address."""
    return {
        "wire": DryRunWire() if dry else RawWire(),
        "addresses": DryRunAddresses() if dry else NetlinkAddresses(),
        "links": NetlinkLinks(),
        "devices": DryRunDevices() if dry else NetlinkDevices(),
    }


def probing(engine: Engine, checkers: dict[str, type]) -> dict[str, Any]:
    """What checkers need: ``checkers`` are the plugin classes by keyword."""
    return {"probes": PluginProbes(checkers, Lanes(engine.workers)), "random": Random()}


def found(location: str) -> registry.Found:
    """The checker plugins that there are, those in ``location`` among them unless it is empty."""
    return registry.find((location,) if location else ())
