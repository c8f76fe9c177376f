"""fidelity: how close a quantized model's predictions are to its own at full precision, on the texts of a corpus.

Both models read every fragment once, side by side in memory: the divergence of their predictions is summed up tile by
tile, and no logits are kept. A task is a shard of the corpus.
"""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final, Self

from pydantic import Field, model_validator

from actors.benchmarks.base import Dtype, Quantization, Weights
from actors.benchmarks.corpus_benchmark import (
    CorpusBenchmark,
    CorpusLevel,
    FragmentsLevel,
    MaxTokens,
    ShardRecords,
    corpus_paths,
    fragment_rows,
    maps_of,
    task_fragments,
)
from actors.benchmarks.model import BUILT_IN_MODELS, MODEL_NAMES, ModelId
from actors.benchmarks.shard_fragments import refuse_longer
from scoring.corpora.settings import BUILTIN_DOCS
from sweeps.plan.declaration import Factors, rehearsed_with
from sweeps.schema import COLUMNS, Columns
from sweeps.task import Row, Task

if TYPE_CHECKING:
    from scoring.fidelity import Fidelity

REHEARSED_RECORDS: Final = 64


class FidelityFactors(Factors):
    """A model, how it is quantized, and the texts on which it is compared with itself."""

    model: ModelId = Field(
        description=f"model that is loaded twice, at full precision and quantized: {MODEL_NAMES}",
        json_schema_extra=rehearsed_with(*BUILT_IN_MODELS),
    )
    quantization: Quantization = Field(
        description="bitsandbytes quantization that is compared with full precision: 4-bit NF4, or 8-bit LLM.int8; "
        "none compares the model with itself, which is a check of the measurement"
    )
    dtype: Dtype = "auto"
    # Quantized layers are slow on a CPU, and a rehearsal is one of every level of quantization.
    corpus: CorpusLevel = Field(
        default="builtin://docs",
        json_schema_extra=rehearsed_with({"path": BUILTIN_DOCS, "first_rows": REHEARSED_RECORDS}),
    )
    fragments: FragmentsLevel = Field(default_factory=lambda: {"mode": "whole"})
    max_tokens: MaxTokens = 512
    shard_records: ShardRecords = 16

    @model_validator(mode="after")
    def _fragments_within_limit(self) -> Self:
        refuse_longer(self.fragments, self.max_tokens)
        return self


class FidelityBenchmark(CorpusBenchmark):
    """Comparison on a shard's fragments, with both models loaded across shards."""

    columns: ClassVar[Columns] = COLUMNS["fidelity"]
    factors: ClassVar[type[Factors]] = FidelityFactors
    model_factor: ClassVar[str] = "model"
    result: ClassVar[str] = "comparison"
    paths: ClassVar[Mapping[str, Callable[[Any, Path], Any]]] = corpus_paths("model")
    resource_kind: ClassVar[str | None] = "model and reference"
    load_factors: ClassVar[tuple[str, ...]] = ("model", "quantization", "dtype", "max_tokens")

    def weights(self, factors: FidelityFactors, devices: tuple[str, ...]) -> Weights:
        """Return the weights of both models, if one device holds them whole."""
        whole = {devices[0]: [factors.model]} if len(devices) == 1 else {}
        beside = {} if factors.quantization == "none" else whole
        return Weights(factors.quantization, factors.dtype, whole, beside)

    def load(self, factors: FidelityFactors, devices: tuple[str, ...]) -> "Fidelity":
        """Load the model at full precision and quantized; once, if nothing is to be quantized."""
        from models.load import DeviceMap, load_model
        from scoring.fidelity import Fidelity

        device_map: DeviceMap = "single" if len(devices) == 1 else "auto"
        reference = load_model(factors.model, devices=devices, device_map=device_map, dtype=factors.dtype)
        quantized = reference
        if factors.quantization != "none":
            quantized = load_model(
                factors.model,
                devices=devices,
                device_map=device_map,
                quantization=factors.quantization,
                dtype=factors.dtype,
            )
        return Fidelity(reference, quantized, max_tokens=factors.max_tokens)

    def rows(self, held: "Fidelity", task: Task, factors: FidelityFactors) -> Iterator[Row]:
        """Yield a row for each fragment, or for each of its prefixes: with its fidelity, or the reason for none."""
        reference, quantized = held.pair.observer, held.pair.performer
        shared: Row = {
            "revision": reference.files.revision,
            "dtype_effective": quantized.dtype_name,
            "quantized_share": quantized.quantized_share,
            "device_map_effective": maps_of((reference, quantized)),
        }
        fragments = list(task_fragments(task, factors, reference))
        yield from fragment_rows((reference, quantized), fragments, held.compare_fragments, shared)
