"""The processes of the program as main sees them: started from the nursery, joined by bridges, replaced when they end.

A process that ends is no crash of its actors: they start again in its replacement, with their last statuses, and a
router that was MASTER resumes before its peers have missed it.
"""

import os
import signal
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

import gevent
import msgspec
import structlog
from gevent.event import AsyncResult

from actors import logs
from actors.core.restart import Escalate, Ledger, Policy, crashed
from actors.core.status import AnyStatus
from actors.messages import Died, Lost, Published, Shutdown, Stop, Stopped
from actors.nursery import Nursery
from actors.process import VRRP, Orders
from actors.runtime.bridge import Bridge, pair
from actors.runtime.frames import Abandon, Adjust, Answer, Ask, Begin, Frame, Here, Letter, Recall, Said
from actors.runtime.system import System

MAIN = "main"

FREQUENT = Policy(burst=20, period=30.0, backoff=0.0, cap=1.0)
"""A process that ends is replaced at once, and one that ends again and again every second."""

BEAT = 0.5
"""Seconds between two questions whether a process still answers."""

BIRTH = 10.0
"""Seconds that a new process has at least for its first word: a nursery that was lost takes a while to replace."""

DUMP = 0.3
"""Seconds that a process that hangs has to show its stacks before it is killed."""

PATIENCE = 1.0
"""Seconds that a question of an operator waits for its answer."""

log = structlog.get_logger()


class Company:
    """One process: what joins main to it, and what its actors have said, for its replacement."""

    def __init__(self, orders: Orders) -> None:
        self.orders = orders
        self.pid = 0
        self.ends = 0
        self.ledger = Ledger()
        self.bridge: Bridge | None = None
        self.said: dict[str, AnyStatus] = {}
        self.leaving: set[str] = set()
        self.unanswered: float | None = None
        self.hung = False
        self.answers = False
        self.deaths = 0
        self._handle: int | None = None

    def meet(self, pid: int) -> None:
        """It has told which process it is."""
        self.pid = pid
        with suppress(OSError):  # it has ended already
            self._handle = os.pidfd_open(pid)

    def signal(self, number: int) -> None:
        """Send it a signal: by a handle, so that no other can get it who has its number by now."""
        if self._handle is not None:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._handle, number)

    def part(self) -> None:
        """Forget which process it was."""
        if self._handle is not None:
            os.close(self._handle)
        self.pid, self._handle = 0, None


