"""From a configuration to who holds and who announces addresses."""

from actors.address_actor import AddressActor, AddressSpec
from actors.announcer_actor import AnnouncerActor, AnnouncerSpec, Voice
from actors.children import Child
from actors.core.address import Address
from actors.core.announcing import Announcing
from actors.link_actor import LinkActor
from actors.routers import routers
from loader.model import Identity
from tests.loader.house import good

CONF = """
static_ipaddress {
    192.0.2.1/24 dev eth2 label eth2:s brd + scope link
    192.0.2.1/24 dev eth3
}
static_ipaddress {
    192.0.2.1/24 dev eth2
}
vrrp_instance a {
    interface eth0
    virtual_router_id 51
    virtual_ipaddress {
        10.0.0.1/24 label eth0:a brd 10.0.0.9
        10.0.1.1 dev eth1 scope site
    }
    virtual_ipaddress_excluded fd00::1/64
    garp_master_repeat 1
    garp_master_delay 2
    garp_master_refresh 3
    garp_master_refresh_repeat 4
    garp_lower_prio_repeat 6
    garp_lower_prio_delay 7
    garp_interval 0.8
    gna_interval 0.9
}
vrrp_instance b {
    interface eth1
    virtual_router_id 51
    priority 255
    virtual_ipaddress 10.0.1.2
}
"""


def children(kind: type) -> list[Child]:
    return [child for child in routers(good(CONF), str, Identity("")) if child.kind is kind]


def test_every_address_is_held_as_it_is_configured_by_its_router_s_or_for_itself() -> None:
    assert [child.args[0] for child in children(AddressActor)] == [
        AddressSpec("static/eth2/192.0.2.1/24", "", "eth2", (Address("192.0.2.1", 24, "eth2", "eth2:s", "link", "+"),)),
        AddressSpec("static/eth3/192.0.2.1/24", "", "eth3", (Address("192.0.2.1", 24, "eth3"),)),
        AddressSpec(
            "address/a",
            "vrrp/a",
            "eth0",
            (
                Address("10.0.0.1", 24, label="eth0:a", broadcast="10.0.0.9"),
                Address("10.0.1.1", 32, "eth1", scope="site"),
                Address("fd00::1", 64),
            ),
        ),
        AddressSpec("address/b", "vrrp/b", "eth1", (Address("10.0.1.2", 32),), owner=True),
    ]


def test_every_interface_with_virtual_addresses_has_who_announces_them() -> None:
    a = Voice("address/a", Announcing(1, 2.0, 3.0, 4, 6, 7.0, 0.8, 0.9))
    assert [child.args[0] for child in children(AnnouncerActor)] == [
        AnnouncerSpec("announcer/eth0", "eth0", (a,)),
        AnnouncerSpec("announcer/eth1", "eth1", (a, Voice("address/b"))),
    ]


def test_every_interface_of_an_address_is_watched() -> None:
    assert [child.id for child in children(LinkActor)] == ["link/eth0", "link/eth1", "link/eth2", "link/eth3"]
