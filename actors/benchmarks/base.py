"""The interface of a benchmark: declared factors and columns, a resource held in memory, rows measured with it.

Torch is imported inside the functions that use it, here and in every benchmark: the driver reads the
declarations to check a spec, and a mistake in a spec must not cost the seconds that those imports take.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, ClassVar, Final, Literal, Protocol

from pydantic import Field

from actors.benchmarks.inputs import absolute_models, open_models
from sweeps.plan.declaration import BenchmarkInfo, Inputs
from sweeps.task import Level, Row, Task, TaskShard

OOM_ITEM: Final = "oom_item"
"""Key in a row's metrics, not a column: its value names the item of the task's shard that ran out of memory."""

Quantization = Annotated[
    Literal["none", "4-bit", "8-bit"],
    Field(
        description="bitsandbytes quantization of the weights, on GPUs and on CPUs: none, 4-bit NF4, or 8-bit LLM.int8"
    ),
]
Dtype = Annotated[
    Literal["auto", "float32", "bfloat16", "float16"],
    Field(
        description='data type of the weights that are not quantized; `"auto"` is the fastest that the device computes '
        "natively"
    ),
]


@dataclass(frozen=True)
class Weights:
    """Weights that a task brings onto its devices, as far as they can be checked before the load."""

    quantization: Quantization
    dtype: str
    """Level of the factor: `auto`, or the name of a torch dtype."""
    models_by_device: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Names of the models that a device must hold whole, by device; models with shared-out layers are left out."""
    full_precision_by_device: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Names of the models that a device must hold whole beside these, without quantization."""


class Benchmark(BenchmarkInfo, Protocol):
    """A kind of measurement. Instances have no state: the worker keeps the loaded resource, and passes it as `held`."""

    def weights(self, factors: Any, devices: tuple[str, ...]) -> Weights | None:
        """Return the weights that a task brings onto those torch devices; None if there are none."""

    def load(self, factors: Any, devices: tuple[str, ...]) -> Any:
        """Load the resource that `load_factors` name onto those torch devices, and return the resource."""

    def unload(self, held: Any) -> None:
        """Release the resource."""

    def rows(self, held: Any, task: Task, factors: Any) -> Iterator[Row]:
        """Yield the metrics of each row of the task as they are measured.

        An item that ran out of memory has a row too: its status is `oom_gpu` or `oom_host`, and `OOM_ITEM` names the
        item.

        Raises:
            InputElsewhere: this node cannot see the shard's data; raised before the first row.
        """


class OneTaskPerCell:
    """Defaults of benchmarks whose cells are one task each, and for which `oom` is a result that is not escalated."""

    paths: ClassVar[Mapping[str, Callable[[Any, Path], Any]]] = {"model": absolute_models}
    timed: ClassVar[bool] = True
    reads_builtin: ClassVar[bool] = True
    escalates_on_oom: ClassVar[bool] = False
    memory_grows_with: ClassVar[str | None] = None

    def open_inputs(
        self,
        factors: Mapping[str, Sequence[Level]],
        known: Mapping[str, Any],
        progress: Callable[[str], object],  # noqa: ARG002 - nothing here takes long
    ) -> Inputs:
        """Return the models of a sweep, with a fingerprint of each model that is a directory."""
        return open_models("model", factors, known)

    def fetch(self, shard: TaskShard) -> TaskShard:
        """Fail: these benchmarks have no shards."""
        raise NotImplementedError(shard.name)

    def row_identities(self, task: Task) -> Iterable[Row]:  # noqa: ARG002 - whatever the task
        """Return one row without identity columns, for a task that fails."""
        return ({},)

    def summary_counts(self, rows: Sequence[Row]) -> Mapping[str, int]:  # noqa: ARG002 - whatever the rows
        """Return no counts."""
        return {}

    def weights(self, factors: Any, devices: tuple[str, ...]) -> Weights | None:  # noqa: ARG002 - whatever they are
        """Return None: these benchmarks load no weights."""
        return None


def timed_rows(task: Task, measure: Callable[[int], Row]) -> Iterator[Row]:
    """Warm up, then measure: yield the rows of `task.iterations` calls; warm-up calls are never recorded.

    Args:
        task: has the numbers of warm-ups and iterations.
        measure: makes one run, given the run's number: negative for warm-ups, from 0 for recorded runs; iterations
            that are added later continue the numbers.
    """
    for number in range(-task.warmup, 0):
        measure(number)
    for number in range(task.first_iteration, task.first_iteration + task.iterations):
        yield measure(number)
