"""The cells of a sweep: every combination of levels, without those that its rules exclude."""

import math
from collections.abc import Iterator
from typing import Any

from sweeps.plan.spec import Sweep
from sweeps.task import Level


class Cells:
    """Cells by number, each made when it is asked for."""

    def __init__(self, sweep: Sweep) -> None:
        self._rules = sweep.exclude
        self._names = list(sweep.factors)
        self._levels = [sweep.factors[name] for name in self._names]

    def __len__(self) -> int:
        """Return the number of cells, the excluded ones too."""
        return math.prod(len(levels) for levels in self._levels)

    def __getitem__(self, cell: int) -> dict[str, Level]:
        """Return the levels of a cell: the mixed-radix digits of its number, the last factor running fastest."""
        levels: dict[str, Level] = {}
        for name, choices in zip(reversed(self._names), reversed(self._levels), strict=True):
            cell, digit = divmod(cell, len(choices))
            levels[name] = choices[digit]
        return dict(reversed(levels.items()))

    def excludes(self, levels: dict[str, Level]) -> bool:
        """Tell whether a rule leaves that cell out."""
        return any(all(_matches(levels[name], wanted) for name, wanted in rule.items()) for rule in self._rules)

    def measured(self) -> Iterator[dict[str, Level]]:
        """Yield the levels of every cell that is not excluded."""
        return (levels for cell in range(len(self)) if not self.excludes(levels := self[cell]))


def _matches(level: Level, wanted: Any) -> bool:
    return level == wanted or (isinstance(wanted, list) and level in wanted)
