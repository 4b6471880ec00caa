"""`Replication`: "I want the writable one", and how far behind a replica may be."""

from plugins.api import Degraded, Failed, Passed, block, option


@block
class Replication:
    """What a checker of a replicated database inherits: the options, and the judgement."""

    role: str = option("any", choices=("any", "read-write", "replica"), help="what the server has to be")
    max_lag: float = option(0.0, kind="seconds", min=0, help="a replica further behind has failed; 0: no limit")
    degraded_lag: float = option(0.0, kind="seconds", min=0, help="a replica further behind is degraded; 0: never")
    degraded_weight: int = option(50, min=0, max=100, unit="percent", help="of its weight for a degraded replica")

    @property
    def wants_role(self) -> bool:
        """Whether the server has to be asked what it is."""
        return self.role != "any" or self.wants_lag

    @property
    def wants_lag(self) -> bool:
        """Whether the server has to be asked how far behind it is; one that is to be written to is not."""
        return self.role != "read-write" and bool(self.role == "replica" or self.max_lag or self.degraded_lag)

    def judged(self, writable: bool, replica: bool, lag: float | None) -> Passed | Degraded:
        """The verdict on a server; ``lag`` in seconds, None when it cannot say or does not replicate now.

        Raises `Failed`.
        """
        if self.role == "read-write" and not writable:
            raise Failed("not writable")
        if self.role == "replica" and not replica:
            raise Failed("not a replica")
        return self._lagging(lag) if replica and self.wants_lag else Passed()

    def _lagging(self, lag: float | None) -> Passed | Degraded:
        if lag is None:
            if self.max_lag or self.degraded_lag:
                raise Failed("a replica whose lag is not known")
            return Passed()
        metrics = {"lag_seconds": lag}
        if self.max_lag and lag > self.max_lag:
            raise Failed(f"more than {self.max_lag:g} s behind", metrics)
        if self.degraded_lag and lag > self.degraded_lag:
            return Degraded(self.degraded_weight, f"more than {self.degraded_lag:g} s behind", metrics)
        return Passed(metrics=metrics)
