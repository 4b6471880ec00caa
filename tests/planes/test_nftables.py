"""Rules as one batch of messages, judged by bytes that this file takes from the kernel's headers, and what is refused.

What a real kernel makes of them, and of packets then, is in tests/system/test_accept.py.
"""

import errno
import socket
import struct
from collections import deque
from typing import Any

import pytest
from gevent.event import Event

from actors.planes import PlaneError
from actors.planes.network import Rules
from actors.planes.nftables import NftablesFirewall

ACK, REQUEST, CREATE, APPEND = 0x4, 0x1, 0x400, 0x800
NEWTABLE, GETTABLE, DELTABLE, NEWCHAIN, NEWRULE, NEWSET, NEWSETELEM = (0xA00 + each for each in (0, 1, 2, 3, 6, 9, 12))
BEGIN, END = 0x10, 0x11
INET = b"\1\0\0\0"
TABLE = b"\x0f\0\1\0understudy\0\0"
"""The first attribute of every message: 15 bytes with the header, of type 1, filled up."""

Sent = list[tuple[int, int, bytes]]


class Netfilter:
    """A netlink socket whose kernel acknowledges, but for the messages whose places in the batch ``refuse`` has.

    The start of a batch has place 0, and is answered only to be refused: then the rest is not looked at.
    """

    def __init__(self, refuse: dict[int, int] | None = None) -> None:
        self.refuse = refuse or {}
        self.batches: list[Sent] = []
        self._queue: deque[bytes] = deque()

    def send(self, data: bytes) -> None:
        batch, answers = [], []
        while data:
            length, kind, flags, sequence, _ = struct.unpack_from("=IHHII", data)
            refused = self.refuse.get(len(batch), 0)
            if flags & ACK or refused:
                answers.append(struct.pack("=IHHIIi", 20, 2, 0, sequence, 0, -refused))
            batch.append((kind, flags, data[16:length]))
            data = data[(length + 3) & ~3 :]
        self.batches.append(batch)
        self._queue.extend(answers[:1] if 0 in self.refuse else answers)

    def recvmsg(self, size: int) -> tuple[bytes, list[Any], int, tuple[int, int]]:
        if not self._queue:
            Event().wait()
        return self._queue.popleft(), [], 0, (0, 0)

    def close(self) -> None:
        self._queue.clear()


def sent(rules: Rules) -> Sent:
    """The batch that rules become, without what begins and ends it."""
    kernel = Netfilter()
    NftablesFirewall("understudy", lambda: kernel).apply(rules)
    (batch,) = kernel.batches
    assert (batch[0], batch[-1]) == ((BEGIN, REQUEST, b"\0\0\0\x0a"), (END, REQUEST, b"\0\0\0\x0a"))
    return batch[1:-1]


def kinds(batch: Sent) -> list[int]:
    return [kind for kind, _, _ in batch]


GONE = [(NEWTABLE, REQUEST | ACK | CREATE, INET + TABLE), (DELTABLE, REQUEST | ACK, INET + TABLE)]


def test_what_was_there_goes_and_what_is_wanted_comes_in_the_same_batch() -> None:
    assert sent(Rules()) == GONE
    batch = sent(Rules(("192.0.2.1",)))
    assert batch[:3] == [*GONE, GONE[0]]
    assert kinds(batch[3:]) == [NEWSET, NEWSETELEM, NEWCHAIN, NEWRULE]
    assert {payload[: len(INET + TABLE)] for _, _, payload in batch} == {INET + TABLE}


def test_an_address_is_an_element_of_its_set() -> None:
    _, _, payload = sent(Rules(("192.0.2.1",)))[4]
    key = b"\x08\0\1\0" + socket.inet_aton("192.0.2.1")  # NFTA_DATA_VALUE
    element = b"\x10\0\1\x80\x0c\0\1\x80" + key  # NFTA_LIST_ELEM of NFTA_SET_ELEM_KEY
    assert payload == INET + TABLE + b"\x0c\0\2\0closed4\0" + b"\x14\0\3\x80" + element


def test_the_chain_is_hooked_behind_ipvs() -> None:
    _, flags, payload = sent(Rules(("192.0.2.1",)))[5]
    hook = b"\x14\0\4\x80" + b"\x08\0\1\0\0\0\0\1" + b"\x08\0\2\0" + struct.pack("!i", 150)  # NF_INET_LOCAL_IN
    name, kind = b"\x0a\0\3\0input\0\0\0", b"\x0b\0\7\0filter\0\0"
    assert (flags, payload) == (REQUEST | ACK | CREATE, INET + TABLE + name + hook + kind)


