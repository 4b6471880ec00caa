"""Repeated news: which to tell, and how many were kept quiet since the last telling. Pure: time is given."""

REMEMBERED = 1024
"""Different keys kept in mind; beyond, the one told longest ago is forgotten (and so may be told too early)."""


class Repeats:
    """Lets each key through once in ``period`` seconds and counts what it holds back."""

    def __init__(self, period: float) -> None:
        self._period = period
        self._told: dict[str, float] = {}
        self._held: dict[str, int] = {}

    def admit(self, key: str, now: float) -> int | None:
        """None: say nothing. Else tell it, and that so many more like it were held back since the last time."""
        told = self._told.get(key)
        if told is not None and now - told < self._period:
            self._held[key] = self._held.get(key, 0) + 1
            return None
        self._told.pop(key, None)
        self._told[key] = now
        if len(self._told) > REMEMBERED:
            oldest = next(iter(self._told))
            del self._told[oldest]
            self._held.pop(oldest, None)
        return self._held.pop(key, 0)
