"""What tests of single actors share: a context that notes what its actor does, on a clock that the test owns."""

from typing import Any


class Log:
    """Notes every line as (level, event, fields)."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str, dict[str, Any]]] = []

    def __getattr__(self, level: str) -> Any:
        return lambda event, **fields: self.lines.append((level, event, fields))


class FakeContext:
    """Mail that the actor sends lies in ``told`` until the test takes it."""

    def __init__(self, id: str) -> None:
        self.id = id
        self.log = Log()
        self.last = None
        self.time = 0.0
        self.told: list[tuple[str, Any]] = []

    def now(self) -> float:
        """Where the test has put it."""
        return self.time

    def tell(self, id: str, message: Any) -> None:
        """Note it."""
        self.told.append((id, message))
