"""Starts workers for the slots that tasks need, watches them, restarts them, gives up clearly.

One loop for every pool: what a worker runs in (a Ray actor, this process) is the pool's affair. Invariant:
the loop ends, because every task gets a row, is leased to a live worker, or can be given to one.
"""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from sweeps.standing import Status
from sweeps.task import Answer, Outcome, Part, Seat, Slot, Task

TICK_S: Final = 0.25
MAX_FALSE_STARTS: Final = 3
"""Workers of one slot that may die in a row before any of them gets to a task."""


@dataclass(frozen=True)
class Ended:
    """A worker that is gone; `error` is None when it left in good order."""

    worker_id: str
    slot: Slot
    error: str | None = None
    status: str = "worker_lost"
    node_gone: bool = False
    """Its node went with it, which says nothing about the slot."""


class Line(Protocol):
    """A worker's line to its coordinator, here or across Ray."""

    def join(self, seat: Seat, environment: dict[str, Any], environment_id: str) -> None: ...
    def exchange(self, worker_id: str, outcomes: Sequence[Outcome]) -> Answer: ...
    def deliver(self, worker_id: str, outcomes: Sequence[Outcome]) -> None: ...
    def ship(self, task: Task) -> Part: ...


class CoordinatorLike(Line, Protocol):
    """A Coordinator, here or behind a Ray handle."""

    def lost(self, worker_id: str, status: str, reason: str) -> int: ...
    def leave(self, worker_id: str) -> None: ...
    def reject(self, slot: Slot, status: str, reason: str) -> None: ...
    def overdue(self) -> list[str]: ...
    def drain(self, notice: str) -> None: ...
    def tick(self) -> Status: ...
    def close(self) -> Status: ...


class Pool(Protocol):
    """Where workers live."""

    def never(self, slot: Slot) -> str | None:
        """Why no node can ever offer `slot`: what was asked, what exists; None if one can."""

    def start(self, slot: Slot) -> bool:
        """Start a worker for `slot`; False if there is no room now."""

    def alive(self, slot: Slot) -> int:
        """Workers of `slot` that were started and have not ended."""

    def ended(self, timeout_s: float, pulse: Callable[[], object]) -> list[Ended]:
        """Workers that ended, waiting at most `timeout_s`; a pool that works inside calls `pulse` meanwhile."""

    def kill(self, worker_id: str) -> None:
        """End a worker at once; it then shows up in `ended`, or not at all."""


class Interrupts:
    """How often the user asked to stop, and until when the tasks in flight may take."""

    def __init__(self, grace_s: float) -> None:
        self.grace_s = grace_s
        self.count = 0
        self.deadline_s: float | None = None

    def ask(self) -> None:
        """Count one request; the first one starts the clock."""
        self.count += 1
        if self.deadline_s is None:
            self.deadline_s = time.monotonic() + self.grace_s

    @property
    def overdue(self) -> bool:
        """Whether the grace is used up."""
        return self.deadline_s is not None and time.monotonic() > self.deadline_s


class Supervisor:
    """Keeps a pool's workers in step with a coordinator's demand until nothing is left."""

    def __init__(
        self,
        coordinator: CoordinatorLike,
        pool: Pool,
        show: Callable[[Status], None],
        interrupts: Interrupts,
    ) -> None:
        self._coordinator = coordinator
        self._pool = pool
        self._show = show
        self._interrupts = interrupts
        self._draining = False
        self._slots: set[Slot] = set()
        self._false_starts: Counter[Slot] = Counter()

    def run(self) -> None:
        """Until every task has its rows, the user stopped it, or rows cannot be written any more."""
        while True:
            status = self._pulse()
            self._start_workers(status)
            # Asked again: starting may have turned demand into rows of `unavailable`, and the reasons are to be seen.
            if not self._alive() and not self._pulse().demand:
                return
            if self._interrupts.overdue or (self._draining and not any(worker.running for worker in status.workers)):
                return  # who has no task in hand, and may not even have a place yet, is not waited for
            for ended in self._pool.ended(TICK_S, self._pulse):
                self._settle(ended)
            self._kill_overdue()

    def _pulse(self) -> Status:
        if self._interrupts.count and not self._draining:
            self._draining = True
            self._coordinator.drain(
                f"asked to stop: tasks in flight have {self._interrupts.grace_s:g} s to finish (--grace-s); "
                "asked once more, the run ends at once"
            )
        status = self._coordinator.tick()
        self._show(status)
        for worker in status.workers:
            if worker.running:  # its slot works: whoever died at the start there died of something else
                self._false_starts[worker.slot] = 0
        return status

    def _start_workers(self, status: Status) -> None:
        # Widest first: once narrow ones sit everywhere, a wide slot waits for all of them to leave.
        for slot, pending in sorted(status.demand.items(), key=lambda item: _width(item[0]), reverse=True):
            if reason := self._pool.never(slot):
                # A slot that worked earlier in this run is lost; one that no node offered so far is unavailable.
                self._coordinator.reject(slot, "worker_lost" if slot in self._slots else "unavailable", reason)
                continue
            busy = sum(bool(worker.running) for worker in status.workers if worker.slot == slot)
            while self._pool.alive(slot) - busy < pending and self._pool.start(slot):
                self._slots.add(slot)

    def _alive(self) -> int:
        return sum(map(self._pool.alive, self._slots))

    def _settle(self, ended: Ended) -> None:
        if ended.error is None:
            self._coordinator.leave(ended.worker_id)
            self._false_starts[ended.slot] = 0
            return
        leases = self._coordinator.lost(ended.worker_id, ended.status, ended.error)
        if leases > 0:  # it died at a task: the task's attempts are what bounds that
            self._false_starts[ended.slot] = 0
            return
        if ended.node_gone:
            return
        self._false_starts[ended.slot] += 1
        if self._false_starts[ended.slot] >= MAX_FALSE_STARTS:
            reason = f"{MAX_FALSE_STARTS} workers for {ended.slot} died before their first task: {ended.error}"
            self._coordinator.reject(ended.slot, "worker_lost", reason)

    def _kill_overdue(self) -> None:
        for worker_id in self._coordinator.overdue():
            self._pool.kill(worker_id)
            self._coordinator.lost(worker_id, "timeout", "over its time limit (--timeout-s): killed")


def _width(slot: Slot) -> tuple[int, int]:
    return slot.gpus, slot.cores
