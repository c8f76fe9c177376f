"""Which task a worker gets next: affinity, leases, attempts.

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
class Surrendered:
    """What became of the leases of a worker that is gone."""

    requeued: tuple[int, ...]
    given_up: tuple[tuple[int, int], ...]
    """Task and its last attempt: out of attempts."""


@dataclass(frozen=True, slots=True)
class Stake(Generic[SlotT]):
    """Tasks of one slot and load key that wait, and who is at them."""

    slot: SlotT
    load_key: str
    waiting: int
    in_hand: int
    """Leased to the holders."""
    holders: tuple[str, ...]


def _room_for_all(stake: Stake[SlotT]) -> int:
    return stake.waiting


class TaskQueue(Generic[SlotT]):
    """Pending tasks by slot and load key, and who holds which."""

    def __init__(self, groups: Mapping[tuple[SlotT, str], Iterable[int]], max_attempts: int = MAX_ATTEMPTS) -> None:
        """`groups` gives each slot's and load key's tasks in the order in which they are to run."""
        self._max_attempts = max_attempts
        self._pending: dict[SlotT, dict[str, array[int]]] = {}
        for (slot, load_key), tasks in groups.items():
            # Reversed, so that the next task is popped off the end.
            self._pending.setdefault(slot, {})[load_key] = array("I", reversed(array("I", tasks)))
        self._group_of_worker: dict[str, tuple[SlotT, str]] = {}
        self._holders: dict[tuple[SlotT, str], dict[str, None]] = {}
        self._leased: dict[str, dict[int, int]] = {}
        self._attempts: dict[int, int] = {}
        self._alone: set[int] = set()

    def lease(
        self, worker: str, slot: SlotT, limit: int = 1, room: Callable[[Stake[SlotT]], int] = _room_for_all
    ) -> list[tuple[int, int]]:
        """Hand out up to `limit` tasks of one load key, each with its attempt, counted from 1; [] when none.

        Args:
            worker: who asks.
            slot: what it sits on.
            limit: at most so many.
            room: how many more workers a load key has use for that others hold.
        """
        load_key = self._choose(worker, slot, room)
        self._move(worker, None if load_key is None else (slot, load_key))
        if load_key is None:
            return []
        leased = [self._take(task) for task in self._pop(self._pending[slot][load_key], limit)]
        self._leased.setdefault(worker, {}).update(leased)
        return leased

    def finish(self, worker: str, task: int, attempt: int) -> bool:
        """Close a lease. False if the worker does not hold it: a late answer of an attempt given up."""
        if self._leased.get(worker, {}).get(task) != attempt:
            return False
        del self._leased[worker][task]
        self._attempts.pop(task, None)
        self._alone.discard(task)
        return True

    def surrender(self, worker: str, groups: Mapping[int, tuple[SlotT, str]]) -> Surrendered:
        """Take back the leases of a worker that is gone; `groups` names the group of each.

        A task that was leased alone has used up an attempt. Of several leased together nobody knows which one
        killed the worker, so none is charged, and each runs alone from now on.
        """
        leases = self._leased.pop(worker, {})
        self._move(worker, None)
        alone = len(leases) == 1
        given_up = tuple((t, n) for t, n in leases.items() if alone and n >= self._max_attempts)
        requeued = tuple(task for task in leases if (task, leases[task]) not in given_up)
        for task in requeued:
            self._attempts[task] = leases[task] if alone else leases[task] - 1
            self._alone.add(task)
            # To the far end: what kills workers must not stand in the way of the rest.
            self.add(task, *groups[task])
        for task, _ in given_up:
            self._attempts.pop(task, None)
            self._alone.discard(task)
        return Surrendered(requeued, given_up)

    def add(self, task: int, slot: SlotT, load_key: str) -> None:
        """Take a finished task in once more, in another group: what is left of it runs there."""
        self._pending.setdefault(slot, {}).setdefault(load_key, array("I")).insert(0, task)

    def drop(self, slot: SlotT) -> list[int]:
        """Take all pending tasks of a slot out: nobody can ever offer it."""
        groups = self._pending.pop(slot, {})
        return [task for tasks in groups.values() for task in reversed(tasks)]

    def leases(self, worker: str) -> dict[int, int]:
        """Task to attempt, of what the worker holds now."""
        return dict(self._leased.get(worker, {}))

    def busy(self) -> list[str]:
        """Workers that hold a lease."""
        return [worker for worker, leases in self._leased.items() if leases]

    def pending(self, slot: SlotT) -> int:
        """Tasks that wait for that slot."""
        return sum(map(len, self._pending.get(slot, {}).values()))

    def waiting(self) -> dict[SlotT, int]:
        """Slots that tasks wait for, with how many."""
        return {slot: count for slot in self._pending if (count := self.pending(slot))}

    def demand(self, room: Callable[[Stake[SlotT]], int] = _room_for_all) -> dict[SlotT, int]:
        """Slots that have use for more workers, with how many; what nobody holds wants one at least."""
        wanted = {
            slot: sum(room(stake) if stake.holders else max(1, room(stake)) for stake in self._stakes(slot))
            for slot in self._pending
        }
        return {slot: count for slot, count in wanted.items() if count}

    def untouched(self) -> list[SlotT]:
        """Slots with tasks of a load key that no worker holds."""
        return [
            slot
            for slot, groups in self._pending.items()
            if any(tasks and not self._holders.get((slot, load_key)) for load_key, tasks in groups.items())
        ]

    def _choose(self, worker: str, slot: SlotT, room: Callable[[Stake[SlotT]], int]) -> str | None:
        """The load key it holds, else the largest that nobody holds, else one that has room, by its share of it."""
        held = self._group_of_worker.get(worker)
        if held is not None and held[0] == slot and self._pending.get(slot, {}).get(held[1]):
            return held[1]
        stakes = list(self._stakes(slot))
        free = [stake for stake in stakes if not stake.holders] or [stake for stake in stakes if room(stake)]
        best = max(free, key=lambda stake: stake.waiting / (1 + len(stake.holders)), default=None)
        return None if best is None else best.load_key

    def _stakes(self, slot: SlotT) -> Iterator[Stake[SlotT]]:
        for load_key, tasks in self._pending.get(slot, {}).items():
            if tasks:
                holders = tuple(self._holders.get((slot, load_key), ()))
                in_hand = sum(len(self._leased[worker]) for worker in holders)
                yield Stake(slot, load_key, len(tasks), in_hand, holders)

    def _move(self, worker: str, group: tuple[SlotT, str] | None) -> None:
        """From the group that it held, if any, to another one, if any."""
        held = self._group_of_worker.pop(worker, None)
        if held is not None:
            del self._holders[held][worker]
        if group is not None:
            self._group_of_worker[worker] = group
            self._holders.setdefault(group, {})[worker] = None

    def _pop(self, pending: "array[int]", limit: int) -> list[int]:
        taken = [pending.pop()]
        while len(taken) < limit and pending and taken[0] not in self._alone and pending[-1] not in self._alone:
            taken.append(pending.pop())
        return taken

    def _take(self, task: int) -> tuple[int, int]:
        return task, self._attempts.get(task, 0) + 1
