"""Estimates whether one more worker should load a model that others hold already, by the durations seen in this run.

Knows how long loads and tasks took on each kind of device; nothing of queues.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from sweeps.task import NO_LOAD, Allocation, Outcome, Slot, Task
from sweeps.task_status import TaskStatus


@dataclass
class _Mean:
    count: int = 0
    sum_s: float = 0.0

    def add(self, duration_s: float) -> None:
        self.count += 1
        self.sum_s += duration_s

    @property
    def mean_s(self) -> float:
        return self.sum_s / self.count


class CostModel:
    """Mean durations of tasks by device class and load key, with and without a load before them."""

    def __init__(self) -> None:
        self._durations: dict[tuple[str, str | None, bool], _Mean] = {}
        """By device class, load key (None: all of them) and whether the task had to load."""
        self._classes: dict[tuple[str, int], set[str]] = {}

    def observe(self, task: Task, allocation: Allocation, outcome: Outcome) -> None:
        """Take in how long a task took; the duration of a failed task says nothing about the others."""
        if outcome.status is not TaskStatus.OK:
            return
        self._classes.setdefault(_kind(allocation.slot), set()).add(allocation.device_class)
        for load_key in (task.load_key, None):
            key = (allocation.device_class, load_key, outcome.loads > 0)
            self._durations.setdefault(key, _Mean()).add(outcome.duration_s)

    def extra_workers(
        self, load_key: str, pending: int, leased: int, holders: Iterable[Allocation], newcomer: Allocation | Slot
    ) -> int:
        """Return how many newcomers would each find a task of a model that `holders` have, had they loaded it too.

        Until a newcomer has loaded the model and done one task, each holder goes on at its own mean time a task. The
        tasks that are not done by then are the newcomers', one each. While the times are not known, that is every
        pending task.

        Args:
            load_key: of the model.
            pending: number of its tasks that no worker has.
            leased: number of its tasks that the holders have.
            holders: allocations of the workers that hold the model.
            newcomer: allocation of a worker that asks, or a slot; a slot counts as the slowest device seen on it.
        """
        first_s = self._first_task_s(load_key, newcomer)
        tasks_s = [self._task_s(holder.device_class, load_key, loading=False) for holder in holders]
        if first_s is None or None in tasks_s:
            return pending
        done = sum(first_s / max(task_s, 1e-9) for task_s in tasks_s if task_s is not None)
        return max(0, min(pending, math.ceil(pending + leased - done)))

    def _first_task_s(self, load_key: str, newcomer: Allocation | Slot) -> float | None:
        """Return the time of a newcomer's load and first task; None if unknown."""
        if isinstance(newcomer, Allocation):
            classes = {newcomer.device_class}
        else:
            classes = self._classes.get(_kind(newcomer), set())
        known = (self._task_s(device_class, load_key, loading=load_key != NO_LOAD) for device_class in classes)
        return max((first_s for first_s in known if first_s is not None), default=None)

    def _task_s(self, device_class: str, load_key: str, *, loading: bool) -> float | None:
        """Return the mean of the model's tasks on that device class, else of all tasks there; None without any."""
        keys = ((device_class, key, loading) for key in (load_key, None))
        return next((self._durations[key].mean_s for key in keys if key in self._durations), None)


def frees_resources_for(slot: Slot, other: Slot) -> bool:
    """Tell whether a worker that leaves `slot` frees enough for one of `other`: the same devices, no more cores."""
    return slot != other and _kind(slot) == _kind(other) and other.cores <= slot.cores


def _kind(slot: Slot) -> tuple[str, int]:
    return slot.device, slot.gpus
