"""What did not fit into a slot's memory: which larger slot tries it, what is left of it, and the rows that there are.

Knows slots by the name of their device and by the ladder, no queue and no worker.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from sweeps.factors import Catalogue
from sweeps.task import Outcome, Row, Seat, Slot, Task

CPU: Final = "cpu"


@dataclass(frozen=True)
class _Rest:
    """Of a task that did not fit whole: where it runs, which pieces it is, and the rows of the others."""

    slot: Slot
    only: frozenset[str] | None
    rows: tuple[Row, ...]


class HandingOn:
    """Tasks on their way up the ladder, by number."""

    def __init__(self, catalogue: Catalogue, ladder: Sequence[str]) -> None:
        """
        Args:
            catalogue: says of which benchmarks tasks are handed on.
            ladder: device classes by memory, the smallest first, `cpu` last.
        """
        self._catalogue = catalogue
        self._ladder = ladder
        self._rests: dict[int, _Rest] = {}

    def up(self, number: int, task: Task, seat: Seat, outcome: Outcome) -> Slot | None:
        """Where the rest of a task goes that ran out of memory; None: nowhere, or all of it is done."""
        if not self._catalogue[task.benchmark].hands_on or not outcome.rows[-1]["status"].startswith("oom"):
            return None
        slot = larger(task.slot, seat.device_class, self._ladder)
        if slot is None:
            return None
        before = self._rests.get(number)
        # Whole rows of what did fit wait here until the rest is done: a task's rows become visible together.
        fitting = [row for row in outcome.rows if row["status"] == "ok"] if outcome.unfit else []
        only = outcome.unfit or (before.only if before else None)
        self._rests[number] = _Rest(slot, only, (*(before.rows if before else ()), *fitting))
        return slot

    def as_it_is_now(self, number: int, task: Task) -> Task:
        """The task on the slot that it was handed on to, of the pieces that are left; itself, if it was not."""
        rest = self._rests.get(number)
        if rest is None:
            return task
        part = replace(task.part, only=rest.only) if task.part else None
        return replace(task, slot=rest.slot, part=part)

    def kept(self, number: int) -> tuple[Row, ...]:
        """Rows of the pieces that did fit lower down; the task is done, and forgotten here."""
        rest = self._rests.pop(number, None)
        return rest.rows if rest else ()


def larger(slot: Slot, device_class: str, ladder: Sequence[str]) -> Slot | None:
    """The next slot up the ladder from the device that ran out of memory; None on top."""
    if slot.gpus > 1:
        return Slot(CPU, 0, slot.cores)
    above = ladder[ladder.index(device_class) + 1 :] if device_class in ladder else ()
    if not above:
        return None
    return Slot(above[0], int(above[0] != CPU), slot.cores)
