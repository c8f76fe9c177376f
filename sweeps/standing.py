"""Where a run stands, as a value: what the coordinator tells and everybody who watches reads."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from sweeps.task import Slot


@dataclass(frozen=True)
class WorkerStatus:
    """One line of the live view."""

    worker_id: str
    slot: Slot
    device: str
    model: str
    running: str
    running_s: float


@dataclass(frozen=True)
class SweepStatus:
    """Where one sweep of a run stands."""

    name: str
    total: int
    done: int
    failed: int
    """Tasks of those done that ended in a status of `FAILED`."""


@dataclass(frozen=True)
class Status:
    """Where a run stands."""

    total: int
    done: int
    done_before: int
    """Of these, finished by earlier runs of the same spec."""
    rows: int
    counts: dict[str, int]
    """Tasks by status, earlier runs included."""
    loads: int
    loads_naive: int
    """Loads that a runner would have made that loads a model for every cell."""
    demand: dict[Slot, int]
    workers: tuple[WorkerStatus, ...]
    failure: str | None
    """Why the run cannot go on, if it cannot."""
    warnings: tuple[str, ...]
    remarks: Mapping[str, int] = field(default_factory=dict)
    """What benchmarks want counted in the summary, by name: of this session's rows."""
    waiting: Mapping[Slot, int] = field(default_factory=dict)
    """Tasks that nobody has in hand yet."""
    untried: int = 0
    """Tasks that got their rows in this session without being run: no such slot, or hopeless."""
    elapsed_s: float = 0.0
    """Since this session's first worker came."""
    sweeps: tuple[SweepStatus, ...] = ()
    """In the order of the spec."""
    measured: int = 0
    """Tasks that have a row with a measurement, earlier runs included."""
    waiting_for: str = ""
    """Reason why started workers have no place yet, and who has it; empty: none is known."""

    @property
    def left(self) -> int:
        """Tasks without rows."""
        return self.total - self.done
