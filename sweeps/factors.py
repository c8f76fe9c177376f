"""What every benchmark's factors have in common: the slot, and how a mistake in a level is told.

A benchmark declares its factors as a subclass of `Factors`: the field's type says which levels are allowed,
its default is used where the spec leaves the factor out. Knows no benchmark.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar, Protocol

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from sweeps.task import Level, Part, Row, Slot, Task


def _is_device(device: str) -> str:
    Slot.parse(device, cores=1)
    return device


Device = Annotated[str, AfterValidator(_is_device)]
PositiveInt = Annotated[int, Field(ge=1)]
"""How large it may be, its column says: spec.py."""


class Factors(BaseModel):
    """The levels of one cell; `device` and `cpu_cores` depend on the cluster when the spec leaves them out."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    device: Device
    cpu_cores: PositiveInt

    @property
    def slot(self) -> Slot:
        """What the cell needs under it."""
        return Slot.parse(self.device, self.cpu_cores)


class Inputs(Protocol):
    """Models and corpora that a sweep reads, found and looked at once, where the run is started."""

    @property
    def lines(self) -> Sequence[str]:
        """Lines that a person should see before the run."""

    @property
    def warnings(self) -> Sequence[str]:
        """Probable mistakes, each with the way to mend it."""

    @property
    def record(self) -> Mapping[str, Any]:
        """Their content, as JSON: kept beside the rows, and given to `open_inputs` when the run is continued."""

    def canonical(self, factor: str, level: Level) -> Level:
        """The level as the rows have it: that of an earlier run for a corpus that was moved since."""

    def parts(self, levels: Mapping[str, Level]) -> Sequence[Part | None]:
        """The tasks of a cell of canonical levels: its parts, or (None,) where the cell is one task."""

    def revisions(self, levels: Mapping[str, Level]) -> tuple[str | None, ...]:
        """Fingerprints of a cell's models in the order of its rows' `revision`; None for one that was not seen here."""


class Declaration(Protocol):
    """What the driver knows of a benchmark: enough to check a spec without importing torch."""

    factors: ClassVar[type[Factors]]
    paths: ClassVar[Mapping[str, Callable[[Any, Path], Any]]]
    """By factor whose levels may hold a path: a level with its relative paths made absolute against a directory."""
    timed: ClassVar[bool]
    """True where a cell is measured again and again; False where iterations and rounds would only repeat it."""
    holds: ClassVar[str]
    """What a worker keeps in memory for it: `model`, `pair`, `nothing`; benchmarks may share."""
    load_factors: ClassVar[tuple[str, ...]]
    """Factors that decide what exactly; cells that agree in them share a load."""
    hands_on: ClassVar[bool]
    """Whether what runs out of memory is tried on a larger slot; False where running out is the result."""
    grows_with: ClassVar[str | None]
    """A factor with which memory only grows: once a level ran out, higher ones are skipped; None: no such factor."""

    def open_inputs(
        self, factors: Mapping[str, Sequence[Level]], known: Mapping[str, Any], progress: Callable[[str], object]
    ) -> Inputs:
        """Find and look at what a sweep over these levels reads.

        Args:
            factors: every factor with its levels.
            known: the record of the inputs that the rows on disk are of; empty where there are none.
            progress: told how far it is, in a sentence, from time to time.

        Raises:
            UserError: an input cannot be read, or is another one than `known` says.
        """

    def ship(self, part: Part) -> Part:
        """The part with its data inside, and still for the same pieces, for a worker on a node that cannot see them.

        Raises:
            InputChanged: they are not what they were when the run was planned.
        """

    def pieces(self, task: Task) -> Iterable[Row]:
        """Which rows a task is to have that was tried and failed as a whole: the columns that tell them apart.

        Raises:
            OSError, InputElsewhere: what the task is made of cannot be read here.
            InputChanged: it is not what it was when the run was planned.
        """

    def remarks(self, rows: Sequence[Row]) -> Mapping[str, int]:
        """What the summary should count of a task's rows, by name."""


Catalogue = Mapping[str, Declaration]
"""Benchmark name to declaration."""
