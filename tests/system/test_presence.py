"""ha_suspend in the running program: checks rest on the machine that does not have the address, and go on with it."""

from pathlib import Path

from tests.system.lab import until
from tests.system.netns import VIP, Ours, asked, ip, lan, started

CONF = f"""
global_defs {{
    dataplane userspace
}}
RT_TCP_CHECK port {{
    delay_loop 0.2
    connect_timeout 1
}}
virtual_server {VIP} 8000 {{
    protocol TCP
    ha_suspend
    real_server 127.0.0.1 9 {{
        checkers port
    }}
}}
vrrp_instance V {{
    interface eth0
    virtual_router_id 7
    version 3
    advert_int 0.1
    virtual_ipaddress {{
        {VIP}/24
    }}
}}
"""
CHECK = "check/port@127.0.0.1:9"
RESTS = "it rests: the addresses of its services are not on this machine"


def test_checks_rest_where_the_address_is_not(tmp_path: Path) -> None:
    with lan() as wire:
        ours = Ours(wire.host(), tmp_path, CONF)

        def figures() -> tuple[bool, int]:
            (row,) = asked(ours, ask="status")["checkers"]
            return RESTS in str(asked(ours, ask="why", id=CHECK)), row["runs"]

        ours.host.plug("down")
        with started(ours):
            until(lambda: figures() == (True, 0))
            ours.host.plug("up")
            until(lambda: figures()[0] is False and figures()[1] > 2)
            ours.host.plug("down")
            until(lambda: figures()[0])
            rested = figures()[1]
            ip("-n", ours.host.name, "addr", "add", f"{VIP}/32", "dev", "lo")
            until(lambda: figures()[1] > rested + 2)
