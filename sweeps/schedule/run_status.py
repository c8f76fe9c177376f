"""The status of a run as a value: the coordinator makes it, everybody who watches the run reads it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from sweeps.task import Slot


@dataclass(frozen=True)
class WorkerStatus:
    """A worker and the task that it runs: one line of the live view."""

    worker_id: str
    slot: Slot
    device: str
    model: str
    running: str
    running_s: float


@dataclass(frozen=True)
class SweepStatus:
    """Progress of one sweep of a run."""

    name: str
    total: int
    done: int
    failed: int
    """Done tasks that ended as a failure (`TaskStatus.is_failure`)."""


@dataclass(frozen=True)
class Status:
    """Progress of a run, its workers, and what a person should know of it."""

    total: int
    done: int
    done_before: int
    """Done tasks that earlier runs of the same spec finished."""
    rows: int
    counts: dict[str, int]
    """Tasks by status, earlier runs included."""
    loads: int
    loads_naive: int
    """Loads that a runner would have made that loads a model for every task."""
    demand: dict[Slot, int]
    workers: tuple[WorkerStatus, ...]
    failure: str | None
    """Reason why the run cannot go on; None: it can."""
    warnings: tuple[str, ...]
    summary_counts: Mapping[str, int] = field(default_factory=dict)
    """Counts of this session's rows that benchmarks want in the summary, by name."""
    waiting: Mapping[Slot, int] = field(default_factory=dict)
    """Pending tasks by slot."""
    untried: int = 0
    """Tasks that got their rows in this session without being run: no node offers the slot, or memory would run out."""
    elapsed_s: float = 0.0
    """Time since this session's first worker joined."""
    sweeps: tuple[SweepStatus, ...] = ()
    """Sweeps in the order of the spec."""
    measured: int = 0
    """Tasks that have a row with a measurement, earlier runs included."""
    waiting_for: str = ""
    """Reason why started workers have no devices yet, and which run holds them; empty: none is known."""

    @property
    def left(self) -> int:
        """Tasks without rows."""
        return self.total - self.done
