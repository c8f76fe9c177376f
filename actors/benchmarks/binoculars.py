"""binoculars: scores the fragments of a corpus with a pair of models; a task is a shard of the corpus.

The fragments depend on the corpus and the settings alone, never on shards, workers or order. A fragment that does not
fit into a slot's memory even alone is escalated to a larger slot.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

from pydantic import AfterValidator, Field, TypeAdapter, ValidationError, model_validator

from actors.benchmarks.base import Dtype, Quantization, Weights
from actors.benchmarks.corpora import CORPUS, absolute_corpus, open_corpora
from actors.benchmarks.inputs import absolute_models
from actors.benchmarks.model import BUILT_IN_MODELS, MODEL_NAMES, ModelId
from actors.benchmarks.shard_fragments import (
    FRAGMENTS,
    failed_fragments,
    identity,
    left_over,
    oom_row,
    refuse_longer,
    scoreless,
    shard_fragments,
    unreadable,
)
from scoring.corpora.corpus import read_rows
from scoring.corpora.settings import BUILTIN_DOCS
from scoring.errors import CorpusChanged, CorpusUnavailable
from scoring.results import Score, fragment_score
from sweeps.errors import InputChanged
from sweeps.plan.declaration import Factors, Inputs, PositiveInt, added_later, rehearsed_with
from sweeps.schema import COLUMNS, Columns
from sweeps.task import Level, Row, Task, TaskShard

if TYPE_CHECKING:
    from scoring.binoculars import Binoculars


def _checked_by(adapter: TypeAdapter[Any]) -> Callable[[Any], Any]:
    """Return a validator that checks a level and returns it unchanged, so that rows and ids have the spec's level."""

    def check(level: Any) -> Any:
        try:
            adapter.validate_python(level)
        except ValidationError as error:
            first = error.errors()[0]
            key = ".".join(str(place) for place in first["loc"])
            raise ValueError(f"{key + ': ' if key else ''}{first['msg'].removeprefix('Value error, ')}") from error
        return level

    return check


