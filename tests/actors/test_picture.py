"""The tree as ``--tree`` prints it."""

from actors.picture import picture
from actors.tree import Tree, grow
from loader.model import (
    Checker,
    Config,
    RealServer,
    SorryServer,
    Tracked,
    VirtualAddress,
    VirtualServer,
    VrrpInstance,
    VrrpSyncGroup,
)

SERVERS = (RealServer("10.0.1.1", 80, checkers=("web", "port")), RealServer("10.0.1.2", 80, weight=3))
SERVICE = VirtualServer("10.0.0.1", 80, quorum=2, sorry_server=SorryServer("10.0.9.9", 80), real_servers=SERVERS)
CHECKERS = (
    Checker("web", keyword="HTTP_GET", delay_loop=2.5, connect_ip="10.0.7.7", connect_port=80),
    Checker("port", keyword="TCP_CHECK", threaded=True),
)


def test_every_child_says_what_it_does_and_the_usual_fate_stands_on_top() -> None:
    assert picture(grow(Config(checkers=CHECKERS, virtual_servers=(SERVICE,)))).splitlines() == [
        "supervisor                            restarts a child 5 times in 60 s, then it is parked",
        "├─ notify                             runs programs, in order within each source"
        "; 5 times in 60 s, then the program ends",
        "├─ check/web                          RT_HTTP_GET every 2.5 s, on the event loop",
        "├─ check/port@10.0.1.1:80             TH_TCP_CHECK every 60 s, in a thread of its own",
        "├─ services                           takes away the services that nobody declares any more",
        "├─ vs/10.0.0.1:80:tcp/rs/10.0.1.1:80  weight 1 while OK: web and port",
        "├─ vs/10.0.0.1:80:tcp/rs/10.0.1.2:80  weight 3 always",
        "└─ vs/10.0.0.1:80:tcp                 wlc, quorum 2 of 4, sorry server 10.0.9.9:80",
    ]


def test_every_part_of_a_router_says_what_it_does() -> None:
    router = VrrpInstance(
        name="VI_1",
        interface="eth0",
        vrid=51,
        checkers=(Tracked("web"),),
        track_interfaces=(Tracked("eth1", weight=20),),
        virtual_addresses=(VirtualAddress("10.0.0.100", 24),),
    )
    config = Config(
        checkers=CHECKERS, vrrp_instances=(router,), vrrp_sync_groups=(VrrpSyncGroup("G", members=("VI_1",)),)
    )
    assert picture(grow(config)).splitlines()[2:] == [
        "├─ check/web       RT_HTTP_GET every 2.5 s, on the event loop; 5 times in 60 s, then it is parked",
        "├─ link/eth0       tells of the interface eth0",
        "├─ link/eth1       tells of the interface eth1",
        "├─ announcer/eth0  tells the neighbours behind eth0 which addresses are here",
        "├─ address/VI_1    held while vrrp/VI_1 is MASTER: 10.0.0.100",
        "├─ group/G         one role for vrrp/VI_1",
        "└─ vrrp/VI_1       VRRPv2 router 51 on eth0, priority 100, while OK: check/web and link/eth1",
    ]


def test_without_services_there_is_only_who_runs_programs() -> None:
    assert picture(grow(Config())).splitlines() == [
        "supervisor  restarts a child 5 times in 60 s, then the program ends",
        "└─ notify   runs programs, in order within each source",
    ]


def test_an_empty_tree_is_the_supervisor_alone() -> None:
    assert picture(Tree((), {})) == "supervisor"
