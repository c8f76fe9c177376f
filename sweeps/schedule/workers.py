"""The workers of a run as the coordinator sees them, by name, host and slot.

Every per-task operation is O(1) in the number of workers: thousands of them ask one coordinator.
"""

import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from sweeps.schedule.run_status import WorkerStatus
from sweeps.task import Allocation, Slot, Task


@dataclass
class WorkerState:
    """A worker that joined."""

    allocation: Allocation
    leases: dict[str, tuple[int, Task]] = field(default_factory=dict)
    """Leased tasks by task id, each with its number."""
    leased_at_s: float = 0.0
    task_s: float | None = None
    """Moving average of its tasks' durations."""

    def record_duration(self, duration_s: float) -> None:
        """Update the moving average."""
        average_s = duration_s if self.task_s is None else self.task_s
        self.task_s = 0.7 * average_s + 0.3 * duration_s

    @property
    def status(self) -> WorkerStatus:
        """Line of the live view: the worker and the first task that it has leased."""
        first = next((task for _, task in self.leases.values()), None)
        return WorkerStatus(
            worker_id=self.allocation.worker_id,
            slot=self.allocation.slot,
            device=self.allocation.device_name,
            model=first.model if first else "",
            running=first.label if first else "",
            running_s=time.monotonic() - self.leased_at_s if first else 0.0,
        )


class WorkerTable:
    """Workers that joined and have not left."""

    def __init__(self) -> None:
        self._by_id: dict[str, WorkerState] = {}
        self._by_host: dict[str, dict[str, WorkerState]] = {}
        self._on_slot: Counter[Slot] = Counter()

    def __len__(self) -> int:
        return len(self._by_id)

    def __iter__(self) -> Iterator[WorkerState]:
        return iter(self._by_id.values())

    def __getitem__(self, worker_id: str) -> WorkerState:
        return self._by_id[worker_id]

    def get(self, worker_id: str) -> WorkerState | None:
        """Return the worker of that name; None if it has left or never joined."""
        return self._by_id.get(worker_id)

    def add(self, allocation: Allocation) -> None:
        """Add a worker; an earlier one of the same name is forgotten."""
        self.remove(allocation.worker_id)
        worker = self._by_id[allocation.worker_id] = WorkerState(allocation)
        self._by_host.setdefault(allocation.host, {})[allocation.worker_id] = worker
        self._on_slot[allocation.slot] += 1

    def remove(self, worker_id: str) -> WorkerState | None:
        """Remove and return the worker of that name; None if there is none."""
        worker = self._by_id.pop(worker_id, None)
        if worker is not None:
            del self._by_host[worker.allocation.host][worker_id]
            self._on_slot[worker.allocation.slot] -= 1
        return worker

    def on_slot(self, slot: Slot) -> int:
        """Return the number of workers of a slot."""
        return self._on_slot[slot]

    def neighbours(self, allocation: Allocation) -> int:
        """Return the number of other workers of the same host that have a task."""
        others = self._by_host.get(allocation.host, {})
        return sum(bool(other.leases) and worker_id != allocation.worker_id for worker_id, other in others.items())
