"""The cells of a sweep: every combination of levels, less what its rules exclude."""

import math
from collections.abc import Iterator
from typing import Any

from sweeps.plan.spec import Sweep
from sweeps.task import Level


class Cells:
    """Cells by number, made when they are asked for."""

    def __init__(self, sweep: Sweep) -> None:
        self._rules = sweep.exclude
        self._names = list(sweep.factors)
        self._levels = [sweep.factors[name] for name in self._names]

    def __len__(self) -> int:
        """Excluded ones too."""
        return math.prod(len(levels) for levels in self._levels)

    def __getitem__(self, cell: int) -> dict[str, Level]:
        """Mixed-radix digits of the cell's number, the last factor running fastest."""
        levels: dict[str, Level] = {}
        for name, choices in zip(reversed(self._names), reversed(self._levels), strict=True):
            cell, digit = divmod(cell, len(choices))
            levels[name] = choices[digit]
        return dict(reversed(levels.items()))

    def excludes(self, levels: dict[str, Level]) -> bool:
        """True where a rule leaves that cell out."""
        return any(all(_matches(levels[name], wanted) for name, wanted in rule.items()) for rule in self._rules)

    def measured(self) -> Iterator[dict[str, Level]]:
        """Levels of every cell that is not excluded."""
        return (levels for cell in range(len(self)) if not self.excludes(levels := self[cell]))


def _matches(level: Level, wanted: Any) -> bool:
    return level == wanted or (isinstance(wanted, list) and level in wanted)
