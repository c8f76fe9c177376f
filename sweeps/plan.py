"""Which tasks a spec stands for, by number, without holding them.

A plan of 100,000 tasks is a few arrays of integers; a Task is made when somebody asks for it. Numbers follow
the shuffled order, so a sweep's number is its `order_index`.
"""

import json
import math
import random
from array import array
from bisect import bisect_right
from collections.abc import Iterator
from typing import Any

from pydantic import ValidationError

from sweeps.errors import UserError
from sweeps.factors import Catalogue, Declaration
from sweeps.spec import Spec, Sweep
from sweeps.task import Level, Slot, Task

Group = tuple[Slot, str]
"""Slot and load key: tasks of one group can follow each other on a worker without a load."""
MAX_CELLS = 5_000_000


class Grid:
    """The cells of one sweep, and its tasks in the order in which they are handed out."""

    def __init__(self, sweep: Sweep, declaration: Declaration) -> None:
        self.sweep = sweep
        self._declaration = declaration
        self._names = list(sweep.factors)
        self._levels = [sweep.factors[name] for name in self._names]
        self.cells = math.prod(len(levels) for levels in self._levels)
        if self.cells > MAX_CELLS:
            raise UserError(f"sweep {sweep.name!r}: {self.cells:,} cells; at most {MAX_CELLS:,} fit in one sweep")
        self.excluded = 0
        self._varying = tuple(name for name, levels in sweep.factors.items() if len(levels) > 1)
        # Units are the tasks of one round: cell by cell, part by part. A cell's units start at _starts[cell].
        self._starts = array("L", self._count_units())
        self._order = self._shuffled(self._starts.pop())

    def __len__(self) -> int:
        return len(self._order)

    def task(self, order_index: int) -> Task:
        """The task at that place of the order."""
        unit = self._order[order_index]
        cell = bisect_right(self._starts, unit) - 1
        levels = self._levels_of(cell)
        return Task(
            sweep=self.sweep.name,
            benchmark=self.sweep.benchmark,
            factors=levels,
            slot=_slot(levels),
            load_key=self._load_key(levels),
            iterations=self.sweep.iterations,
            warmup=self.sweep.warmup,
            seed=self.sweep.seed,
            round=order_index * self.sweep.rounds // len(self._order),
            order_index=order_index,
            varying=self._varying,
            part=self._declaration.parts(levels)[unit - self._starts[cell]],
        )

    def check(self) -> None:
        """Refuse combinations of levels that the benchmark calls impossible, and a sweep without any cell left.

        Raises:
            UserError: the first such cell, and how to leave it out.
        """
        if self.excluded == self.cells:
            raise UserError(
                f"sweep {self.sweep.name!r}: the rules of [[sweep.exclude]] leave none of its {self.cells:,} cells; "
                f"drop some, or all with --set {self.sweep.name}.exclude=[]"
            )
        for cell in range(self.cells):
            levels = self._levels_of(cell)
            if self._is_excluded(levels):
                continue
            try:
                self._declaration.factors.model_validate(levels)
            except ValidationError as error:
                reason = error.errors()[0]["msg"].removeprefix("Value error, ")
                raise UserError(
                    f"sweep {self.sweep.name!r}: the cell {json.dumps(levels)} is impossible: {reason}; "
                    "leave such cells out with [[sweep.exclude]]"
                ) from error

    def _count_units(self) -> Iterator[int]:
        """Where each cell's units start, and at last how many there are; an excluded cell has none."""
        units = 0
        for cell in range(self.cells):
            yield units
            levels = self._levels_of(cell)
            if self._is_excluded(levels):
                self.excluded += 1
            else:
                units += len(self._declaration.parts(levels))
        yield units

    def _shuffled(self, units: int) -> "array[int]":
        generator = random.Random(self.sweep.seed)
        order = array("I")
        for _ in range(self.sweep.rounds):
            order.extend(generator.sample(range(units), units))
        return order

    def _levels_of(self, cell: int) -> dict[str, Level]:
        """Mixed-radix digits of the cell's number, the last factor running fastest."""
        levels: dict[str, Level] = {}
        for name, choices in zip(reversed(self._names), reversed(self._levels), strict=True):
            cell, digit = divmod(cell, len(choices))
            levels[name] = choices[digit]
        return dict(reversed(levels.items()))

    def _is_excluded(self, levels: dict[str, Level]) -> bool:
        return any(all(_matches(levels[name], wanted) for name, wanted in rule.items()) for rule in self.sweep.exclude)

    def _load_key(self, levels: dict[str, Level]) -> str:
        needed = {name: levels[name] for name in self._declaration.load_factors}
        return f"{self._declaration.holds} {json.dumps(needed)}"


class Plan:
    """All sweeps of a spec; tasks are numbered through."""

    def __init__(self, spec: Spec, catalogue: Catalogue) -> None:
        self.spec = spec
        self.grids = [Grid(sweep, catalogue[sweep.benchmark]) for sweep in spec.sweep]

    def __len__(self) -> int:
        return sum(map(len, self.grids))

    def task(self, number: int) -> Task:
        """The task of that number."""
        for grid in self.grids:
            if number < len(grid):
                return grid.task(number)
            number -= len(grid)
        raise IndexError(number)

    def tasks(self) -> Iterator[tuple[int, Task]]:
        """Every number with its task, made on the way."""
        number = 0
        for grid in self.grids:
            for order_index in range(len(grid)):
                yield number, grid.task(order_index)
                number += 1

    def check(self) -> None:
        """Refuse impossible cells; see Grid.check."""
        for grid in self.grids:
            grid.check()


def _slot(levels: dict[str, Any]) -> Slot:
    return Slot.parse(levels["device"], levels["cpu_cores"])


def _matches(level: Level, wanted: Any) -> bool:
    return level == wanted or (isinstance(wanted, list) and level in wanted)
