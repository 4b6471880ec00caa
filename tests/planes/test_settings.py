"""The kernel's settings for virtual MACs, in a folder that looks like /proc/sys/net."""

from pathlib import Path

import pytest

from actors.planes.netlink.settings import Settings
from actors.planes.network import Device

FOUR = Device("vrrp.51", "eth0", "00:00:5e:00:01:33", 4)
OTHER = Device("vrrp.52", "eth0", "00:00:5e:00:01:34", 4)
SIX = Device("vrrp6.51", "eth0", "00:00:5e:00:02:33", 6)


class Sys:
    """The settings of a few interfaces."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for name in ("all", "default", "lo", "eth0", "vrrp.51", "vrrp.52", "vrrp6.51"):
            for setting in ("arp_ignore", "arp_announce", "accept_local", "promote_secondaries", "rp_filter"):
                self.set(f"ipv4/conf/{name}/{setting}", "0")
            for setting in ("addr_gen_mode", "disable_ipv6", "dad_transmits", "accept_ra", "autoconf"):
                self.set(f"ipv6/conf/{name}/{setting}", "0")
            for family in (4, 6):
                self.set(f"ipv{family}/conf/{name}/forwarding", "0")

    def set(self, place: str, value: str) -> None:
        file = self.root / place
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(value)

    def of(self, name: str) -> dict[str, str]:
        """All that is not 0."""
        files = sorted(self.root.glob(f"ipv*/conf/{name}/*"))
        return {file.name: text for file in files if (text := file.read_text()) != "0"}


@pytest.fixture
def sys(tmp_path: Path) -> Sys:
    return Sys(tmp_path)


def test_a_device_and_the_one_below_are_prepared_and_the_one_below_is_put_back(sys: Sys) -> None:
    settings = Settings(sys.root)
    settings.prepare(FOUR)
    own = {"arp_ignore": "1", "accept_local": "1", "promote_secondaries": "1", "addr_gen_mode": "3"}
    assert sys.of("vrrp.51") == {**own, "disable_ipv6": "1"}
    assert sys.of("eth0") == {"arp_ignore": "1", "arp_announce": "2"}
    settings.prepare(SIX)
    assert sys.of("vrrp6.51") == own
    settings.restore(FOUR)
    assert sys.of("eth0") == {"arp_ignore": "1", "arp_announce": "2"}
    settings.restore(SIX)
    assert sys.of("eth0") == {}


def test_what_somebody_has_set_more_strictly_stays(sys: Sys) -> None:
    settings = Settings(sys.root)
    sys.set("ipv4/conf/eth0/arp_ignore", "2")
    settings.prepare(FOUR)
    assert sys.of("eth0") == {"arp_ignore": "2", "arp_announce": "2"}
    settings.restore(FOUR)
    assert sys.of("eth0") == {"arp_ignore": "2"}


def test_a_device_that_is_made_again_counts_once(sys: Sys) -> None:
    settings = Settings(sys.root)
    for device in (FOUR, FOUR, OTHER):
        settings.prepare(device)
    settings.restore(OTHER)
    settings.restore(OTHER)
    assert sys.of("eth0") == {"arp_ignore": "1", "arp_announce": "2"}
    settings.restore(FOUR)
    assert sys.of("eth0") == {}


def test_an_interface_below_that_was_removed_and_is_back_is_set_again(sys: Sys) -> None:
    settings = Settings(sys.root)
    sys.set("ipv4/conf/eth0/arp_announce", "1")
    settings.prepare(FOUR)
    for setting in ("arp_ignore", "arp_announce"):
        sys.set(f"ipv4/conf/eth0/{setting}", "0")
    settings.prepare(FOUR)
    assert sys.of("eth0") == {"arp_ignore": "1", "arp_announce": "2"}
    settings.restore(FOUR)
    assert sys.of("eth0") == {"arp_announce": "1"}, "as it was at first"


@pytest.mark.parametrize(("device", "family", "other"), [(FOUR, 4, 6), (SIX, 6, 4)])
def test_it_forwards_what_comes_to_it_as_the_one_below_does(sys: Sys, device: Device, family: int, other: int) -> None:
    settings = Settings(sys.root)
    for each in (family, other):
        sys.set(f"ipv{each}/conf/eth0/forwarding", "1")
    settings.prepare(device)
    own = [(sys.root / f"ipv{each}/conf/{device.name}/forwarding").read_text() for each in (family, other)]
    assert own == ["1", "0"]


def test_what_routers_advertise_makes_no_address_on_it_and_none_is_asked_for(sys: Sys) -> None:
    for setting in ("dad_transmits", "accept_ra", "autoconf"):
        sys.set(f"ipv6/conf/vrrp6.51/{setting}", "1")
    Settings(sys.root).prepare(SIX)
    assert not {"dad_transmits", "accept_ra", "autoconf"} & sys.of("vrrp6.51").keys()


def test_a_filter_for_all_interfaces_becomes_each_one_s_own_but_not_the_router_s(sys: Sys) -> None:
    sys.set("ipv4/conf/all/rp_filter", "1")
    sys.set("ipv4/conf/lo/rp_filter", "2")
    Settings(sys.root).prepare(FOUR)
    names = ("all", "default", "lo", "eth0", "vrrp.51")
    assert [sys.of(name).get("rp_filter", "0") for name in names] == ["0", "1", "2", "1", "0"]


def test_a_kernel_without_ipv6_and_an_interface_that_has_gone_are_fine(tmp_path: Path) -> None:
    settings = Settings(tmp_path)
    settings.prepare(FOUR)
    settings.restore(FOUR)
    settings.restore(OTHER)
