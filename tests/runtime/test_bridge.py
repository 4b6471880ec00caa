"""The bridge between two processes: order, backlog, coalescing, and ends of every kind."""

from collections.abc import Callable
from typing import Any

import gevent
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.core.status import AnyStatus, CheckStatus, LinkStatus, Verdict
from actors.messages import Crash, Published
from actors.runtime.bridge import LIMIT, LONGEST, Bridge, adopted, pair
from actors.runtime.frames import Answer, Frame, Letter, Said, decode, encode, stale_by


class Ends:
    """A bridge and what its two ends have heard."""

    def __init__(self) -> None:
        self.heard: tuple[list[Frame], list[Frame]] = ([], [])
        self.gone: list[int] = []
        self.raw = pair()
        self.ends = [Bridge(end, self.heard[i].append, self._goner(i)) for i, end in enumerate(self.raw)]

    def _goner(self, number: int) -> Callable[[], None]:
        return lambda: self.gone.append(number)

    def close(self) -> None:
        for end in self.ends:
            end.close()


@pytest.fixture
def bridge() -> Any:
    ends = Ends()
    with gevent.Timeout(20.0):
        yield ends
    ends.close()


def until(what: Callable[[], object]) -> None:
    while not what():
        gevent.sleep(0.001)


def verdict(name: str, verdict: Verdict) -> Letter:
    return Letter("supervisor", Published(CheckStatus(name, verdict)))


def test_frames_arrive_in_order_in_both_directions(bridge: Ends) -> None:
    for number in range(100):
        bridge.ends[0].send(Answer(number, {"n": number}))
        bridge.ends[1].send(Said(f"line {number}"))
    until(lambda: len(bridge.heard[0]) == len(bridge.heard[1]) == 100)
    assert bridge.heard[1] == [Answer(number, {"n": number}) for number in range(100)]
    assert bridge.heard[0] == [Said(f"line {number}") for number in range(100)]


def test_what_is_said_in_one_turn_of_the_loop_goes_out_together_after_it(bridge: Ends) -> None:
    peer = bridge.raw[1]
    bridge.ends[0].send(Said("one"))
    bridge.ends[0].send(Said("two"))
    with pytest.raises(BlockingIOError):
        peer.recv(1)
    assert bridge.ends[0].waiting > 0
    until(lambda: len(bridge.heard[1]) == 2)
    assert (bridge.heard[1], bridge.ends[0].waiting) == ([Said("one"), Said("two")], 0)


def test_a_frame_larger_than_any_buffer_arrives_whole(bridge: Ends) -> None:
    bridge.ends[0].send(Said("x" * 3_000_000))
    bridge.ends[0].send(Said("end"))
    until(lambda: len(bridge.heard[1]) == 2)
    assert bridge.heard[1] == [Said("x" * 3_000_000), Said("end")]


def test_of_the_statuses_that_wait_only_the_last_of_each_source_is_kept_and_nothing_else_is_lost(bridge: Ends) -> None:
    bridge.ends[0].send(Said("x" * 3_000_000))  # fills what the kernel holds: the rest waits here
    for turn in range(1000):
        verdict_now = Verdict.OK if turn % 2 else Verdict.FAILED
        bridge.ends[0].send(verdict("check/a", verdict_now))
        bridge.ends[0].send(Letter("check/a", Crash(str(turn))))
    waiting = bridge.ends[0].waiting
    until(lambda: bridge.heard[1] and bridge.heard[1][-1] == Letter("check/a", Crash("999")))
    statuses = [frame for frame in bridge.heard[1] if stale_by(frame)]
    crashes = [frame for frame in bridge.heard[1] if isinstance(frame, Letter) and isinstance(frame.message, Crash)]
    assert statuses[-1] == verdict("check/a", Verdict.OK)
    assert len(statuses) < 100
    assert len(crashes) == 1000
    assert bridge.ends[0].coalesced == 1000 - len(statuses)
    assert waiting < LIMIT


def test_statuses_to_different_receivers_do_not_replace_each_other() -> None:
    link = LinkStatus("link/eth0", True)
    assert stale_by(Letter("vrrp/a", link)) != stale_by(Letter("vrrp/b", link))
    assert stale_by(Letter("vrrp/a", link)) == stale_by(Letter("vrrp/a", LinkStatus("link/eth0", False)))
    assert stale_by(Said("line")) == stale_by(Letter("a", Crash())) == ""


def test_the_other_end_hears_of_a_close_once_and_the_closer_does_not(bridge: Ends) -> None:
    bridge.ends[0].close()
    until(lambda: bridge.gone)
    bridge.ends[1].send(Said("to nobody"))
    gevent.sleep(0)
    assert bridge.gone == [1]
    assert not bridge.ends[1].is_open


@pytest.mark.parametrize(
    "rubbish",
    [(LONGEST + 1).to_bytes(4, "little"), b"\x05\x00\x00\x00xxxxx", b"\x02\x00\x00\x00\x90\x90", b"\xff" * 64],
    ids=["too long", "not a frame", "not whole", "noise"],
)
def test_an_end_that_talks_rubbish_counts_as_gone(rubbish: bytes) -> None:
    ours, theirs = pair()
    gone: list[bool] = []
    bridge = Bridge(ours, lambda frame: None, lambda: gone.append(True))
    theirs.sendall(rubbish)
    with gevent.Timeout(5.0):
        until(lambda: gone)
    assert not bridge.is_open
    theirs.close()


def test_a_reader_that_lets_too_much_come_together_counts_as_gone() -> None:
    ours, theirs = pair()
    gone: list[bool] = []
    bridge = Bridge(ours, lambda frame: None, lambda: gone.append(True))
    line = Said("x" * 1_000_000)
    for _ in range(LIMIT // 1_000_000 + 3):
        bridge.send(line)
    assert gone == [True]
    theirs.close()


def test_a_descriptor_from_another_process_is_adopted_without_blocking() -> None:
    ours, theirs = pair()
    end = adopted(theirs.detach())
    with pytest.raises(BlockingIOError):
        end.recv(1)
    ours.close()
    end.close()


STATUSES = st.builds(CheckStatus, st.text(), st.sampled_from(Verdict), st.text(), st.booleans())


@given(st.text(), STATUSES)
def test_any_letter_arrives_equal(to: str, status: AnyStatus) -> None:
    for letter in (Letter(to, status), Letter(to, Published(status))):
        assert decode(encode(letter)) == letter
