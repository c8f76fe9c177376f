"""The workers of a run as its coordinator sees them, found by name, by host and by slot.

Nothing that a task costs grows with the number of workers: thousands of them ask one coordinator.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from sweeps.task import Seat, Slot, Task


@dataclass
class Member:
    """A worker that joined."""

    seat: Seat
    leases: dict[str, tuple[int, Task]] = field(default_factory=dict)
    """By task id: the task's number, and the task."""
    leased_at_s: float = 0.0
    task_s: float | None = None
    """Moving average of its tasks' durations."""


class Members:
    """Who has joined and not left."""

    def __init__(self) -> None:
        self._by_id: dict[str, Member] = {}
        self._by_host: dict[str, dict[str, Member]] = {}
        self._on_slot: Counter[Slot] = Counter()

    def __iter__(self) -> Iterator[Member]:
        return iter(self._by_id.values())

    def __getitem__(self, worker_id: str) -> Member:
        return self._by_id[worker_id]

    def get(self, worker_id: str) -> Member | None:
        """The worker of that name, if it is here."""
        return self._by_id.get(worker_id)

    def add(self, seat: Seat) -> None:
        """A worker came; one of that name that was here is forgotten."""
        self.remove(seat.worker_id)
        member = self._by_id[seat.worker_id] = Member(seat)
        self._by_host.setdefault(seat.host, {})[seat.worker_id] = member
        self._on_slot[seat.slot] += 1

    def remove(self, worker_id: str) -> Member | None:
        """A worker went; None if it was not here."""
        member = self._by_id.pop(worker_id, None)
        if member is not None:
            del self._by_host[member.seat.host][worker_id]
            self._on_slot[member.seat.slot] -= 1
        return member

    def on_slot(self, slot: Slot) -> int:
        """How many sit on such a slot."""
        return self._on_slot[slot]

    def neighbours(self, seat: Seat) -> int:
        """How many others of its host have something to do."""
        others = self._by_host.get(seat.host, {})
        return sum(bool(other.leases) and worker_id != seat.worker_id for worker_id, other in others.items())
