"""Logs, written to a pipe that the test reads, or does not."""

import contextlib
import json
import os
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest
import structlog

from actors.logs import Writer, configure, mask_secrets
from actors.reports import ordinal


class Pipe:
    """A pipe; its ``stream`` is the end for writing."""

    def __init__(self) -> None:
        self._read, write = os.pipe()
        os.set_blocking(self._read, False)
        self.stream = os.fdopen(write, "w")

    def lines(self) -> list[str]:
        return self.raw().decode().splitlines()

    def raw(self) -> bytes:
        return os.read(self._read, 1 << 20)

    def fill(self) -> None:
        os.set_blocking(self.stream.fileno(), False)
        with contextlib.suppress(BlockingIOError):
            while os.write(self.stream.fileno(), b"x" * 4096):
                continue
        os.set_blocking(self.stream.fileno(), True)

    def close_reader(self) -> None:
        os.close(self._read)


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    it = Pipe()
    yield it
    it.stream.close()
    structlog.reset_defaults()


def objects(pipe: Pipe) -> list[dict[str, object]]:
    return [{key: value for key, value in json.loads(line).items() if key != "timestamp"} for line in pipe.lines()]


def test_with_a_closed_standard_error_the_log_goes_nowhere_and_nobody_is_harmed(
    monkeypatch: pytest.MonkeyPatch, pipe: Pipe
) -> None:
    monkeypatch.setattr(sys, "stderr", None)
    configure()
    structlog.get_logger().error("lost")
    configure("info", "auto", Writer(pipe.stream.fileno()))
    structlog.get_logger().error("told")
    assert objects(pipe) == [{"event": "told", "level": "error"}]


def test_off_a_terminal_each_line_is_an_object_with_a_time(pipe: Pipe) -> None:
    configure("info", "auto", Writer(pipe.stream.fileno()))
    structlog.get_logger().bind(actor="check/web").info("verdict", now="OK", of=(1, 2), kind=Pipe)
    whole = json.loads(pipe.lines()[0])
    assert whole.pop("timestamp").endswith("Z")
    assert whole == {
        "actor": "check/web", "event": "verdict", "level": "info", "now": "OK", "of": [1, 2], "kind": repr(Pipe),
    }  # fmt: skip


def test_for_people_a_line_has_no_colour_codes_off_a_terminal(pipe: Pipe) -> None:
    configure("info", "human", Writer(pipe.stream.fileno()))
    structlog.get_logger().info("verdict", now="OK")
    (line,) = pipe.lines()
    assert line[15:].split() == ["[info", "]", "verdict", "now=OK"]
    assert line[:15].replace(":", "").replace(".", "").strip().isdecimal()


def test_below_the_level_nothing_is_written(pipe: Pipe) -> None:
    configure("warning", "json", Writer(pipe.stream.fileno()))
    log = structlog.get_logger()
    log.info("quiet")
    log.warning("loud")
    assert objects(pipe) == [{"event": "loud", "level": "warning"}]


def test_an_exception_comes_with_its_traceback_in_one_line(pipe: Pipe) -> None:
    configure("info", "json", Writer(pipe.stream.fileno()))
    try:
        raise RuntimeError("boom")
    except RuntimeError:
        structlog.get_logger().exception("crashed")
    (line,) = objects(pipe)
    assert (line["event"], str(line["exception"]).splitlines()[-1]) == ("crashed", "RuntimeError: boom")


CRASH = {
    "child": "check/web", "process": "checkers-1", "error": "ValueError: of 7", "crashes": 2, "period": 60.0,
    "next": "restarted in 0.2 s",
}  # fmt: skip
TRACE = 'Traceback (most recent call last):\n  File "a.py", line 7, in f\nValueError: of 7\n'


def told(pipe: Pipe, event: str, colors: bool = False, **facts: object) -> list[str]:
    """The lines that people read, without the time."""
    configure("info", "human", Writer(pipe.stream.fileno()), colors)
    structlog.get_logger().error(event, **facts)
    return [line if line.startswith(" ") else line.partition(" ")[2] for line in pipe.lines()]


def test_a_crash_is_one_block_that_tells_who_what_how_often_and_what_next(pipe: Pipe) -> None:
    assert told(pipe, "child crashed", **CRASH, times=1, handling="Probed(run=3)", trace=TRACE) == [
        "child crashed: check/web in checkers-1",
        "  error     ValueError: of 7",
        "  handling  Probed(run=3)",
        "  crashes   2 in 60 s",
        "  next      restarted in 0.2 s",
        "  | Traceback (most recent call last):",
        '  |   File "a.py", line 7, in f',
        "  | ValueError: of 7",
    ]


