"""What a benchmark is: declared factors, something held in memory, and rows measured with it.

Torch is imported inside the functions that use it, here and in every benchmark: the driver reads the
declarations to check a spec, and a mistake in a spec must not cost the seconds that those imports take.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Final, Protocol

from actors.benchmarks.inputs import absolute_models, open_models
from sweeps.factors import Declaration, Inputs
from sweeps.task import Level, Part, Row, Task

UNFIT: Final = "unfit"
"""Key of a row, no column: which piece of the part did not fit."""


class Benchmark(Declaration, Protocol):
    """One measurement; instances hold no state, what stays in memory is `held` by the worker."""

    def load(self, factors: Any, devices: tuple[str, ...]) -> Any:
        """Bring what `load_factors` name into memory, on those torch devices."""

    def unload(self, held: Any) -> None:
        """Give it back."""

    def rows(self, held: Any, task: Task, factors: Any) -> Iterator[Row]:
        """The metrics of each row of the task, as they are measured.

        A piece that ran out of memory is a row too: its status is `oom_gpu` or `oom_host`, and `UNFIT` names
        the piece.

        Raises:
            InputElsewhere: before the first row, where this node cannot see the part's data.
        """


class OnePart:
    """For benchmarks whose cells are one task each, and for which running out of memory is a result."""

    paths: ClassVar[Mapping[str, Callable[[Any, Path], Any]]] = {"model": absolute_models}
    timed: ClassVar[bool] = True
    hands_on: ClassVar[bool] = False
    grows_with: ClassVar[str | None] = None

    def open_inputs(
        self,
        factors: Mapping[str, Sequence[Level]],
        known: Mapping[str, Any],
        progress: Callable[[str], object],  # noqa: ARG002 - it takes no time
    ) -> Inputs:
        """The models, where they are directories."""
        return open_models("model", factors, known)

    def ship(self, part: Part) -> Part:
        """Never asked: there are no parts."""
        raise NotImplementedError(part.name)

    def pieces(self, task: Task) -> Iterable[Row]:  # noqa: ARG002 - whatever the task
        """What fails has one row."""
        return ({},)

    def remarks(self, rows: Sequence[Row]) -> Mapping[str, int]:  # noqa: ARG002 - whatever the rows
        """Nothing to count."""
        return {}


def timed_rows(task: Task, measure: Callable[[int], Row]) -> Iterator[Row]:
    """Warm up, then measure: the rows of `task.iterations` calls; those before them are never recorded.

    Args:
        task: says how often.
        measure: one run, given its number: negative for warm-ups, from 0 for what is recorded; iterations that were
            added later go on where the earlier ones ended.
    """
    for number in range(-task.warmup, 0):
        measure(number)
    for number in range(task.first_iteration, task.first_iteration + task.iterations):
        yield measure(number)
