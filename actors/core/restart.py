"""Restart intensity: what to do about a child that crashed. Pure; times are seconds of any one clock."""

from enum import Enum

import msgspec


class Beyond(Enum):
    """What happens when a child crashes more often than its policy allows."""

    PARK = "PARK"
    ESCALATE = "ESCALATE"


class Policy(msgspec.Struct, frozen=True):
    """Up to ``burst`` crashes within ``period`` seconds are answered by a restart, after a wait that doubles from
    ``backoff`` up to ``cap`` seconds. Beyond that a child is parked (tried again every ``cap`` seconds, its last
    verdict kept) or the whole program is ended.

    A parked child must stay parked while it keeps crashing, so ``cap * burst < period``.
    """

    burst: int = 5
    period: float = 60.0
    backoff: float = 0.1
    cap: float = 10.0
    beyond: Beyond = Beyond.PARK

    def __post_init__(self) -> None:
        if self.cap * self.burst >= self.period:
            raise ValueError(f"cap {self.cap} x burst {self.burst} must be below period {self.period}")


class Restart(msgspec.Struct, frozen=True):
    """Start the child again after ``delay`` seconds; ``parked`` tells that it crashed too often."""

    delay: float
    parked: bool = False


class Escalate(msgspec.Struct, frozen=True):
    """End the program: a vital child crashed too often."""


class Ledger(msgspec.Struct, frozen=True):
    """A child's crashes within the policy's period, oldest first."""

    crashes: tuple[float, ...] = ()


def crashed(ledger: Ledger, policy: Policy, now: float) -> tuple[Ledger, Restart | Escalate]:
    """Enter a crash at ``now`` and decide."""
    recent = (*(t for t in ledger.crashes if now - t < policy.period), now)
    ledger = Ledger(recent[-policy.burst - 1 :])
    if len(ledger.crashes) <= policy.burst:
        return ledger, Restart(min(policy.cap, policy.backoff * 2 ** (len(ledger.crashes) - 1)))
    if policy.beyond is Beyond.ESCALATE:
        return ledger, Escalate()
    return ledger, Restart(policy.cap, parked=True)
