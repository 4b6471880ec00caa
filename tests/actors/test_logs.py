"""Logs, written to a pipe that the test reads, or does not."""

import contextlib
import json
import os
import sys
from collections.abc import Iterator

import pytest
import structlog

from actors.logs import Writer, configure, mask_secrets


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