@pytest.mark.parametrize(
    ("rules", "shape"),
    [
        (Rules(("192.0.2.1", "192.0.2.1", "192.0.2.2")), [NEWSET, NEWSETELEM, NEWCHAIN, NEWRULE]),
        (Rules(("fd00::1", "fd00::2")), [NEWSET, NEWSETELEM, NEWCHAIN, NEWRULE, NEWRULE]),
        (Rules(("fe80::1%eth0",)), [NEWSET, NEWSETELEM, NEWCHAIN, NEWRULE, NEWRULE]),
        (Rules(silent=("vrrp.51",)), [NEWSET, NEWSETELEM, NEWCHAIN, NEWRULE, NEWRULE, NEWRULE]),
        (
            Rules(("192.0.2.1", "fd00::1"), ("vrrp.51",)),
            [NEWSET, NEWSETELEM] * 3 + [NEWCHAIN, *[NEWRULE] * 3, NEWCHAIN, *[NEWRULE] * 3],
        ),
        (
            Rules(tuple(f"10.0.{high}.{low}" for high in range(10) for low in range(250))),
            [NEWSET, NEWSETELEM, NEWSETELEM, NEWSETELEM, NEWCHAIN, NEWRULE],
        ),
    ],
)
def test_there_are_only_the_sets_chains_and_rules_that_are_needed(rules: Rules, shape: list[int]) -> None:
    assert kinds(sent(rules)[3:]) == shape


@pytest.mark.parametrize(
    ("rules", "complaint"),
    [
        (Rules(("192.0.2",)), "'192.0.2' does not appear to be an IPv4 or IPv6 address"),
        (Rules(("192.0.2.1%eth0",)), "'192.0.2.1%eth0' does not appear to be an IPv4 or IPv6 address"),
        (Rules(("fe80::1%an-interface-of-16",)), "'an-interface-of-16' is no name of an interface"),
        (Rules(silent=("",)), "'' is no name of an interface"),
    ],
)
def test_what_is_no_address_or_name_is_refused_before_the_kernel_hears_of_it(rules: Rules, complaint: str) -> None:
    kernel = Netfilter()
    with pytest.raises(PlaneError) as caught:
        NftablesFirewall("understudy", lambda: kernel).apply(rules)
    assert (str(caught.value), kernel.batches) == (f"table understudy of nftables: {complaint}", [])


NEEDLESS = "this kernel has no nf_tables with the family inet"


@pytest.mark.parametrize(
    ("refuse", "complaint"),
    [
        ({0: errno.EOPNOTSUPP}, f"{NEEDLESS}: Operation not supported (ENOTSUP)"),
        ({1: errno.EAFNOSUPPORT}, f"{NEEDLESS}: Address family not supported by protocol (EAFNOSUPPORT)"),
        ({0: errno.EPERM}, "Operation not permitted (EPERM), needs CAP_NET_ADMIN"),
        ({3: errno.ENOMEM, 4: errno.ENOENT, 5: errno.ENOENT}, "Cannot allocate memory (ENOMEM)"),
    ],
)
def test_a_refusal_says_what_is_missing_and_the_next_try_is_not_disturbed(
    refuse: dict[int, int], complaint: str
) -> None:
    kernel = Netfilter(refuse)
    plane = NftablesFirewall("understudy", lambda: kernel)
    with pytest.raises(PlaneError) as caught:
        plane.apply(Rules(("192.0.2.1",)))
    assert str(caught.value) == f"table understudy of nftables: {complaint}"
    kernel.refuse = {}
    plane.apply(Rules(("192.0.2.1",)))
    assert kernel.batches[0] == kernel.batches[1]


def test_without_netfilter_there_is_no_socket_and_that_is_tried_anew_each_time() -> None:
    def none() -> Any:
        raise OSError(errno.EPROTONOSUPPORT, "no")

    plane = NftablesFirewall("understudy", none)
    for call in (lambda: plane.apply(Rules()), plane.stands):
        with pytest.raises(PlaneError, match=rf"{NEEDLESS}: Protocol not supported \(EPROTONOSUPPORT\)$"):
            call()


def test_a_table_that_is_not_there_does_not_stand_and_another_refusal_is_an_error() -> None:
    kernel = Netfilter({0: errno.ENOENT})
    plane = NftablesFirewall("understudy", lambda: kernel)
    assert not plane.stands()
    assert kernel.batches == [[(GETTABLE, REQUEST | ACK, INET + TABLE)]]
    kernel.refuse = {0: errno.EPERM}
    with pytest.raises(PlaneError, match="CAP_NET_ADMIN"):
        plane.stands()
