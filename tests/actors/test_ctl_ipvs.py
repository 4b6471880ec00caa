"""The table as ``understudyctl ipvs`` prints it: ipvsadm's columns, and a word on each server."""

import json
from pathlib import Path
from typing import Any

import pytest

from actors.core.table import Destination, Load, Loads, Pool, Service, ServiceKey, Tunnel
from actors.ctl_ipvs import large, lines
from actors.ipvs_view import server_row, service_row
from tests.actors.test_ctl import Daemon, run

WEB = Service(ServiceKey(4, "10.0.0.1", 443, "tcp"), "wlc", (), 360, 24)
CALLS = Service(ServiceKey(4, "10.0.0.1", 5060, "udp"), "sh", ("ops", "sh-fallback", "sh-port"), 60, None, "sip")
NAMES = Service(ServiceKey(6, "fd00::1", 53, "udp"), "rr", (), 30, 64)
MARK, MARK6 = Service(ServiceKey(4, fwmark=7), "nq"), Service(ServiceKey(6, fwmark=7), "mh", ("mh-port",))
BUSY = Load(3, 2, 1, 17, 123_456_789, 5, 1_234_567_890_123, 7, 4, 5, 6, 7, 8)
ONE, TWO = Destination("10.0.1.1", 80, 5, "NAT", 20, 10), Destination("10.0.1.2", 80, 0)
THREE = Destination("fd00::9", 53, 1, "TUN", tunnel=Tunnel("gre"))


def table() -> list[dict[str, Any]]:
    servers = [
        server_row(ONE, BUSY, "OK"),
        server_row(TWO, Load(1, 0, 1), "inhibited: check/web: FAILED, refused"),
        server_row(Destination("10.0.1.3", 80, 1, "DR"), None, "out: no verdict yet", present=False),
    ]
    return [
        service_row(Pool(MARK6), Loads(), "", []),
        service_row(Pool(NAMES, (THREE,)), Loads(), "", [server_row(THREE, None, "not ours")]),
        service_row(Pool(MARK), Loads(), "vs/fwmark:7", []),
        service_row(Pool(CALLS), Loads(), "vs/10.0.0.1:5060:udp", []),
        service_row(Pool(WEB, (ONE, TWO)), Loads(BUSY), "vs/10.0.0.1:443:tcp", servers),
    ]


PLAIN = """\
Prot LocalAddress:Port Scheduler Flags
  -> RemoteAddress:Port           Forward Weight ActiveConn InActConn  Health
TCP  10.0.0.1:443 wlc persistent 360 mask 255.255.255.0
  -> 10.0.1.1:80                  Masq    5      3          2          OK
  -> 10.0.1.2:80                  Masq    0      1          0          inhibited: check/web: FAILED, refused
  -> 10.0.1.3:80                  Route   -      -          -          out: no verdict yet
UDP  10.0.0.1:5060 sh (sh-fallback,sh-port) persistent 60 pe sip ops
UDP  [fd00::1]:53 rr persistent 30 mask 64
  -> [fd00::9]:53                 Tunnel  1      0          0          not ours
FWM  7 nq
FWM  7 IPv6 mh (mh-port)
"""
STATS = """\
Prot LocalAddress:Port               Conns   InPkts  OutPkts  InBytes OutBytes Health
  -> RemoteAddress:Port
TCP  10.0.0.1:443                       17  123456K        5 1234567M        7
  -> 10.0.1.1:80                        17  123456K        5 1234567M        7 OK
"""
RATE = """\
Prot LocalAddress:Port                 CPS    InPPS   OutPPS    InBPS   OutBPS Health
  -> RemoteAddress:Port
TCP  10.0.0.1:443                        4        5        6        7        8
  -> 10.0.1.1:80                         4        5        6        7        8 OK
"""
THRESHOLDS = """\
Prot LocalAddress:Port            Uthreshold Lthreshold ActiveConn InActConn  Health
  -> RemoteAddress:Port
TCP  10.0.0.1:443 wlc persistent 360 mask 255.255.255.0
  -> 10.0.1.1:80                  20         10         3          2          OK
"""
PERSISTENT = """\
Prot LocalAddress:Port            Weight    PersistConn ActiveConn InActConn  Health
  -> RemoteAddress:Port
TCP  10.0.0.1:443 wlc persistent 360 mask 255.255.255.0
  -> 10.0.1.1:80                  5         1           3          2          OK
"""


def test_services_stand_in_order_with_their_servers() -> None:
    assert "".join(f"{line}\n" for line in lines(table())) == PLAIN


@pytest.mark.parametrize(
    ("form", "expected"),
    [("stats", STATS), ("rate", RATE), ("thresholds", THRESHOLDS), ("persistent-conn", PERSISTENT)],
)
def test_a_form_shows_other_columns(form: str, expected: str) -> None:
    assert "".join(f"{line}\n" for line in [*lines(table(), form)][:4]) == expected


@pytest.mark.parametrize("amount", [0, 99_999_999, 100_000_000, 10**11, 10**15, 2**64 - 1])
def test_a_number_keeps_within_its_column(amount: int) -> None:
    written = large(amount)
    assert len(written) <= 9
    scale = {"K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}.get(written[-1], 1)
    assert int(written.rstrip("KMGT")) * scale == pytest.approx(amount, rel=1e-5)


def test_the_command_asks_once_and_prints(tmp_path: Path) -> None:
    daemon = Daemon(tmp_path / "control.sock")
    daemon.replies["ipvs"] = {"version": 1, "ipvs": table()}
    assert run(daemon.path, "ipvs") == (0, PLAIN, "")
    code, printed, _ = run(daemon.path, "ipvs", "--thresholds")
    assert (code, printed.startswith(THRESHOLDS)) == (0, True)
    code, printed, _ = run(daemon.path, "ipvs", "--json")
    assert json.loads(printed) == daemon.replies["ipvs"]
    assert daemon.asked == [{"ask": "ipvs"}] * 3
    daemon.close()
