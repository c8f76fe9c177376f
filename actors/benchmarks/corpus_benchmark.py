"""Common base of the benchmarks that run a pair of models over the fragments of a corpus; a task is a shard of it.

The fragments depend on the corpus and the settings alone, never on shards, workers or order. A fragment that does not
fit into a slot's memory even alone is escalated to a larger slot.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Protocol

from pydantic import AfterValidator, Field, TypeAdapter, ValidationError

from actors.benchmarks.corpora import CORPUS, absolute_corpus, open_corpora
from actors.benchmarks.inputs import absolute_models
from actors.benchmarks.shard_fragments import (
    FRAGMENTS,
    failed_fragments,
    identity,
    left_over,
    oom_row,
    shard_fragments,
    tight_fragments,
    unreadable,
    without_result,
)
from scoring.corpora.corpus import read_rows
from scoring.corpora.settings import BUILTIN_DOCS
from scoring.errors import CorpusChanged, CorpusUnavailable
from scoring.fragments import Fragment
from scoring.results import FragmentOrigin, origin_of
from sweeps.errors import InputChanged
from sweeps.plan.declaration import Factors, Inputs, PositiveInt, rehearsed_with
from sweeps.task import Level, Row, Task, TaskShard

if TYPE_CHECKING:
    from models.load import LoadedModel
    from scoring.pair import Pair


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


CorpusLevel = Annotated[
    str | dict[str, Any],
    AfterValidator(_checked_by(CORPUS)),
    Field(
        description="texts to score: a file, folder or glob of JSONL, JSON, CSV, TSV or Parquet, "
        "`hf://dataset[:split]`, `builtin://docs`, or a table with `path` and the columns to read (docs/scoring.md)",
        json_schema_extra=rehearsed_with(BUILTIN_DOCS),
    ),
]
FragmentsLevel = Annotated[
    dict[str, Any],
    AfterValidator(_checked_by(FRAGMENTS)),
    Field(
        description='pieces of each text that are scored: `{ mode = "random", min_words = 10, max_words = 300 }`, '
        '`{ mode = "prefix", tokens = [16, 32] }`, `{ mode = "window", words = 200, step = 100 }` or '
        '`{ mode = "whole" }`; lengths in tokens: `{ mode = "random", min_tokens = 16, max_tokens = 256 }`, '
        '`{ mode = "window", tokens = 200, step = 100 }`; `balanced = false` in a random one cuts every text up to its '
        "own end (docs/scoring.md)"
    ),
]
MaxTokens = Annotated[
    PositiveInt,
    Field(description="tokens of a fragment that are scored at most; the row of a longer one says `truncated`"),
]
ShardRecords = Annotated[
    PositiveInt,
    Field(description="records of the corpus in one task: as many are scored again if a worker is killed"),
]


def corpus_paths(model_factor: str) -> Mapping[str, Callable[[Any, Path], Any]]:
    """Return `BenchmarkInfo.paths` of a benchmark whose models are levels of this factor."""
    return {model_factor: absolute_models, "corpus": absolute_corpus}


class HoldsPair(Protocol):
    """A pair in a worker's memory: two models, or one model twice."""

    pair: "Pair"


class CorpusBenchmark:
    """Fragments of a shard, run through a pair that stays loaded across shards."""

    factors: ClassVar[type[Factors]]
    model_factor: ClassVar[str]
    """Factor whose levels name the models: `pair` or `model`."""
    result: ClassVar[str]
    """Name of a fragment's result, for the summary of a run: `score` or `comparison`."""
    timed: ClassVar[bool] = False
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
        inputs = open_corpora(self.model_factor, factors, known, progress)
        tight = tight_fragments(factors.get("fragments", ()), factors.get("max_tokens", ()))
        return replace(inputs, warnings=[*tight, *inputs.warnings])

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
        factors: Any = self.factors.model_validate(dict(task.factors))
        model = self.tokenizer_of(factors)
        for fragment in failed_fragments(shard_of(task), factors.corpus, factors.fragments, model):
            for prefix in fragment.prefix_tokens or (None,):
                origin = FragmentOrigin(**origin_of(fragment, prefix), null_reason=fragment.null_reason)
                yield identity(origin)

    def summary_counts(self, rows: Sequence[Row]) -> Mapping[str, int]:
        """Return the number of rows without a result, and of words that are in no fragment, each by reason."""
        return without_result(rows, self.result) | left_over(rows)

    def tokenizer_of(self, factors: Any) -> str:
        """Return the name of the model whose tokenizer cuts the fragments: the observer, or the only model."""
        models = getattr(factors, self.model_factor)
        return str(models if isinstance(models, str) else models[0])

    def unload(self, held: HoldsPair) -> None:
        """Release both models."""
        from models.load import unload

        observer, performer = held.pair.observer, held.pair.performer
        del held.pair
        unload(observer)
        if performer is not observer:
            unload(performer)


def task_fragments(task: Task, factors: Any, model: "LoadedModel") -> Iterator[Fragment]:
    """Yield the fragments of a task's shard that are still to be run; the model's tokenizer counts their tokens."""
    from scoring.tokens import token_spans

    spans = partial(token_spans, model.tokenizer)
    return shard_fragments(shard_of(task), factors.corpus, factors.fragments, spans)


def shard_of(task: Task) -> TaskShard:
    """Return the shard of a scoring task."""
    if task.shard is None:
        raise ValueError(f"{task.label}: a scoring task names a shard")
    return task.shard


def fragment_rows(
    models: "Sequence[LoadedModel]",
    fragments: Sequence[Fragment],
    run: Callable[[Iterable[Fragment]], Iterable[Any]],
    shared: Row,
) -> Iterator[Row]:
    """Yield a row for each fragment, or for each of its prefixes: with its numbers, or with the reason for none.

    Args:
        models: that `run` runs.
        fragments: of the task.
        run: returns a `FragmentOrigin` with numbers for each fragment, or for each prefix.
        shared: columns that all rows have.
    """
    from actors.probes.memory import PeakMemory

    with PeakMemory(tuple(dict.fromkeys(device for one in models for device in one.devices))) as memory:
        results = list(run(fragments))
    shared = memory.columns | shared
    out_of_memory = "oom_host" if models[0].input_device.type == "cpu" else "oom_gpu"
    # Fragments that did not fit come last: a task's last row has the task's status.
    for result in sorted(results, key=lambda result: result.needs_more_memory):
        yield oom_row(result, out_of_memory) if result.needs_more_memory else asdict(result) | shared


def maps_of(models: "Iterable[LoadedModel]") -> str:
    """Return the device maps that took effect, as a JSON list."""
    return json.dumps([json.loads(one.device_map) for one in models])