def test_the_same_crash_once_more_is_one_line_with_a_counter(pipe: Pipe) -> None:
    assert told(pipe, "child crashed", **CRASH, times=7) == [
        "child crashed: check/web in checkers-1: the same crash, 7th time: ValueError: of 7; restarted in 0.2 s",
    ]


def test_the_death_of_a_process_reads_likewise(pipe: Pipe) -> None:
    facts = {"process": "vrrp", "pid": 7, "how": "killed by SIGKILL", "times": 2, "next": "replaced"}
    assert told(pipe, "process ended", **facts) == [
        "process ended: vrrp",
        "  pid       7",
        "  how       killed by SIGKILL",
        "  ended     2nd time",
        "  next      replaced",
    ]


def test_on_a_terminal_a_crash_is_in_colour(pipe: Pipe) -> None:
    first = told(pipe, "child crashed", True, **CRASH, times=1, handling="start", trace=TRACE)[0]
    assert first == "\x1b[1;31mchild crashed\x1b[0m: \x1b[1mcheck/web\x1b[0m in checkers-1"


def test_for_programs_a_crash_is_one_object_with_the_same_facts(pipe: Pipe) -> None:
    configure("info", "json", Writer(pipe.stream.fileno()))
    structlog.get_logger().error("child crashed", **CRASH, times=1, handling="start", trace=TRACE)
    assert objects(pipe) == [
        {"event": "child crashed", "level": "error", **CRASH, "times": 1, "handling": "start", "trace": TRACE}
    ]


@pytest.mark.parametrize(
    ("number", "text"),
    [(1, "1st"), (2, "2nd"), (3, "3rd"), (4, "4th"), (11, "11th"), (12, "12th"), (21, "21st"), (113, "113th")],
)
def test_numbers_are_told_as_people_do(number: int, text: str) -> None:
    assert ordinal(number) == text


def test_secrets_are_masked_by_name_one_level_down_and_within_urls() -> None:
    event = {
        "auth_pass": "1111", "Password": "x", "api_token": "t", "passed": 3, "bypasses": "b",
        "options": {"password": "x", "port": 1}, "url": "redis://me:hush@host/0 http://h/",
    }  # fmt: skip
    assert mask_secrets(None, "info", event) == {
        "auth_pass": "***", "Password": "***", "api_token": "***", "passed": 3, "bypasses": "b",
        "options": {"password": "***", "port": 1}, "url": "redis://me:***@host/0 http://h/",
    }  # fmt: skip


def test_a_reader_that_does_not_read_loses_lines_and_is_told_how_many(pipe: Pipe) -> None:
    configure("info", "json", Writer(pipe.stream.fileno()))
    log = structlog.get_logger()
    pipe.fill()
    log.info("lost")
    log.info("lost too")
    pipe.raw()
    log.info("through")
    log.info("and on")
    assert objects(pipe) == [
        {"event": "through", "level": "info", "lines_lost_before": 2},
        {"event": "and on", "level": "info"},
    ]


def test_a_long_line_arrives_whole(pipe: Pipe) -> None:
    Writer(pipe.stream.fileno()).msg("x" * 20_000)
    assert pipe.raw() == b"x" * 20_000 + b"\n"


def test_a_reader_that_has_gone_disturbs_nobody(pipe: Pipe) -> None:
    writer = Writer(pipe.stream.fileno())
    pipe.close_reader()
    writer.msg("into the void")
    assert writer.lost == 1


def test_lines_that_are_put_off_have_their_own_time_and_come_in_order_once_there_is_time(
    pipe: Pipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stderr", pipe.stream)
    soon: list[Callable[[], None]] = []
    configure(format="json", later=soon.append)
    log = structlog.get_logger()
    log.info("one", password="p")
    log.warning("two")
    with pytest.raises(BlockingIOError):
        pipe.raw()
    assert len(soon) == 1
    asked_for = datetime.now(UTC)
    soon.pop()()
    lines = [json.loads(line) for line in pipe.lines()]
    assert all(datetime.fromisoformat(line.pop("timestamp")) <= asked_for for line in lines)
    assert lines == [
        {"event": "one", "level": "info", "password": "***"},
        {"event": "two", "level": "warning"},
    ]
    log.info("three")
    assert len(soon) == 1


def test_a_line_about_an_exception_is_not_put_off_and_what_waits_comes_before_it(
    pipe: Pipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stderr", pipe.stream)
    soon: list[Callable[[], None]] = []
    configure(format="json", later=soon.append)
    log = structlog.get_logger()
    log.info("one")
    try:
        raise ValueError("boo")
    except ValueError:
        log.exception("two")
    first, second = objects(pipe)
    assert first == {"event": "one", "level": "info"}
    assert (second["event"], str(second["exception"]).splitlines()[-1]) == ("two", "ValueError: boo")
    soon.pop()()
    with pytest.raises(BlockingIOError):
        pipe.raw()
