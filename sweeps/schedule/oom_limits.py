"""Tasks that need not be tried, because a smaller one of the same family ran out of memory on the same device class.

Only for benchmarks whose memory can but grow with a factor (`BenchmarkInfo.memory_grows_with`). A family is: same
model, settings, slot and device class. Remembered for a run, not across runs: a continued run tries once more.
"""

from collections.abc import Mapping
from typing import Any

from sweeps.plan.declaration import Registry
from sweeps.task import Allocation, Task, digest
from sweeps.task_status import TaskStatus


class OomLimits:
    """The lowest level that ran out of memory, by family of cells."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._lowest: dict[str, Any] = {}

    def observe(self, task: Task, allocation: Allocation, status: TaskStatus) -> None:
        """Take in how a task ended on `allocation`; only running out of memory changes a limit."""
        factor = self._registry[task.benchmark].memory_grows_with
        if factor is not None and status.is_oom:
            family, level = _family(task, factor, allocation), task.factors[factor]
            self._lowest[family] = min(level, self._lowest.get(family, level))

    def skip_reason(self, task: Task, allocation: Allocation) -> str | None:
        """Return the reason why `task` would run out of memory on `allocation`; None if nothing says so."""
        factor = self._registry[task.benchmark].memory_grows_with
        if factor is None or not self._lowest:
            return None
        lowest = self._lowest.get(_family(task, factor, allocation))
        level: Any = task.factors[factor]
        if lowest is None or level <= lowest:
            return None
        return f"not tried: {factor}={lowest} ran out of memory on {allocation.device_class}, and {level} needs more"


def _family(task: Task, factor: str, allocation: Allocation) -> str:
    others: Mapping[str, Any] = {name: level for name, level in task.factors.items() if name != factor}
    slot = allocation.slot
    return digest([task.sweep, others, slot.device, slot.gpus, slot.cores, allocation.device_class])