class BinocularsFactors(Factors):
    """A pair, a corpus, how it is cut, and how the pair is run."""

    pair: Annotated[list[ModelId], Field(min_length=2, max_length=2)] = Field(
        description="observer and performer, `[base, instruct]`: two models that share one tokenizer, each "
        f"{MODEL_NAMES}",
        json_schema_extra=rehearsed_with(list(BUILT_IN_MODELS), list(BUILT_IN_MODELS[::-1])),
    )
    corpus: Annotated[str | dict[str, Any], AfterValidator(_checked_by(CORPUS))] = Field(
        default="builtin://docs",
        description="texts to score: a file, folder or glob of JSONL, JSON, CSV, TSV or Parquet, "
        "`hf://dataset[:split]`, `builtin://docs`, or a table with `path` and the columns to read (docs/scoring.md)",
        json_schema_extra=rehearsed_with(BUILTIN_DOCS),
    )
    fragments: Annotated[dict[str, Any], AfterValidator(_checked_by(FRAGMENTS))] = Field(
        default_factory=lambda: {"mode": "random", "min_words": 10, "max_words": 300},
        description='pieces of each text that are scored: `{ mode = "random", min_words = 10, max_words = 300 }`, '
        '`{ mode = "prefix", tokens = [16, 32] }`, `{ mode = "window", words = 200, step = 100 }` or '
        '`{ mode = "whole" }`; lengths in tokens: `{ mode = "random", min_tokens = 16, max_tokens = 256 }`, '
        '`{ mode = "window", tokens = 200, step = 100 }`; `balanced = false` in a random one cuts every text up to its '
        "own end (docs/scoring.md)",
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
    max_tokens: PositiveInt = Field(
        default=512,
        description="tokens of a fragment that are scored at most; the row of a longer one says `truncated`",
    )
    shard_records: PositiveInt = Field(
        default=16, description="records of the corpus in one task: as many are scored again if a worker is killed"
    )
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


class BinocularsBenchmark:
    """Scoring of a shard's fragments, with a pair that stays loaded across shards."""

    columns: ClassVar[Columns] = COLUMNS["binoculars"]
    factors: ClassVar[type[Factors]] = BinocularsFactors
    paths: ClassVar[Mapping[str, Callable[[Any, Path], Any]]] = {"pair": absolute_models, "corpus": absolute_corpus}
    timed: ClassVar[bool] = False
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
    reads_builtin: ClassVar[bool] = True
    escalates_on_oom: ClassVar[bool] = True
    memory_grows_with: ClassVar[str | None] = None

    def open_inputs(
        self, factors: Mapping[str, Sequence[Level]], known: Mapping[str, Any], progress: Callable[[str], object]
    ) -> Inputs:
        """Open the corpora, and fingerprint the models that are directories.

        Raises:
            UserError: a corpus cannot be read, or a corpus or model is not the one that rows on disk are of.
        """
        return open_corpora(factors, known, progress)

    def fetch(self, shard: TaskShard) -> TaskShard:
        """Return the shard with its raw rows, for a worker on a node that cannot see the shard's file.

        Raises:
            InputChanged: the file has other rows than when the run was planned, or cannot be read any more.
            CorpusUnavailable: this node does not reach the Hub either.
        """
        try:
            return replace(shard, content=list(read_rows(shard.content)))
        except CorpusUnavailable:
            raise
        except CorpusChanged as error:
            raise InputChanged(str(error)) from error
        except OSError as error:
            raise InputChanged(unreadable(shard.content, error)) from error

    def row_identities(self, task: Task) -> Iterator[Row]:
        """Yield the identity columns of every fragment of a failed task's shard, and of every prefix of a fragment."""
        if task.shard is None:
            raise ValueError(f"{task.label}: a scoring task names a shard")
        factors = BinocularsFactors.model_validate(dict(task.factors))
        for fragment in failed_fragments(task.shard, factors.corpus, factors.fragments, factors.pair[0]):
            for prefix in fragment.prefix_tokens or (None,):
                yield identity(fragment_score(fragment, Score(null_reason=fragment.null_reason), prefix))

    def summary_counts(self, rows: Sequence[Row]) -> Mapping[str, int]:
        """Return the number of rows without a score by reason, and of words that are in no fragment, by reason."""
        return scoreless(rows) | left_over(rows)

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

    def unload(self, held: "Binoculars") -> None:
        """Release both models."""
        from models.load import unload

        observer, performer = held.pair.observer, held.pair.performer
        del held.pair
        unload(observer)
        if performer is not observer:
            unload(performer)

    def rows(self, held: "Binoculars", task: Task, factors: BinocularsFactors) -> Iterator[Row]:
        """Yield a row for each fragment, or for each of its prefixes: with its score, or with the reason for none."""
        from actors.probes.memory import PeakMemory
        from scoring.tokens import token_spans

        if task.shard is None:
            raise ValueError(f"{task.label}: a scoring task names a shard")
        spans = partial(token_spans, held.pair.observer.tokenizer)
        fragments = list(shard_fragments(task.shard, factors.corpus, factors.fragments, spans))
        loaded = (held.pair.observer, held.pair.performer)
        with PeakMemory(tuple(dict.fromkeys(d for one in loaded for d in one.devices))) as memory:
            scores = list(held.score_fragments(fragments))
        shared = memory.columns | {
            "revision": ", ".join(str(one.files.revision) for one in loaded),
            "dtype_effective": ", ".join(dict.fromkeys(one.dtype_name for one in loaded)),
            # The smaller share of the two models.
            "quantized_share": min(
                (one.quantized_share for one in loaded if one.quantized_share is not None), default=None
            ),
            "device_map_effective": json.dumps([json.loads(one.device_map) for one in loaded]),
            "observer": factors.pair[0],
            "performer": factors.pair[1],
        }
        out_of_memory = "oom_host" if loaded[0].input_device.type == "cpu" else "oom_gpu"
        # Fragments that did not fit come last: a task's last row has the task's status.
        for score in sorted(scores, key=lambda score: score.needs_more_memory):
            yield oom_row(score, out_of_memory) if score.needs_more_memory else asdict(score) | shared
