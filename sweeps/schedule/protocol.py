"""The interfaces between worker, coordinator, pool and supervisor. What runs behind each of them is not known here."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from sweeps.schedule.run_status import Status
from sweeps.task import Allocation, Answer, Outcome, Slot, Task, TaskShard


@dataclass(frozen=True)
class WorkerExit:
    """A worker that is gone; `error` is None when the worker left in good order."""

    worker_id: str
    slot: Slot
    error: str | None = None
    status: str = "worker_lost"
    node_gone: bool = False
    """True where the worker's node died with it: that says nothing about the slot."""


class CoordinatorClient(Protocol):
    """A worker's access to its coordinator, in this process or across Ray."""

    def join(self, allocation: Allocation, environment: dict[str, Any], environment_id: str) -> None: ...
    def exchange(self, worker_id: str, outcomes: Sequence[Outcome]) -> Answer: ...
    def deliver(self, worker_id: str, outcomes: Sequence[Outcome]) -> None: ...
    def fetch(self, task: Task) -> TaskShard: ...


class CoordinatorApi(CoordinatorClient, Protocol):
    """All calls of a coordinator, in this process or behind a Ray handle."""

    def lost(self, worker_id: str, status: str, reason: str) -> int: ...
    def leave(self, worker_id: str) -> None: ...
    def reject(self, slot: Slot, status: str, reason: str) -> None: ...
    def overdue(self) -> list[str]: ...
    def drain(self, notice: str) -> None: ...
    def tick(self) -> Status: ...
    def close(self) -> Status: ...


class Pool(Protocol):
    """The place where workers run: Ray actors, this process, a simulation."""

    def infeasible(self, slot: Slot) -> str | None:
        """Return the reason why no node can ever offer `slot`: what was asked, what exists; None if one can."""

    def start(self, slot: Slot) -> bool:
        """Start a worker for `slot`; False if no devices are free for it now."""

    def running(self, slot: Slot) -> int:
        """Return the number of workers of `slot` that were started and have not ended."""

    def reap(self, timeout_s: float, tick: Callable[[], object]) -> list[WorkerExit]:
        """Return the workers that ended, after at most `timeout_s`; a pool that works inside calls `tick` meanwhile."""

    def kill(self, worker_id: str) -> None:
        """End a worker at once; `reap` returns the worker later, or never."""
