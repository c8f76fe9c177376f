"""Chooses the task that a worker gets next: affinity, leases, attempts.

Pure: tasks are numbers, workers are names, and nothing here knows time, devices, files or Ray. Invariant:
every task is in exactly one of pending, leased, finished.
"""

from array import array
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

MAX_ATTEMPTS: Final = 3

SlotT = TypeVar("SlotT", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Reclaimed:
    """The leases of a worker that is gone, taken back."""

    requeued: tuple[int, ...]
    given_up: tuple[tuple[int, int], ...]
    """Tasks that are out of attempts, each with its last attempt."""


@dataclass(frozen=True, slots=True)
class LoadGroup(Generic[SlotT]):
    """Pending tasks of one slot and load key, and the workers that hold the load key."""

    slot: SlotT
    load_key: str
    pending: int
    leased: int
    """Number of tasks leased to the holders."""
    holders: tuple[str, ...]


def _every_pending_task(group: LoadGroup[SlotT]) -> int:
    return group.pending


class TaskQueue(Generic[SlotT]):
    """Pending tasks by slot and load key, and the leases of every worker."""

    def __init__(self, groups: Mapping[tuple[SlotT, str], Iterable[int]], max_attempts: int = MAX_ATTEMPTS) -> None:
        """
        Args:
            groups: tasks of each slot and load key, in the order in which they are to run.
            max_attempts: of a task that kills its workers.
        """
        self._max_attempts = max_attempts
        self._pending: dict[SlotT, dict[str, array[int]]] = {}
        for (slot, load_key), tasks in groups.items():
            # Reversed, so that the next task is popped off the end.
            self._pending.setdefault(slot, {})[load_key] = array("I", reversed(array("I", tasks)))
        self._group_of_worker: dict[str, tuple[SlotT, str]] = {}
        self._holders: dict[tuple[SlotT, str], dict[str, None]] = {}
        self._leased: dict[str, dict[int, int]] = {}
        self._attempts: dict[int, int] = {}
        self._quarantined: set[int] = set()
        """Tasks that may have killed a worker: each of them is leased alone."""

    def lease(
        self,
        worker: str,
        slot: SlotT,
        limit: int = 1,
        extra_workers: Callable[[LoadGroup[SlotT]], int] = _every_pending_task,
    ) -> list[tuple[int, int]]:
        """Lease up to `limit` tasks of one load key; return each with its attempt, counted from 1; [] when none.

        Args:
            worker: that asks.
            slot: of the worker.
            limit: most tasks to lease.
            extra_workers: number of further workers that a load key which others hold has tasks for.
        """
        load_key = self._choose(worker, slot, extra_workers)
        self._hold(worker, None if load_key is None else (slot, load_key))
        if load_key is None:
            return []
        leased = [self._take(task) for task in self._pop(self._pending[slot][load_key], limit)]
        self._leased.setdefault(worker, {}).update(leased)
        return leased

    def finish(self, worker: str, task: int, attempt: int) -> bool:
        """Close a lease. False if the worker does not hold it: a late answer of an attempt that was given up."""
        if self._leased.get(worker, {}).get(task) != attempt:
            return False
        del self._leased[worker][task]
        self._attempts.pop(task, None)
        self._quarantined.discard(task)
        return True

    def reclaim(self, worker: str, groups: Mapping[int, tuple[SlotT, str]]) -> Reclaimed:
        """Take back the leases of a worker that is gone.

        A task that was leased alone has used up an attempt. Of several leased together nobody knows which one
        killed the worker, so none is charged, and each runs alone from now on.

        Args:
            worker: that is gone.
            groups: slot and load key of each task that it had leased.
        """
        leases = self._leased.pop(worker, {})
        self.forget(worker)
        alone = len(leases) == 1
        given_up = tuple((t, n) for t, n in leases.items() if alone and n >= self._max_attempts)
        requeued = tuple(task for task in leases if (task, leases[task]) not in given_up)
        for task in requeued:
            self._attempts[task] = leases[task] if alone else leases[task] - 1
            self._quarantined.add(task)
            # To the far end: a task that kills workers must not stand in the way of the rest.
            self.requeue(task, *groups[task])
        for task, _ in given_up:
            self._attempts.pop(task, None)
            self._quarantined.discard(task)
        return Reclaimed(requeued, given_up)

    def give_back(self, worker: str, groups: Mapping[int, tuple[SlotT, str]]) -> None:
        """Put leased tasks that the worker has not begun before the pending ones; no attempt is used up.

        Args:
            worker: that holds them.
            groups: slot and load key of each task, in the order in which they are to run.
        """
        for task, (slot, load_key) in reversed(list(groups.items())):
            attempt = self._leased[worker].pop(task)
            if attempt > 1:
                self._attempts[task] = attempt - 1
            self._pending.setdefault(slot, {}).setdefault(load_key, array("I")).append(task)

    def forget(self, worker: str) -> None:
        """Count a worker that left no longer among the holders of a load key; it has no leases."""
        self._hold(worker, None)

    def requeue(self, task: int, slot: SlotT, load_key: str) -> None:
        """Put a finished task behind the pending ones of a group: what is left of the task runs there."""
        self._pending.setdefault(slot, {}).setdefault(load_key, array("I")).insert(0, task)

    def cancel_slot(self, slot: SlotT) -> list[int]:
        """Remove and return all pending tasks of a slot that no node can offer."""
        groups = self._pending.pop(slot, {})
        return [task for tasks in groups.values() for task in reversed(tasks)]

    def leases(self, worker: str) -> dict[int, int]:
        """Return the tasks that the worker has leased, with their attempts."""
        return dict(self._leased.get(worker, {}))

    def busy(self) -> list[str]:
        """Return the workers that hold a lease."""
        return [worker for worker, leases in self._leased.items() if leases]

    def pending(self, slot: SlotT) -> int:
        """Return the number of pending tasks of a slot."""
        return sum(map(len, self._pending.get(slot, {}).values()))

    def pending_by_slot(self) -> dict[SlotT, int]:
        """Return the number of pending tasks of every slot that has some."""
        return {slot: count for slot in self._pending if (count := self.pending(slot))}

    def demand(self, extra_workers: Callable[[LoadGroup[SlotT]], int] = _every_pending_task) -> dict[SlotT, int]:
        """Return the number of further workers that every slot has tasks for; an unheld load key wants one at least."""
        wanted = {
            slot: sum(
                extra_workers(group) if group.holders else max(1, extra_workers(group))
                for group in self._load_groups(slot)
            )
            for slot in self._pending
        }
        return {slot: count for slot, count in wanted.items() if count}

    def unheld_slots(self) -> list[SlotT]:
        """Return the slots with pending tasks of a load key that no worker holds."""
        return [
            slot
            for slot, groups in self._pending.items()
            if any(tasks and not self._holders.get((slot, load_key)) for load_key, tasks in groups.items())
        ]

    def _choose(self, worker: str, slot: SlotT, extra_workers: Callable[[LoadGroup[SlotT]], int]) -> str | None:
        """Choose a load key for a worker.

        Prefer the load key that the worker already holds; else the largest unheld one; else the shared one with the
        most tasks per worker.
        """
        held = self._group_of_worker.get(worker)
        if held is not None and held[0] == slot and self._pending.get(slot, {}).get(held[1]):
            return held[1]
        groups = list(self._load_groups(slot))
        open_groups = [group for group in groups if not group.holders] or list(filter(extra_workers, groups))
        best = max(open_groups, key=lambda group: group.pending / (1 + len(group.holders)), default=None)
        return None if best is None else best.load_key

    def _load_groups(self, slot: SlotT) -> Iterator[LoadGroup[SlotT]]:
        for load_key, tasks in self._pending.get(slot, {}).items():
            if tasks:
                holders = tuple(self._holders.get((slot, load_key), ()))
                leased = sum(len(self._leased[worker]) for worker in holders)
                yield LoadGroup(slot, load_key, len(tasks), leased, holders)

    def _hold(self, worker: str, group: tuple[SlotT, str] | None) -> None:
        """Move a worker from the group that it holds, if any, to another one, if any."""
        held = self._group_of_worker.pop(worker, None)
        if held is not None:
            del self._holders[held][worker]
        if group is not None:
            self._group_of_worker[worker] = group
            self._holders.setdefault(group, {})[worker] = None

    def _pop(self, pending: "array[int]", limit: int) -> list[int]:
        taken = [pending.pop()]
        while (
            len(taken) < limit
            and pending
            and taken[0] not in self._quarantined
            and pending[-1] not in self._quarantined
        ):
            taken.append(pending.pop())
        return taken

    def _take(self, task: int) -> tuple[int, int]:
        return task, self._attempts.get(task, 0) + 1
