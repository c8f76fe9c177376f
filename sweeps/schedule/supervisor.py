"""Starts workers for the slots that tasks need, watches and restarts them, gives a slot up with a reason.

One loop for every pool: what a worker runs in (a Ray actor, this process) is the pool's affair. Invariant:
the loop ends, because every task gets a row, is leased to a live worker, or can be given to one.
"""

import time
from collections import Counter
from collections.abc import Callable
from typing import Final

from sweeps.schedule.protocol import CoordinatorApi, Pool, WorkerExit
from sweeps.schedule.run_status import Status
from sweeps.task import Slot

TICK_S: Final = 0.25
MAX_FALSE_STARTS: Final = 3
"""Workers of one slot that may die in a row before any of them gets to a task."""


class Interrupts:
    """Requests of the user to stop, and the time until which tasks in flight may finish."""

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
        """True when the grace is used up."""
        return self.deadline_s is not None and time.monotonic() > self.deadline_s


class Supervisor:
    """Keeps a pool's workers in step with a coordinator's demand until no task is left."""

    def __init__(
        self,
        coordinator: CoordinatorApi,
        pool: Pool,
        show: Callable[[Status], None],
        interrupts: Interrupts,
    ) -> None:
        """
        Args:
            coordinator: of the run.
            pool: that starts workers.
            show: called with the run's status at every tick.
            interrupts: counted elsewhere, by a signal handler.
        """
        self._coordinator = coordinator
        self._pool = pool
        self._show = show
        self._interrupts = interrupts
        self._draining = False
        self._slots: set[Slot] = set()
        """Slots for which a worker was started."""
        self._false_starts: Counter[Slot] = Counter()

    def run(self) -> None:
        """Loop until every task has its rows, the user stopped the run, or rows cannot be written any longer."""
        while True:
            status = self._tick()
            self._start_workers(status)
            # Tick once more: `_start_workers` may have rejected slots, and their warnings must be shown before the end.
            if not self._running() and not self._tick().demand:
                return
            if self._interrupts.overdue or (self._draining and not any(worker.running for worker in status.workers)):
                return  # a worker without a task, which may not even have its devices yet, is not waited for
            for worker_exit in self._pool.reap(TICK_S, self._tick):
                self._handle_exit(worker_exit)
            self._kill_overdue()

    def _tick(self) -> Status:
        if self._interrupts.count and not self._draining:
            self._draining = True
            self._coordinator.drain(
                f"asked to stop: tasks in flight have {self._interrupts.grace_s:g} s to finish (--grace-s); "
                "asked once more, the run ends at once"
            )
        status = self._coordinator.tick()
        self._show(status)
        for worker in status.workers:
            if worker.running:  # the slot works: an earlier worker that died at the start died of something else
                self._false_starts[worker.slot] = 0
        return status

    def _start_workers(self, status: Status) -> None:
        # Widest first: once narrow workers hold every node, a wide slot waits for all of them to leave.
        for slot, wanted in sorted(status.demand.items(), key=lambda item: _width(item[0]), reverse=True):
            if reason := self._pool.infeasible(slot):
                # A slot that worked earlier in this run is `worker_lost` (retryable by --retry). A slot that no node
                # ever offered is `unavailable`.
                self._coordinator.reject(slot, "worker_lost" if slot in self._slots else "unavailable", reason)
                continue
            busy = sum(bool(worker.running) for worker in status.workers if worker.slot == slot)
            while self._pool.running(slot) - busy < wanted and self._pool.start(slot):
                self._slots.add(slot)

    def _running(self) -> int:
        return sum(map(self._pool.running, self._slots))

    def _handle_exit(self, worker_exit: WorkerExit) -> None:
        slot = worker_exit.slot
        if worker_exit.error is None:
            self._coordinator.leave(worker_exit.worker_id)
            self._false_starts[slot] = 0
            return
        leases = self._coordinator.lost(worker_exit.worker_id, worker_exit.status, worker_exit.error)
        if leases > 0:  # the worker died at a task: the task's attempts bound how often that happens
            self._false_starts[slot] = 0
            return
        if worker_exit.node_gone:
            return
        self._false_starts[slot] += 1
        if self._false_starts[slot] >= MAX_FALSE_STARTS:
            reason = f"{MAX_FALSE_STARTS} workers for {slot} died before their first task: {worker_exit.error}"
            self._coordinator.reject(slot, "worker_lost", reason)

    def _kill_overdue(self) -> None:
        for worker_id in self._coordinator.overdue():
            self._pool.kill(worker_id)
            self._coordinator.lost(worker_id, "timeout", "over its time limit (--timeout-s): killed")


def _width(slot: Slot) -> tuple[int, int]:
    return slot.gpus, slot.cores
