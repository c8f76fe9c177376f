"""Tasks that ran out of memory and go on, with what is left of them, on a device with more memory.

Knows slots by the name of their device and by `devices_by_memory`; no queue and no worker.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from sweeps.plan.declaration import Registry
from sweeps.task import Allocation, Outcome, Row, Slot, Task

CPU: Final = "cpu"


@dataclass(frozen=True)
class _Escalated:
    """A task on its way up: the slot that tries it next, the items that are left, and the rows of the others."""

    slot: Slot
    remaining: frozenset[str] | None
    rows: tuple[Row, ...]


class Escalation:
    """Tasks that were escalated and are not finished, by number."""

    def __init__(self, registry: Registry, devices_by_memory: Sequence[str]) -> None:
        """
        Args:
            registry: says whose tasks escalate.
            devices_by_memory: device classes of the cluster, the one with the least memory first, `cpu` last.
        """
        self._registry = registry
        self._devices_by_memory = devices_by_memory
        self._escalated: dict[int, _Escalated] = {}

    def escalate(self, number: int, task: Task, allocation: Allocation, outcome: Outcome) -> Slot | None:
        """Return the slot that tries what is left of a task that ran out of memory; None: no slot, or all is done."""
        if not self._registry[task.benchmark].escalates_on_oom or not outcome.status.is_oom:
            return None
        slot = next_slot(task.slot, allocation.device_class, self._devices_by_memory)
        if slot is None:
            return None
        before = self._escalated.get(number)
        # Rows of the items that did fit wait here until the rest is done: a task's rows become visible together.
        fitting = [row for row in outcome.rows if row["status"] == "ok"] if outcome.oom_items else []
        remaining = outcome.oom_items or (before.remaining if before else None)
        self._escalated[number] = _Escalated(slot, remaining, (*(before.rows if before else ()), *fitting))
        return slot

    def current(self, number: int, task: Task) -> Task:
        """Return the task as it is now: on the slot that it escalated to, with the items that are left."""
        escalated = self._escalated.get(number)
        if escalated is None:
            return task
        shard = replace(task.shard, remaining=escalated.remaining) if task.shard else None
        return replace(task, slot=escalated.slot, shard=shard)

    def finished_rows(self, number: int) -> tuple[Row, ...]:
        """Return the rows of the items that did fit on smaller devices, and forget the task, which is finished."""
        escalated = self._escalated.pop(number, None)
        return escalated.rows if escalated else ()


def next_slot(slot: Slot, device_class: str, devices_by_memory: Sequence[str]) -> Slot | None:
    """Return the slot with the next larger memory after the device that ran out; None after the largest."""
    if slot.gpus > 1:
        return Slot(CPU, 0, slot.cores)
    if device_class not in devices_by_memory:
        return None
    larger = devices_by_memory[devices_by_memory.index(device_class) + 1 :]
    if not larger:
        return None
    return Slot(larger[0], int(larger[0] != CPU), slot.cores)
