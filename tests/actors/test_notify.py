"""The notify actor, with programs that end when the test says so."""

from collections.abc import Callable

import pytest

from actors.messages import Ran, Run
from actors.notify_actor import FAREWELL, QUEUED, NotifyActor
from tests.actors.fakes import FakeContext


class FakePrograms:
    """Programs that run until `end`; with ``hasty`` a drain ends them all, in order, and each that follows."""

    def __init__(self, hasty: bool = True) -> None:
        self.running: list[tuple[Run, Callable[[Ran], None]]] = []
        self.begun: list[str] = []
        self.drained: list[float] = []
        self._hasty = hasty

    def start(self, run: Run, reply: Callable[[Ran], None]) -> None:
        self.begun.append(f"{run.source} {run.event}")
        self.running.append((run, reply))

    def end(self, source: str, status: int = 0, error: str = "") -> None:
        run, reply = next(each for each in self.running if each[0].source == source)
        self.running.remove((run, reply))
        reply(Ran(run.source, run.event, status, error))

    def drain(self, limit: float) -> bool:
        self.drained.append(limit)
        while self._hasty and self.running:
            self.end(self.running[0][0].source)
        return not self.running


class Stage:
    """One notify actor with its fakes."""

    def __init__(self, hasty: bool = True) -> None:
        self.context = FakeContext("notify")
        self.programs = FakePrograms(hasty)
        self.actor = NotifyActor(self.context, self.programs)  # type: ignore[arg-type]
        self.actor.on_start()

    def want(self, source: str, *events: str) -> None:
        for event in events:
            self.actor.receive(Run(source, event, ("/bin/tell", event)))

    def read_mail(self) -> None:
        while self.context.told:
            id, message = self.context.told.pop(0)
            assert id == "notify"
            self.actor.receive(message)

    def end(self, source: str, status: int = 0, error: str = "") -> None:
        self.programs.end(source, status, error)
        self.read_mail()

    def warnings(self) -> list[dict[str, object]]:
        return [fields for level, _, fields in self.context.log.lines if level == "warning"]


@pytest.fixture
def stage() -> Stage:
    return Stage()


def test_programs_of_one_source_run_one_after_the_other_in_the_order_of_events(stage: Stage) -> None:
    stage.want("a", "up", "down", "up")
    assert stage.programs.begun == ["a up"]
    stage.end("a")
    assert stage.programs.begun == ["a up", "a down"]
    stage.end("a")
    stage.end("a")
    assert stage.programs.begun == ["a up", "a down", "a up"]
    assert stage.actor.explain() == ["started 3, failed 0, superseded 0"]


def test_sources_run_side_by_side(stage: Stage) -> None:
    stage.want("a", "up", "down")
    stage.want("b", "up")
    assert stage.programs.begun == ["a up", "b up"]
    stage.end("b")
    assert stage.programs.begun == ["a up", "b up"]
    assert stage.actor.explain() == ["started 2, failed 0, superseded 0", "  a: up runs /bin/tell up, 1 wait"]


def test_a_start_is_told_at_debug_only(stage: Stage) -> None:
    stage.want("a", "up")
    assert stage.context.log.lines == [
        ("debug", "program", {"source": "a", "happened": "up", "argv": ("/bin/tell", "up")})
    ]


@pytest.mark.parametrize(
    ("status", "error", "reason"),
    [
        (3, "", "exit status 3"),
        (-9, "", "ended by signal 9"),
        (-15, "timed out after 60 s", "timed out after 60 s"),
        (127, "cannot start '/bin/tell': No such file", "cannot start '/bin/tell': No such file"),
    ],
)
def test_a_failure_is_a_warning_that_says_what_and_why_and_the_next_still_runs(
    stage: Stage, status: int, error: str, reason: str
) -> None:
    stage.want("a", "up", "down")
    stage.end("a", status, error)
    assert stage.warnings() == [{"source": "a", "happened": "up", "argv": ("/bin/tell", "up"), "reason": reason}]
    assert stage.programs.begun == ["a up", "a down"]
    assert stage.actor.explain()[0] == "started 2, failed 1, superseded 0"


def test_the_same_failure_is_told_once_a_minute_with_the_number_held_back(stage: Stage) -> None:
    for second in (0, 1, 2, 59, 60):
        stage.context.time = float(second)
        stage.want("a", "up")
        stage.end("a", 1)
    assert [fields.get("more_like_it") for fields in stage.warnings()] == [None, 3]
    assert stage.actor.failed == 5


def test_beyond_a_hundred_the_oldest_that_is_repeated_later_gives_way(stage: Stage) -> None:
    stage.want("a", "running", "once")
    stage.want("a", *(["up", "down"] * QUEUED))
    while stage.programs.running:
        stage.end("a")
    assert stage.programs.begun == ["a running", "a once", "a down", *(["a up", "a down"] * 49)]
    assert (stage.actor.started, stage.actor.superseded) == (QUEUED + 1, QUEUED + 1)


def test_when_all_that_wait_differ_the_oldest_gives_way(stage: Stage) -> None:
    stage.want("a", *(str(number) for number in range(QUEUED + 3)))
    while stage.programs.running:
        stage.end("a")
    kept = [0, *range(3, QUEUED + 3)]
    assert stage.programs.begun == [f"a {number}" for number in kept]


def test_a_stop_runs_what_is_queued_also_behind_an_end_that_lies_unread_in_the_mailbox() -> None:
    stage = Stage()
    stage.want("a", "up", "down", "up")
    stage.want("b", "up", "down")
    stage.programs.end("b")
    stage.actor.on_stop(True)
    assert sorted(stage.programs.begun) == ["a down", "a up", "a up", "b down", "b up"]
    assert (stage.programs.drained, stage.warnings()) == ([FAREWELL], [])


def test_a_stop_that_comes_to_its_limit_says_how_many_programs_are_given_up() -> None:
    stage = Stage(hasty=False)
    stage.want("a", "up", "down")
    stage.want("b", "up")
    stage.actor.on_stop(True)
    assert stage.warnings() == [{"lost": 3, "seconds": FAREWELL}]


def test_the_end_of_a_program_that_a_crashed_predecessor_started_is_not_taken_for_its_own(stage: Stage) -> None:
    stage.want("a", "up", "down")
    stage.actor.receive(Ran("a", "up", 0))
    stage.actor.receive(Ran("elsewhere", "up", 0))
    assert stage.programs.begun == ["a up"]
