"""Statuses and messages: frozen, comparable, and able to cross from one process to another."""

from typing import Any, Union

import msgspec
import pytest

from actors import messages
from actors.checker_actor import Overdue, ProbeNow
from actors.core.address import Address
from actors.core.status import (
    AddressStatus,
    AnyStatus,
    CheckStatus,
    ChildStatus,
    DeviceStatus,
    GroupStatus,
    IpvsStatus,
    LinkStatus,
    Phase,
    PresenceStatus,
    ServerStatus,
    ServiceStatus,
    Status,
    TableStatus,
    Verdict,
    VrrpStatus,
)
from actors.core.table import ServiceKey
from actors.ipvs_actor import Decide, Reconcile
from actors.ipvs_settings_actor import LookAtSettings
from actors.presence_actor import PresenceNews
from actors.services_actor import ClearAway
from actors.supervisor_actor import Calm, StopOverdue
from actors.sync_daemon_actor import LookAtDaemons

STATUSES: list[Any] = [
    CheckStatus("check/web", Verdict.OK),
    CheckStatus("check/web", Verdict.UNKNOWN, "waiting", assumed=True),
    CheckStatus("check/web", Verdict.OK, "slow", share=50),
    CheckStatus("check/web", Verdict.OK, "by itself", weight=253),
    ServerStatus("vs/[::1]:80:tcp/rs/[::2]:80", Verdict.FAILED, 3, "check/web: FAILED, refused"),
    ServiceStatus("vs/fwmark:7", quorum=False, servers_up=0, sorry=True, error="no such device"),
    TableStatus("services", (ServiceKey(4, "10.0.0.1", 80, "tcp"), ServiceKey(6, fwmark=7)), "not permitted"),
    ChildStatus("child/check/web", Phase.PARKED, 6, "ValueError: ü"),
    VrrpStatus("vrrp/VI_1", "MASTER", 150, "no advert for 3.61 s"),
    VrrpStatus("vrrp/VI_1", "BACKUP", 150, "started", ready=True, fault="interface eth0 is down"),
    GroupStatus("group/G1", "MASTER", "all members would lead"),
    LinkStatus("link/eth0", True, "02:00:00:00:00:01", ("10.0.0.1", "fe80::1")),
    PresenceStatus("presence/10.0.0.100", True),
    DeviceStatus("device/VI_1", 7, "no such device"),
    IpvsStatus("ipvs/settings", "tcp 10 s", (900, 120, 300), "not permitted"),
    AddressStatus("address/VI_1", False, "adding 10.0.0.100/24 to eth0: no"),
    AddressStatus(
        "address/VI_1", True, "", (Address("10.0.0.100", 24, "eth0", scope="link"),), (Address("fd00::1", 64),)
    ),
]
MESSAGES: list[Any] = [
    messages.Stop(final=False),
    messages.Crash("because"),
    messages.Died("check/web", 7, "ValueError: x", "Traceback", "Settle()"),
    messages.Stopped("check/web", 7),
    *(messages.Published(status) for status in STATUSES),
    messages.Subscribe("vs/x", "vs/x/rs/*"),
    messages.Replayed("vs/x/rs/*"),
    messages.Contested("address/VI_1", 3.609375),
    messages.Settle(),
    messages.Program(("/bin/true", "up"), "nobody", "nogroup").run("vs/x", "quorum_up"),
    *messages.RolePrograms(every=messages.Program(("/bin/true",))).runs("vrrp/VI_1", "INSTANCE", "MASTER", 100),
    messages.Ran("vs/x", "quorum_up", -15),
    messages.Probed(1 << 40, False, "refused", 0.25, crash="Traceback"),
    messages.Probed(7, True, "slow", 0.25, share=50, metrics=(("lag_seconds", 1.5),)),
    messages.Probed(7, True, weight=253),
    messages.Begun(7),
    messages.Lost("vrrp"),
    messages.Park("check/web"),
    messages.Revive("check/web", 7),
    messages.Park("check/web"),
    messages.Shutdown(70),
    ProbeNow(),
    Overdue(),
    Reconcile(),
    Decide(),
    ClearAway(),
    PresenceNews(True),
    LookAtDaemons(),
    LookAtSettings(),
    StopOverdue("check/web", 7),
    Calm("check/web", 7),
]
ANYTHING = Union[tuple({type(value) for value in (*STATUSES, *MESSAGES)})]  # noqa: UP007 - made of values


@pytest.mark.parametrize("codec", [msgspec.msgpack, msgspec.json], ids=["msgpack", "json"])
@pytest.mark.parametrize("value", [*STATUSES, *MESSAGES], ids=lambda value: type(value).__name__)
def test_a_value_that_crosses_a_process_arrives_equal_and_of_its_kind(codec: Any, value: Any) -> None:
    arrived = codec.decode(codec.encode(value), type=ANYTHING)
    assert type(arrived) is type(value)
    assert arrived == value


def test_every_message_of_the_runtime_and_every_status_is_tried_above() -> None:
    tried = {type(value) for value in (*STATUSES, *MESSAGES)}
    declared = {kind for kind in vars(messages).values() if getattr(kind, "__module__", "") == messages.__name__}
    assert declared - {messages.Message, messages.Program, messages.RolePrograms} <= tried
    assert set(Status.__subclasses__()) == set(AnyStatus.__args__) <= tried


@pytest.mark.parametrize("value", [*STATUSES, *MESSAGES], ids=lambda value: type(value).__name__)
def test_a_value_is_frozen_and_can_be_a_key(value: Any) -> None:
    assert {value: 1}[value] == 1
    for field in value.__struct_fields__:
        with pytest.raises(AttributeError):
            setattr(value, field, None)


def test_a_check_says_its_verdict_in_one_line() -> None:
    said = [CheckStatus("c", Verdict.OK), CheckStatus("c", Verdict.OK, "slow", share=50)]
    assert [*map(str, said)] == ["OK", "OK at 50 percent, slow"]


@pytest.mark.parametrize("junk", [b"", b"\xc1", b"\x90", b"\x81\xa4type\xa4Junk"])
def test_junk_is_told_by_one_kind_of_error(junk: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        msgspec.msgpack.decode(junk, type=ANYTHING)
