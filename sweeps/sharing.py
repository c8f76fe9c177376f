"""Whether one more worker should load what others hold already, or leave that to them.

Knows how long loads and tasks took so far in this run, on each kind of device; nothing of queues.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from sweeps.task import Outcome, Seat, Slot, Task


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


class Sharing:
    """Durations by device class and load key, and what follows for a worker that looks for work."""

    def __init__(self) -> None:
        self._durations: dict[tuple[str, str, bool], _Mean] = {}
        self._classes: dict[tuple[str, int], set[str]] = {}

    def note(self, task: Task, seat: Seat, outcome: Outcome) -> None:
        """Remember how long a task took; one that failed says nothing of those that do not."""
        if outcome.rows[-1]["status"] != "ok":
            return
        self._classes.setdefault(_kind(seat.slot), set()).add(seat.device_class)
        for load_key in (task.load_key, ""):
            key = (seat.device_class, load_key, outcome.loads > 0)
            self._durations.setdefault(key, _Mean()).add(outcome.duration_s)

    def room(self, load_key: str, waiting: int, in_hand: int, holders: Iterable[Seat], newcomer: Seat | Slot) -> int:
        """How many newcomers would each find a task at a model that `holders` are at, had they loaded it too.

        Until a newcomer has loaded the model and done one task, the holders do some of what is left, each at its
        pace. What is not done by then is room for newcomers, one task each. As long as the times are not known,
        everything that waits is.

        Args:
            load_key: of the model.
            waiting: its tasks that nobody has.
            in_hand: its tasks that the holders have.
            holders: seats of the workers that hold it.
            newcomer: the seat of one that asks, or a slot; for a slot, the slowest device seen on such a slot.
        """
        first_s = self._first_s(load_key, newcomer)
        paces_s = [self._duration_s(seat.device_class, load_key, loading=False) for seat in holders]
        if first_s is None or None in paces_s:
            return waiting
        done = sum(first_s / max(pace_s, 1e-9) for pace_s in paces_s if pace_s is not None)
        return max(0, min(waiting, math.ceil(waiting + in_hand - done)))

    def _first_s(self, load_key: str, newcomer: Seat | Slot) -> float | None:
        """A newcomer's load and first task; None if unknown."""
        classes = {newcomer.device_class} if isinstance(newcomer, Seat) else self._classes.get(_kind(newcomer), set())
        loading = not load_key.startswith("nothing")
        known = (self._duration_s(device_class, load_key, loading=loading) for device_class in classes)
        return max((first_s for first_s in known if first_s is not None), default=None)

    def _duration_s(self, device_class: str, load_key: str, *, loading: bool) -> float | None:
        """Mean of that model's tasks on that kind of device, else of all tasks there; None if there were none."""
        keys = ((device_class, key, loading) for key in (load_key, ""))
        return next((self._durations[key].mean_s for key in keys if key in self._durations), None)


def yields(slot: Slot, other: Slot) -> bool:
    """Whether a worker that leaves `slot` frees enough for one of `other`: the same devices, no more cores."""
    return slot != other and _kind(slot) == _kind(other) and other.cores <= slot.cores


def _kind(slot: Slot) -> tuple[str, int]:
    return slot.device, slot.gpus
