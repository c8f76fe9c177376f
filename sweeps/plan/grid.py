"""The tasks of a spec, by number, without holding them.

A plan of 100,000 tasks is a few arrays of integers; a Task is made when it is asked for. Numbers follow the
shuffled order, so a task's number within its sweep is its `order_index`. A plan is made once, where the run is started
(planning.py): the dry run shows it, and the coordinator runs it.
"""

import json
import random
from array import array
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import ValidationError

from sweeps.errors import UserError
from sweeps.plan.cells import Cells
from sweeps.plan.declaration import BenchmarkInfo, Inputs, added_defaults
from sweeps.plan.spec import Spec, Sweep
from sweeps.plan.validation_messages import reason_of
from sweeps.schema import Columns
from sweeps.task import NO_LOAD, Level, Slot, Task, TaskShard

Group = tuple[Slot, str]
"""Slot and load key: tasks of one group can follow each other on a worker without a load."""
MAX_CELLS = 5_000_000
MAX_TASKS = 50_000_000


class _Unit(NamedTuple):
    """One task of a cell in each round."""

    shard: TaskShard | None
    first_iteration: int
    iterations: int


class Grid:
    """The cells of one sweep, and its tasks in the order in which they are leased."""

    def __init__(
        self, sweep: Sweep, benchmark: BenchmarkInfo, inputs: Inputs, iterations: Sequence[int] | None = None
    ) -> None:
        """
        Args:
            sweep: with every factor spelled out, levels as `inputs` calls them.
            benchmark: that is measured.
            inputs: that its cells read.
            iterations: number of iterations of a cell after each run that added some, rising; the last is the sweep's.
                None: all at once.
        """
        self.sweep = sweep
        self.inputs = inputs
        self.iterations = tuple(iterations or (sweep.iterations,))
        self._benchmark = benchmark
        self.cells = Cells(sweep)
        if len(self.cells) > MAX_CELLS:
            raise UserError(f"sweep {sweep.name!r}: {len(self.cells):,} cells; at most {MAX_CELLS:,} fit in one sweep")
        self.excluded = 0
        self.added = added_defaults(benchmark.factors)
        """Default of every factor that rows on disk may be older than: with these they were measured."""
        self._varying = tuple(name for name, levels in sweep.factors.items() if len(levels) > 1)
        # Units are the tasks of one round: cell by cell, shard by shard. A cell's units start at _starts[cell].
        self._starts = array("L", self._count_units())
        self._order = self._order_of(self._starts.pop())

    def __len__(self) -> int:
        return len(self._order)

    @property
    def columns(self) -> Columns:
        """Columns of its benchmark's rows."""
        return self._benchmark.columns

    @property
    def is_timed(self) -> bool:
        """True where a cell is measured again and again."""
        return self._benchmark.timed

    def task(self, order_index: int) -> Task:
        """Return the task at that place of the order."""
        unit = self._order[order_index]
        cell = bisect_right(self._starts, unit) - 1
        levels = self.cells[cell]
        shard, first_iteration, iterations = self._units(levels)[unit - self._starts[cell]]
        return Task(
            sweep=self.sweep.name,
            benchmark=self.sweep.benchmark,
            factors=levels,
            slot=_slot(levels),
            load_key=self._load_key(levels),
            iterations=iterations,
            warmup=self.sweep.warmup,
            seed=self.sweep.seed,
            round=order_index * self.sweep.rounds // len(self._order),
            order_index=order_index,
            varying=self._varying,
            defaulted=tuple(name for name, level in self.added.items() if levels[name] == level),
            shard=shard,
            first_iteration=first_iteration,
            revisions=self.inputs.revisions(levels),
        )

    def check(self) -> None:
        """Refuse impossible combinations of levels, and a sweep without any cell left.

        Raises:
            UserError: the first such cell, and how to leave it out.
        """
        if self.excluded == len(self.cells):
            raise UserError(
                f"sweep {self.sweep.name!r}: the rules of [[sweep.exclude]] leave none of its {len(self.cells):,} "
                f"cells; drop some, or all with --set {self.sweep.name}.exclude=[]"
            )
        for levels in self.cells.measured():
            try:
                self._benchmark.factors.model_validate(levels)
            except ValidationError as error:
                raise UserError(
                    f"sweep {self.sweep.name!r}: the cell {json.dumps(levels)} is impossible: "
                    f"{reason_of(error.errors()[0])}; leave such cells out with [[sweep.exclude]]"
                ) from error

    def _units(self, levels: dict[str, Level]) -> Sequence[_Unit]:
        """Return the tasks of a cell in one round: its shards; or its first iterations, then the added ones."""
        shards = self.inputs.shards(levels)
        if not self._benchmark.timed:
            return _ShardUnits(shards, self.sweep.iterations)
        starts = (0, *self.iterations[:-1])
        return [
            _Unit(shard, first, stop - first)
            for shard in shards
            for first, stop in zip(starts, self.iterations, strict=True)
        ]

    def _count_units(self) -> Iterator[int]:
        """Yield the first unit of each cell, and at last the number of units; an excluded cell has none."""
        units = 0
        for cell in range(len(self.cells)):
            yield units
            levels = self.cells[cell]
            if self.cells.excludes(levels):
                self.excluded += 1
            else:
                units += len(self._units(levels))
            if units * self.sweep.rounds > MAX_TASKS:
                raise UserError(
                    f"sweep {self.sweep.name!r}: more than {MAX_TASKS:,} tasks; take fewer levels or rounds"
                )
        yield units

    def _order_of(self, units: int) -> "array[int]":
        """Return the units of every round in the order in which they are leased.

        Times are shuffled, so that a slow drift of the machine does not look like a factor. Scores do not drift: the
        shards of a corpus come in its order, so that workers read forward in files that have no way back.
        """
        if not self._benchmark.timed:
            return array("I", list(range(units)) * self.sweep.rounds)
        generator = random.Random(self.sweep.seed)
        order = array("I")
        for _ in range(self.sweep.rounds):
            order.extend(generator.sample(range(units), units))
        return order

    def _load_key(self, levels: dict[str, Level]) -> str:
        benchmark = self._benchmark
        if benchmark.resource_kind is None:
            return NO_LOAD
        return f"{benchmark.resource_kind} {json.dumps({name: levels[name] for name in benchmark.load_factors})}"


class _ShardUnits(Sequence[_Unit]):
    """The shards of a cell as units, each made when it is asked for: a corpus may have a million."""

    def __init__(self, shards: Sequence[TaskShard | None], iterations: int) -> None:
        self._shards = shards
        self._iterations = iterations

    def __len__(self) -> int:
        return len(self._shards)

    def __getitem__(self, index: Any) -> Any:
        return _Unit(self._shards[index], 0, self._iterations)


class Plan:
    """All sweeps of a spec; tasks are numbered through."""

    def __init__(self, spec: Spec, grids: Sequence[Grid], directory: Path, known: Mapping[str, str]) -> None:
        """
        Args:
            spec: with every factor spelled out.
            grids: one a sweep.
            directory: of the run: `<out>/<spec name>`, absolute.
            known: id of the rows on disk of each sweep when the plan was made, to see whether they are still the same.
        """
        self.spec = spec
        self.grids = list(grids)
        self.directory = directory
        self.known = dict(known)

    def __len__(self) -> int:
        return sum(map(len, self.grids))

    def task(self, number: int) -> Task:
        """Return the task of that number."""
        for grid in self.grids:
            if number < len(grid):
                return grid.task(number)
            number -= len(grid)
        raise IndexError(number)

    def tasks(self) -> Iterator[tuple[int, Task]]:
        """Yield every number with its task."""
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
