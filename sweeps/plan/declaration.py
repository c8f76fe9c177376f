"""The driver's view of a benchmark: its factors and columns, and how its inputs are opened. Knows no benchmark.

A benchmark declares its factors as a subclass of `Factors`: the field's type says which levels are allowed,
its default is used where the spec leaves the factor out.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar, Final, Protocol, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic.fields import FieldInfo

from sweeps.schema import Columns
from sweeps.task import Level, Row, Slot, Task, TaskShard


def _is_device(device: str) -> str:
    Slot.parse(device, cores=1)
    return device


Device = Annotated[str, AfterValidator(_is_device)]
PositiveInt = Annotated[int, Field(ge=1)]
"""Whole number of 1 or more; the column's type bounds it above (spec_checks.py)."""


class Factors(BaseModel):
    """The levels of one cell; `device` and `cpu_cores` depend on the cluster when the spec leaves them out.

    Every factor has a description: the docs and `--explain` show it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    device: Device = Field(
        description='device that a cell runs on: `"cpu"`, `"gpu"` for any GPU, a device class such as `"tesla-k80"` or '
        'words of its name such as `"k80"`, or several GPUs of one node such as `"gpu x3"`',
        json_schema_extra={"rehearsed_with": ["cpu"]},
    )
    cpu_cores: PositiveInt = Field(
        description="physical CPU cores that the worker has for itself, beside a GPU too; torch computes with as many "
        "threads"
    )

    @property
    def slot(self) -> Slot:
        """The slot that the cell needs."""
        return Slot.parse(self.device, self.cpu_cores)


ADDED_LATER: Final[dict[str, Any]] = {"added_later": True}
"""`json_schema_extra` of a factor that a benchmark got after rows were measured without it.

At its default such a factor is no part of a task's identity: older run directories go on.
"""


def added_later(*, before: Level) -> dict[str, Any]:
    """Return ADDED_LATER for a factor at whose default older rows were not measured: they were measured at `before`.

    Older run directories go on with such rows, too: their column says `before`, and the run tells how many there are.
    """
    return {**ADDED_LATER, "before": before}


def rehearsed_with(*levels: Level) -> dict[str, Any]:
    """Return the `json_schema_extra` of a factor whose levels are replaced by these ones in a rehearsal.

    So is every factor whose levels name what only some machines have: models, cards, drives.
    """
    return {"rehearsed_with": list(levels)}


def stand_ins(factors: type[Factors]) -> dict[str, list[Level]]:
    """Return the levels that replace those of a factor in a rehearsal, for the factors marked by `rehearsed_with`."""
    return {
        name: _extra(field)["rehearsed_with"]
        for name, field in factors.model_fields.items()
        if "rehearsed_with" in _extra(field)
    }


def added_defaults(factors: type[Factors]) -> dict[str, Level]:
    """Return the defaults of the factors that are marked as ADDED_LATER."""
    return {
        name: field.get_default(call_default_factory=True)
        for name, field in factors.model_fields.items()
        if "added_later" in _extra(field)
    }


def levels_before(factors: type[Factors]) -> dict[str, Level]:
    """Return the levels of older rows, of the factors for which these are not the default."""
    return {name: _extra(field)["before"] for name, field in factors.model_fields.items() if "before" in _extra(field)}


def _extra(field: FieldInfo) -> dict[str, Any]:
    return field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}


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
        """Content of the inputs, as JSON: kept beside the rows, and given to `open_inputs` when a run goes on."""

    def canonical(self, factor: str, level: Level) -> Level:
        """Return the level as the rows have it: that of an earlier run for a corpus that was moved since."""

    def shards(self, levels: Mapping[str, Level]) -> Sequence[TaskShard | None]:
        """Return the shards of a cell of canonical levels, one a task; (None,) where the cell is one task."""

    def revisions(self, levels: Mapping[str, Level]) -> tuple[str | None, ...]:
        """Return fingerprints of a cell's models in the order of the column `revision`; None for one not seen here."""


class BenchmarkInfo(Protocol):
    """All that the driver knows of a benchmark: enough to check a spec without importing torch."""

    columns: ClassVar[Columns]
    """Columns of its rows."""
    factors: ClassVar[type[Factors]]
    paths: ClassVar[Mapping[str, Callable[[Any, Path], Any]]]
    """For every factor whose levels may hold a path: the function that makes a level's relative paths absolute."""
    timed: ClassVar[bool]
    """True where a cell is measured again and again; False where iterations and rounds would only repeat it."""
    resource_kind: ClassVar[str | None]
    """Kind of what a worker keeps in memory for it: `model`, `pair`; benchmarks may share one. None: nothing."""
    load_factors: ClassVar[tuple[str, ...]]
    """Factors that decide which resource exactly; cells that agree in them share a load."""
    reads_builtin: ClassVar[bool]
    """True where it may read prompts or models of `builtin://`: these are built before any worker starts."""
    escalates_on_oom: ClassVar[bool]
    """True where a task that runs out of memory is tried on a larger slot; False where running out is the result."""
    memory_grows_with: ClassVar[str | None]
    """Factor with which memory can only grow: once a level ran out, higher ones are skipped; None: no such factor."""

    def open_inputs(
        self, factors: Mapping[str, Sequence[Level]], known: Mapping[str, Any], progress: Callable[[str], object]
    ) -> Inputs:
        """Find and look at the inputs of a sweep over these levels.

        Args:
            factors: every factor with its levels.
            known: the record of the inputs that the rows on disk are of; empty where there are none.
            progress: called with a sentence on how far it is, from time to time.

        Raises:
            UserError: an input cannot be read, or is another one than `known` says.
        """

    def fetch(self, shard: TaskShard) -> TaskShard:
        """Return the shard with its data inside, with the same remaining items, for a worker that cannot see them.

        Raises:
            InputChanged: the data are not what they were when the run was planned.
        """

    def row_identities(self, task: Task) -> Iterable[Row]:
        """Return identity columns of every row that a task would have produced that failed before producing any.

        Raises:
            OSError, InputElsewhere: the task's data cannot be read here.
            InputChanged: the data are not what they were when the run was planned.
        """

    def summary_counts(self, rows: Sequence[Row]) -> Mapping[str, int]:
        """Return counts of a task's rows for the summary of the run, by name."""


Registry = Mapping[str, BenchmarkInfo]
"""Benchmarks by name."""
AnyBenchmark = TypeVar("AnyBenchmark", bound=BenchmarkInfo)


class FoundBenchmarks(dict[str, AnyBenchmark]):
    """Benchmarks by name, where some that installed packages offer cannot be used."""

    def __init__(self, benchmarks: Mapping[str, AnyBenchmark], unusable: Mapping[str, str]) -> None:
        """
        Args:
            benchmarks: by name.
            unusable: reason by name, of those that are not among them.
        """
        super().__init__(benchmarks)
        self.unusable = dict(unusable)


def unusable_in(registry: Registry) -> Mapping[str, str]:
    """Return the reasons why benchmarks of installed packages cannot be used, by name."""
    return registry.unusable if isinstance(registry, FoundBenchmarks) else {}


ENTRY_POINT_GROUP: Final = "sweeps.benchmarks"
"""Group of the entry points by which installed packages offer benchmarks."""
