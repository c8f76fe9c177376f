"""Decides how many tasks a worker is leased, and which workers may join those that hold a model already.

Knows queue, workers and what loads cost; no rows and no run directory.
"""

from collections.abc import Callable
from functools import cache

from sweeps.schedule.cost_model import CostModel, frees_resources_for
from sweeps.schedule.lease_size import most_tasks
from sweeps.schedule.queue import LoadGroup, TaskQueue
from sweeps.schedule.workers import WorkerState, WorkerTable
from sweeps.task import Allocation, Slot


class Leasing:
    """Shares of the queue's tasks among the workers."""

    def __init__(self, queue: TaskQueue[Slot], workers: WorkerTable, cost_model: CostModel) -> None:
        self._queue, self._workers, self._cost_model = queue, workers, cost_model

    def limit(self, worker: WorkerState, leased: int = 0) -> int:
        """Return how many tasks a worker is leased at once.

        Args:
            worker: that the tasks are for.
            leased: number of tasks that it has and that could be shared as well.
        """
        slot = worker.allocation.slot
        open_tasks = self._queue.pending(slot) + leased
        return most_tasks(worker.task_s, open_tasks, self._workers.on_slot(slot), len(self._workers))

    def extra_workers(self, newcomer: Allocation | None = None) -> Callable[[LoadGroup[Slot]], int]:
        """Return how to find the number of further workers for a group; 0 while they could serve an unheld one."""
        unheld_slots = cache(self._queue.unheld_slots)  # mostly not needed

        def extra_workers(group: LoadGroup[Slot]) -> int:
            if any(frees_resources_for(group.slot, slot) for slot in unheld_slots()):
                return 0
            holders = [self._workers[worker_id].allocation for worker_id in group.holders]
            return self._cost_model.extra_workers(
                group.load_key, group.pending, group.leased, holders, newcomer or group.slot
            )

        return extra_workers

    def take_back(self, worker: WorkerState, kept: int) -> None:
        """Put the leases of a worker back into the queue, except the first `kept` of them."""
        leases = list(worker.leases.items())
        groups = {number: (task.slot, task.load_key) for _, (number, task) in leases[kept:]}
        self._queue.give_back(worker.allocation.worker_id, groups)
        worker.leases = dict(leases[:kept])
