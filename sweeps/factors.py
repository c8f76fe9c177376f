"""What every benchmark's factors have in common: the slot, and how a mistake in a level is told.

A benchmark declares its factors as a subclass of `Factors`: the field's type says which levels are allowed,
its default is used where the spec leaves the factor out. Knows no benchmark.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, ClassVar, Protocol

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from sweeps.task import Level, Part, Row, Slot, Task


def _is_device(device: str) -> str:
    Slot.parse(device, cores=1)
    return device


Device = Annotated[str, AfterValidator(_is_device)]
PositiveInt = Annotated[int, Field(ge=1)]


class Factors(BaseModel):
    """The levels of one cell; `device` and `cpu_cores` depend on the cluster when the spec leaves them out."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    device: Device
    cpu_cores: PositiveInt

    @property
    def slot(self) -> Slot:
        """What the cell needs under it."""
        return Slot.parse(self.device, self.cpu_cores)


class Declaration(Protocol):
    """What the driver knows of a benchmark: enough to check a spec without importing torch."""

    factors: ClassVar[type[Factors]]
    holds: ClassVar[str]
    """What a worker keeps in memory for it: `model`, `pair`, `nothing`; benchmarks may share."""
    load_factors: ClassVar[tuple[str, ...]]
    """Factors that decide what exactly; cells that agree in them share a load."""
    hands_on: ClassVar[bool]
    """Whether what runs out of memory is tried on a larger slot; False where running out is the result."""
    grows_with: ClassVar[str | None]
    """A factor with which memory only grows: once a level ran out, higher ones are skipped; None: no such factor."""

    def parts(self, levels: Mapping[str, Level]) -> Sequence[Part | None]:
        """The tasks of a cell: its parts, or (None,) where the cell is one task."""

    def ship(self, part: Part) -> Part:
        """The part with its data inside, for a worker on a node that cannot see them."""

    def pieces(self, task: Task) -> Iterable[Row]:
        """Which rows a task is to have when it fails as a whole: the columns that tell them apart.

        Raises:
            OSError, InputElsewhere: what the task is made of cannot be read here.
        """

    def remarks(self, rows: Sequence[Row]) -> Mapping[str, int]:
        """What the summary should count of a task's rows, by name."""


Catalogue = Mapping[str, Declaration]
"""Benchmark name to declaration."""
