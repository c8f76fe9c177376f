"""Which tasks need not be tried, because a smaller one of their family ran out of memory on the same kind of device.

Only where memory can but grow with a factor (`Declaration.grows_with`): same model, settings, slot and device
class, a higher level. Remembered for a run, not across runs: a continued one tries once more.
"""

from collections.abc import Mapping
from typing import Any

from sweeps.factors import Catalogue
from sweeps.task import Seat, Task, digest


class Ceilings:
    """The lowest level that ran out of memory, by family of cells."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._lowest: dict[str, Any] = {}

    def note(self, task: Task, seat: Seat, status: str) -> None:
        """Remember a task that ran out of memory on `seat`; any other ending changes nothing."""
        factor = self._catalogue[task.benchmark].grows_with
        if factor is not None and status in ("oom_gpu", "oom_host"):
            family, level = _family(task, factor, seat), task.factors[factor]
            self._lowest[family] = min(level, self._lowest.get(family, level))

    def above(self, task: Task, seat: Seat) -> str | None:
        """Why `task` would run out of memory on `seat`; None if nobody knows that it would."""
        factor = self._catalogue[task.benchmark].grows_with
        lowest = self._lowest.get(_family(task, factor, seat)) if factor is not None and self._lowest else None
        if factor is None or lowest is None or task.factors[factor] <= lowest:
            return None
        level = task.factors[factor]
        return f"not tried: {factor}={lowest} ran out of memory on {seat.device_class}, and {level} needs more"


def _family(task: Task, factor: str, seat: Seat) -> str:
    others: Mapping[str, Any] = {name: level for name, level in task.factors.items() if name != factor}
    return digest([task.sweep, others, seat.slot.device, seat.slot.gpus, seat.slot.cores, seat.device_class])
