"""binoculars: scores the fragments of a corpus with a pair of models; a task is a shard of the corpus."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

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
from sweeps.plan.declaration import Factors, added_later, rehearsed_with
from sweeps.schema import COLUMNS, Columns
from sweeps.task import Row, Task

if TYPE_CHECKING:
    from scoring.binoculars import Binoculars


class BinocularsFactors(Factors):
    """A pair, a corpus, how it is cut, and how the pair is run."""

    pair: Annotated[list[ModelId], Field(min_length=2, max_length=2)] = Field(
        description="observer and performer, `[base, instruct]`: two models that share one tokenizer, each "
        f"{MODEL_NAMES}",
        json_schema_extra=rehearsed_with(list(BUILT_IN_MODELS), list(BUILT_IN_MODELS[::-1])),
    )
    corpus: CorpusLevel = "builtin://docs"
    fragments: FragmentsLevel = Field(
        default_factory=lambda: {"mode": "random", "min_words": 10, "max_words": 300},
    )
    alignment: Literal["reference", "aligned"] = Field(
        default="reference",
        description='predictions that the cross-perplexity counts: `"reference"` has the one after the last token too, '
        'as the authors\' code does; `"aligned"` has the same ones as the perplexity',
    )
    quantization: Quantization = "none"
    dtype: Dtype = "auto"
    placement: Literal["same", "split"] = Field(
        default="same",
        description='places of the two models: `"same"` puts both on the same devices; `"split"` puts one on the first '
        'and one on the last GPU of a slot such as `"gpu x2"`, where both compute at the same time',
    )
    max_tokens: MaxTokens = 512
    shard_records: ShardRecords = 16
    panel: bool = Field(
        default=True,
        description="rows have the sums and scores of the panel too, from the same two forward passes: `fast_detect`, "
        "`log_rank`, `lrr`, entropies and more (docs/scoring.md); `false` saves a few percent of the time",
        json_schema_extra=added_later(before=False),
    )

    @model_validator(mode="after")
    def _split_needs_two(self) -> Self:
        if self.placement == "split" and self.device != "cpu" and self.slot.gpus < 2:
            raise ValueError(f"placement 'split' wants two GPUs, as in 'gpu x2', not device {self.device!r}")
        return self

    @model_validator(mode="after")
    def _fragments_within_limit(self) -> Self:
        refuse_longer(self.fragments, self.max_tokens)
        return self


class BinocularsBenchmark(CorpusBenchmark):
    """Scoring of a shard's fragments, with a pair that stays loaded across shards."""

    columns: ClassVar[Columns] = COLUMNS["binoculars"]
    factors: ClassVar[type[Factors]] = BinocularsFactors
    model_factor: ClassVar[str] = "pair"
    result: ClassVar[str] = "score"
    paths: ClassVar[Mapping[str, Callable[[Any, Path], Any]]] = corpus_paths("pair")
    resource_kind: ClassVar[str | None] = "pair"
    load_factors: ClassVar[tuple[str, ...]] = (
        "pair",
        "quantization",
        "dtype",
        "placement",
        "alignment",
        "max_tokens",
        "panel",
    )

    def weights(self, factors: BinocularsFactors, devices: tuple[str, ...]) -> Weights:
        """Return the weights of both models, by the device that holds each whole."""
        models = list(dict.fromkeys(factors.pair))
        by_device: dict[str, list[str]] = {}
        if factors.placement == "split":
            by_device = {devices[0]: models[:1], devices[-1]: models[1:]}
        elif len(devices) == 1:
            by_device = {devices[0]: models}
        return Weights(factors.quantization, factors.dtype, by_device)

    def load(self, factors: BinocularsFactors, devices: tuple[str, ...]) -> "Binoculars":
        """Load both models, and check that they share one tokenizer."""
        from scoring.binoculars import Binoculars

        observer, performer = factors.pair
        return Binoculars(
            observer,
            performer,
            alignment=factors.alignment,
            placement=factors.placement,
            devices=devices,
            device_map="single" if len(devices) == 1 or factors.placement == "split" else "auto",
            quantization=factors.quantization,
            dtype=factors.dtype,
            max_tokens=factors.max_tokens,
            panel=factors.panel,
        )

    def rows(self, held: "Binoculars", task: Task, factors: BinocularsFactors) -> Iterator[Row]:
        """Yield a row for each fragment, or for each of its prefixes: with its score, or with the reason for none."""
        models = (held.pair.observer, held.pair.performer)
        shared: Row = {
            "revision": ", ".join(str(one.files.revision) for one in models),
            "dtype_effective": ", ".join(dict.fromkeys(one.dtype_name for one in models)),
            # The smaller share of the two models.
            "quantized_share": min(
                (one.quantized_share for one in models if one.quantized_share is not None), default=None
            ),
            "device_map_effective": maps_of(models),
            "observer": factors.pair[0],
            "performer": factors.pair[1],
        }
        yield from fragment_rows(models, list(task_fragments(task, factors, models[0])), held.score_fragments, shared)