class Fleet:
    """Brings actors to life where they belong, as the supervisor's launcher. A process is started for the first that is
    to live in it, by ``orders(name)``; without a ``nursery`` everybody lives in main.

    A process that does not answer for ``hang_limit`` seconds is shown, killed and replaced.
    """

    def __init__(
        self,
        system: System,
        nursery: Nursery | None = None,
        orders: Callable[[str], Orders] = Orders,
        hang_limit: float = 10.0,
    ) -> None:
        self.companies: dict[str, Company] = {}
        self._system = system
        self._nursery = nursery
        self._orders = orders
        self._hang_limit = hang_limit
        self._homes: dict[str, Company] = {}
        self._hung: dict[int, float] = {}
        self._orphans: set[int] = set()
        self._questions: dict[int, AsyncResult] = {}
        self._asked = 0
        self._closing = False
        self._heart: Any = None
        system.elsewhere = self._carry
        if nursery is not None:
            nursery.ended, nursery.lost = self._ended, self._unattended
            nursery.open()
            self._heart = gevent.spawn(self._beat)

    # The launcher

    def start(
        self,
        id: str,
        kind: type,
        args: tuple[Any, ...] = (),
        ports: tuple[str, ...] = (),
        last: AnyStatus | None = None,
        process: str = MAIN,
    ) -> int:
        """See `actors.supervisor_actor.Launcher`."""
        if process == MAIN:
            self._homes.pop(id, None)
            return self._system.start(id, kind, args, ports, last)
        company = self._homes[id] = self._company(process)
        company.leaving.discard(id)
        incarnation = self._system.next_generation()
        given = msgspec.Raw(msgspec.msgpack.encode(args))
        self._send(company, Begin(id, incarnation, kind.__name__, given, ports, last))
        return incarnation

    def _company(self, name: str) -> Company:
        company = self.companies.get(name)
        if company is None:
            company = self.companies[name] = Company(self._orders(name))
            self._launched(company)
        return company

    def abandon(self, id: str) -> None:
        """See `actors.supervisor_actor.Launcher`."""
        company = self._homes.pop(id, None)
        if company is None:
            self._system.abandon(id)
        else:
            self._send(company, Abandon(id))

    def _carry(self, id: str, message: Any) -> bool:
        company = self._homes.get(id)
        if company is None:
            return False
        if isinstance(message, Stop) and message.final:
            company.said.pop(id, None)
            company.leaving.add(id)
        self._send(company, Letter(id, message))
        return True

    def _send(self, company: Company, frame: Frame) -> None:
        if company.bridge is not None:
            company.bridge.send(frame)

    # Questions

    def ask(self, *questions: str) -> tuple[dict[str, Any], ...]:
        """For each question, asked all at once, what each process answers by name, None where it did not in time.

        Waits cooperatively.
        """
        asked = [{name: self._ask(each, question) for name, each in self.companies.items()} for question in questions]
        gevent.wait([result for one in asked for _, result in one.values()], timeout=PATIENCE)
        return tuple({name: self._answer(*each) for name, each in one.items()} for one in asked)

    def processes(self, answers: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
        """Each process with its number, how often it was replaced, what it has not read yet, and what it answered."""
        return {
            name: {
                "pid": each.pid,
                "ends": each.ends,
                "waiting": each.bridge.waiting if each.bridge is not None else 0,
                **(answers.get(name) or {"silent": True}),
            }
            for name, each in self.companies.items()
        }

    @property
    def is_complete(self) -> bool:
        """Whether every process is there and has answered."""
        return all(company.answers for company in self.companies.values())

    @property
    def nursery_pid(self) -> int:
        """The process that the others are forked from; 0 when everybody lives in main."""
        return self._nursery.pid if self._nursery is not None else 0

    def explain(self, id: str) -> list[str] | None:
        """What an actor in another process says of itself; None when there is no such actor."""
        company = self._homes.get(id)
        if company is None:
            return None
        number, result = self._ask(company, "why", id)
        result.wait(PATIENCE)
        return self._answer(number, result) or [f"the process {company.orders.name} does not answer"]

    def _ask(self, company: Company, question: str, about: str = "") -> tuple[int, AsyncResult]:
        self._asked += 1
        result = self._questions[self._asked] = AsyncResult()
        self._send(company, Ask(self._asked, question, about))
        return self._asked, result

    def _answer(self, number: int, result: AsyncResult) -> Any:
        self._questions.pop(number, None)
        return result.value if result.ready() else None

    def adjust(self, hang_limit: float) -> None:
        """Have each process be as its orders are now, and answer within ``hang_limit`` seconds."""
        self._hang_limit = hang_limit
        for name, company in self.companies.items():
            orders = self._orders(name)
            if orders != company.orders:
                company.orders = orders
                self._send(company, Adjust(msgspec.to_builtins(orders)))

    def close(self) -> None:
        """Hang up: whoever still lives in another process ends in order there."""
        self._closing = True
        if self._heart is not None:
            self._heart.kill()
        for company in self.companies.values():
            if company.bridge is not None:
                company.bridge.close()
        if self._nursery is not None:
            self._nursery.close()

    # Births, deaths, heartbeats

    def _launch(self, company: Company) -> None:
        assert self._nursery is not None
        ours, theirs = pair()
        company.bridge = Bridge(ours, lambda frame: self._heard(company, frame), lambda: self._gone(company))
        company.unanswered, company.hung, company.answers = None, False, False
        if company.said:
            company.bridge.send(Recall(tuple(company.said.values())))
        try:
            self._nursery.ask(company.orders.name, theirs.fileno(), msgspec.to_builtins(company.orders))
        except OSError:
            company.bridge.close()
            company.bridge = None
            raise
        finally:
            theirs.close()

    def _launched(self, company: Company) -> bool:
        """Whether it could be asked for; if not it is tried again, and who is to live there starts then."""
        try:
            self._launch(company)
        except OSError as error:  # no descriptors, no memory, or just now no nursery
            log.error("no process", process=company.orders.name, error=str(error))
            gevent.spawn_later(BEAT, self._replace, company)
            return False
        return True

    def _ended(self, name: str, pid: int, status: int) -> None:
        how = f"killed by {signal.Signals(-status).name}" if status < 0 else f"exit status {status}"
        if name in self.companies:
            self._report(self.companies[name], pid, how)

    def _report(self, company: Company, pid: int, how: str) -> None:
        """Tell of a death. What comes next is always the same: see `_gone`."""
        if self._closing:
            return
        if silent := self._hung.pop(pid, 0.0):
            how = f"did not answer for {silent:.1f} s: {how}"
        company.deaths += 1
        residents = sum(home is company for home in self._homes.values())
        next_step = f"replaced, {residents} actors start again"
        log.error("process ended", process=company.orders.name, pid=pid, how=how, times=company.deaths, next=next_step)

    def _unattended(self) -> None:
        log.error("the nursery was lost: another takes its place, the processes live on")
        self._orphans |= {company.pid for company in self.companies.values() if company.pid}

    def _gone(self, company: Company) -> None:
        """The bridge has broken down: whatever is at its other end is not ours any more, and is replaced."""
        if self._closing:
            return
        if company.pid in self._orphans:
            self._orphans.discard(company.pid)
            self._report(company, company.pid, "nobody has seen how: the nursery that it came from was lost before")
        company.signal(signal.SIGKILL)
        company.part()
        company.ends += 1
        company.bridge = None
        company.ledger, decision = crashed(company.ledger, FREQUENT, self._system.clock.now())
        if isinstance(decision, Escalate):
            self._system.tell(self._system.supervisor, Shutdown(70))
        elif decision.delay:
            gevent.spawn_later(decision.delay, self._replace, company)
        else:
            self._replace(company)

    def _replace(self, company: Company) -> None:
        # Peers have not waited for routers that hung: they begin anew, and listen first. Verdicts stand meanwhile.
        late = company.hung and company.orders.kind == VRRP
        if late:
            company.said.clear()
        if not self._closing and self._launched(company):
            self._system.tell(self._system.supervisor, Lost(company.orders.name, late))

    def _heard(self, company: Company, frame: Frame) -> None:
        match frame:
            case Letter(to, message):
                self._note(company, message)
                self._system.tell(to, message)
            case Answer(number, value):
                company.unanswered, company.answers = None, True
                result = self._questions.get(number)
                if result is not None:
                    result.set(value)
            case Here(pid):
                company.meet(pid)
                log.info("process started", process=company.orders.name, pid=pid)
            case Said(line):
                logs.pass_on(line)

    def _note(self, company: Company, message: Any) -> None:
        """What a replacement is to know. The last words of one that leaves for good are no news for it."""
        match message:
            case Published(status) if status.source not in company.leaving:
                company.said[status.source] = status
            case Died(id) | Stopped(id) if id in company.leaving:
                company.leaving.remove(id)
                self._homes.pop(id, None)

    def _beat(self) -> None:
        """Ask each process now and then whether it is alive; one that does not answer is shown, killed and replaced."""
        while True:
            gevent.sleep(BEAT)
            now = self._system.clock.now()
            for company in self.companies.values():
                if company.bridge is None:
                    continue
                if company.unanswered is None:
                    company.unanswered = now
                    number, _ = self._ask(company, "alive")
                    self._questions.pop(number)
                elif now - company.unanswered > self._patience(company) and not company.hung:
                    company.hung = True
                    gevent.spawn(self._end, company, now - company.unanswered)

    def _patience(self, company: Company) -> float:
        return self._hang_limit if company.pid else max(self._hang_limit, BIRTH)

    def _end(self, company: Company, silent: float) -> None:
        log.error("process does not answer: it is killed", process=company.orders.name, seconds=round(silent, 1))
        if not company.pid:
            self._miscarried(company)
            return
        self._hung[company.pid] = silent
        company.signal(signal.SIGUSR2)
        gevent.sleep(DUMP)
        if company.hung:  # and not another already
            company.signal(signal.SIGKILL)

    def _miscarried(self, company: Company) -> None:
        """A process that was asked for has never come: neither it nor the nursery is to be waited for."""
        assert self._nursery is not None
        self._nursery.kill()
        if company.bridge is not None:
            company.bridge.close()
        self._gone(company)
