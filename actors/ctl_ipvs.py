"""How ``understudyctl ipvs`` shows the table: in the columns of ``ipvsadm -Ln``, and behind them how servers fare."""

import socket
import struct
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from actors.ctl_view import place

Row = Mapping[str, Any]

FORWARDS = {"NAT": "Masq", "DR": "Route", "TUN": "Tunnel", "LOCAL": "Local", "BYPASS": "Bypass"}
PROTOCOLS = ("", "tcp", "udp", "sctp")
HEAD = "Prot LocalAddress:Port"
UNITS = ("", "K", "M", "G", "T", "P")
TOTALS = ("connections", "packets_in", "packets_out", "bytes_in", "bytes_out")
RATES = ("connection_rate", "packet_rate_in", "packet_rate_out", "byte_rate_in", "byte_rate_out")


def lines(services: list[Row], form: str = "") -> Iterator[str]:
    """The table in the ``form`` of ipvsadm's options: "", ``stats``, ``rate``, ``thresholds``, ``persistent-conn``."""
    head, title, server = FORMS[form]
    yield from head
    for service in sorted(services, key=_order):
        yield title(service)
        for row in service["servers"]:
            yield f"  -> {place(row['address'], row['port']):<28} {server(row)} {row['health']}"


def _order(service: Row) -> tuple[object, ...]:
    """As ipvsadm has it: marks last, TCP before UDP before SCTP."""
    known = service["protocol"] in PROTOCOLS
    protocol = PROTOCOLS.index(service["protocol"]) if known else len(PROTOCOLS)
    return (service["fwmark"], service["family"], protocol, _number(service), service["port"])


def _number(service: Row) -> bytes:
    family = socket.AF_INET6 if service["family"] == 6 else socket.AF_INET
    return socket.inet_pton(family, service["address"]) if service["address"] else b""


def name(service: Row) -> str:
    """``TCP  10.0.0.1:80``, ``FWM  7``, ``FWM  7 IPv6``."""
    if service["fwmark"]:
        return f"FWM  {service['fwmark']}{' IPv6' if service['family'] == 6 else ''}"
    return f"{service['protocol'].upper():<4} {place(service['address'], service['port'])}"


def _title(service: Row) -> str:
    persistent = f"persistent {service['persistence_timeout']}" if service["persistence_timeout"] else ""
    return " ".join(
        filter(
            None,
            (
                name(service),
                service["scheduler"],
                _scheduler_flags(service),
                persistent,
                _mask(service) if persistent else "",
                f"pe {service['persistence_engine']}" if service["persistence_engine"] else "",
                "ops" if "ops" in service["flags"] else "",
            ),
        )
    )


def _scheduler_flags(service: Row) -> str:
    own = ",".join(flag for flag in service["flags"] if flag != "ops")
    return f"({own})" if own else ""


def _mask(service: Row) -> str:
    prefix, longest = service["persistence_prefix"], 128 if service["family"] == 6 else 32
    if prefix == longest:
        return ""
    if longest == 128:
        return f"mask {prefix}"
    mask = (1 << 32) - (1 << (32 - prefix)) if prefix >= 0 else 0
    return f"mask {socket.inet_ntoa(struct.pack('!I', mask))}"


def _plain(row: Row) -> str:
    load = row["load"]
    if not row["present"]:
        return f"{_forward(row):<7} {'-':<6} {'-':<10} {'-':<10}"
    return f"{_forward(row):<7} {row['weight']:<6} {load['active']:<10} {load['inactive']:<10}"


def _forward(row: Row) -> str:
    method: str = row["method"]
    return FORWARDS.get(method, method)


def _thresholds(row: Row) -> str:
    load = row["load"]
    return f"{row['upper']:<10} {row['lower']:<10} {load['active']:<10} {load['inactive']:<10}"


def _persistent(row: Row) -> str:
    load = row["load"]
    weight = row["weight"] if row["present"] else "-"
    return f"{weight:<9} {load['persistent']:<11} {load['active']:<10} {load['inactive']:<10}"


def _counted(names: tuple[str, ...]) -> Callable[[Row], str]:
    return lambda row: " ".join(f"{large(row['load'][each]):>8}" for each in names)


def large(amount: int) -> str:
    """A number of at most eight digits, in thousands, millions and so on where it has more."""
    *smaller, largest = UNITS
    for unit in smaller:
        if amount < 100_000_000:
            return f"{amount}{unit}"
        amount //= 1000
    return f"{amount}{largest}"


def _headed(columns: str) -> tuple[str, str]:
    return f"{HEAD:<33} {columns} Health", "  -> RemoteAddress:Port"


def _with(names: tuple[str, ...]) -> Callable[[Row], str]:
    told = _counted(names)
    return lambda service: f"{name(service):<33} {told(service)}"


Form = tuple[tuple[str, str], Callable[[Row], str], Callable[[Row], str]]

FORMS: dict[str, Form] = {
    "": (
        (
            f"{HEAD} Scheduler Flags",
            "  -> RemoteAddress:Port           Forward Weight ActiveConn InActConn  Health",
        ),
        _title,
        _plain,
    ),
    "stats": (
        _headed("   Conns   InPkts  OutPkts  InBytes OutBytes"),
        _with(TOTALS),
        _counted(TOTALS),
    ),
    "rate": (_headed("     CPS    InPPS   OutPPS    InBPS   OutBPS"), _with(RATES), _counted(RATES)),
    "thresholds": (_headed("Uthreshold Lthreshold ActiveConn InActConn "), _title, _thresholds),
    "persistent-conn": (_headed("Weight    PersistConn ActiveConn InActConn "), _title, _persistent),
}
"""Of each form the lines at the top, how a service is written, and how a server is, behind its address."""
