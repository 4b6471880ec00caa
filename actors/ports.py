"""What actors are given by name, in each process: the edges to kernel and wire, and what probes."""

import os
from collections.abc import Mapping
from pathlib import Path
from random import Random
from typing import Any
from zlib import crc32

from actors.control_client import default_path
from actors.planes.dry import DryRunAddresses, DryRunDevices, DryRunFirewall, DryRunWire
from actors.planes.netlink import NetlinkAddresses, NetlinkDevices, NetlinkLinks
from actors.planes.nftables import NftablesFirewall
from actors.planes.wire import RawWire
from actors.probing import PluginProbes
from actors.runtime.engine import Engine
from actors.runtime.lanes import Lanes
from actors.runtime.leaks import Leaks


def network(table: str, dry: bool) -> dict[str, Any]:
    """What VRRP needs. ``table`` is where its rules are in the firewall; a dry run listens, says nothing and takes no
    address."""
    return {
        "wire": DryRunWire() if dry else RawWire(),
        "addresses": DryRunAddresses() if dry else NetlinkAddresses(),
        "links": NetlinkLinks(),
        "devices": DryRunDevices() if dry else NetlinkDevices(),
        "firewall": DryRunFirewall() if dry else NftablesFirewall(table),
    }


def table_of(door: Path) -> str:
    """The name of this program's table in the firewall, from where its control socket is: no two programs share that,
    and one that was killed finds its own again."""
    usual = door == default_path()
    return "understudy" if usual else f"understudy_{crc32(os.fsencode(door.absolute())):08x}"


def restrict(known: Mapping[str, Any], secure: bool, concurrency: int) -> None:
    """What probes may do: run nothing as root that others may change, probe so many at once (0: any number)."""
    if "probes" in known:
        known["probes"].programs.secure = secure
        known["probes"].turns.limit = concurrency


def probing(engine: Engine, apart: bool = False) -> dict[str, Any]:
    """What checkers need. ``apart``, in a process of their own, their plugins are all that can leak there."""
    lanes = Lanes(engine.workers)
    return {"probes": PluginProbes(lanes, Leaks(lanes.threads) if apart else None), "random": Random()}
