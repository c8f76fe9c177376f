"""noop: waits for `wait_s`; measures the cost of the harness itself, and tries out a cluster."""

import time
from collections.abc import Iterator
from typing import Annotated, ClassVar

from pydantic import Field

from actors.benchmarks.base import OneTaskPerCell, timed_rows
from sweeps.plan.declaration import Factors
from sweeps.schema import COLUMNS, Columns
from sweeps.task import Row, Task


class NoopFactors(Factors):
    """`index` makes cells distinct; `wait_s` makes them last."""

    index: Annotated[int, Field(ge=0)] = Field(
        default=0, description="number that tells cells apart, and has no other effect"
    )
    wait_s: Annotated[float, Field(ge=0, allow_inf_nan=False)] = Field(
        default=0.0, description="seconds that each run waits"
    )


class Noop(OneTaskPerCell):
    """A benchmark that only waits."""

    columns: ClassVar[Columns] = COLUMNS["noop"]
    factors: ClassVar[type[Factors]] = NoopFactors
    resource_kind: ClassVar[str | None] = None
    reads_builtin: ClassVar[bool] = False
    load_factors: ClassVar[tuple[str, ...]] = ()

    def load(self, factors: NoopFactors, devices: tuple[str, ...]) -> None:
        """Load nothing."""

    def unload(self, held: None) -> None:
        """Do nothing: the worker holds no resource."""

    def rows(
        self,
        held: None,  # noqa: ARG002 - the protocol's
        task: Task,
        factors: NoopFactors,
    ) -> Iterator[Row]:
        """Yield rows without metrics."""
        return timed_rows(task, lambda _: _wait(factors.wait_s))


def _wait(wait_s: float) -> Row:
    if wait_s:
        time.sleep(wait_s)
    return {}
