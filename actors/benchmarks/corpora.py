"""The corpora that a sweep scores: opened once, told, cut into shards, and held against what was scored before.

A corpus is its content, not its path. One that was moved goes on under the path that its rows have; one that grew has
only its new rows scored; any other change is refused with the file's name. Imports no torch.
"""

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pydantic import TypeAdapter

from actors.benchmarks.inputs import ModelInputs, open_models
from scoring.corpora.corpus import Corpus, CorpusSettings
from scoring.corpora.history import History
from scoring.corpora.settings import BUILTIN_DOCS
from scoring.corpora.shards import Shards
from scoring.errors import CorpusChanged, CorpusError
from sweeps.errors import UserError
from sweeps.task import Level, TaskShard

CORPUS: Final[TypeAdapter[CorpusSettings]] = TypeAdapter(CorpusSettings)


@dataclass(frozen=True)
class CorpusInputs(ModelInputs):
    """The models of a sweep, and its corpora cut into shards."""

    names: Mapping[str, Level] | None = None
    """Level in the rows by level of this spec as JSON; they differ for a corpus that was moved."""
    histories: Mapping[str, History] | None = None
    """By the level that the rows have, as JSON."""
    shards_by_corpus: Mapping[tuple[str, int], Sequence[TaskShard]] | None = None
    """By that level and the number of records of a shard."""

    @property
    def record(self) -> Mapping[str, Any]:
        """Fingerprints of the models and histories of the corpora, as JSON."""
        return {**super().record, "corpora": dict(self.histories or {})}

    def canonical(self, factor: str, level: Level) -> Level:
        """Return a corpus as the rows have it."""
        return (self.names or {}).get(json.dumps(level), level) if factor == "corpus" else level

    def shards(self, levels: Mapping[str, Level]) -> Sequence[TaskShard | None]:
        """Return the shards of the cell's corpus."""
        return (self.shards_by_corpus or {})[json.dumps(levels["corpus"]), int(levels["shard_records"])]  # type: ignore[arg-type]


def open_corpora(
    factors: Mapping[str, Sequence[Level]], known: Mapping[str, Any], progress: Callable[[str], object]
) -> CorpusInputs:
    """Open every corpus of a sweep, once, and its models.

    Args:
        factors: every factor with its levels.
        known: the record of what rows on disk are of.
        progress: told how far it is, from time to time.

    Raises:
        UserError: a corpus cannot be read, or it is not what rows on disk are of.
    """
    models = open_models("pair", factors, known)
    before: Mapping[str, History | None] = known.get("corpora", {})
    checkpoints = frozenset(rows for history in before.values() for rows in _row_counts(history))
    levels = {json.dumps(level): level for level in factors["corpus"]}
    sizes = frozenset(int(size) for size in factors["shard_records"])  # type: ignore[arg-type]
    opened = {key: _opened(level, checkpoints, progress, sizes) for key, level in levels.items()}
    moved = _moved(
        {key: corpus for key, corpus in opened.items() if key not in before},
        {key: history for key, history in before.items() if key not in levels},
    )
    names, histories, lines, warnings = {}, {}, list(models.lines), list(models.warnings)
    shards: dict[tuple[str, int], Sequence[TaskShard]] = {}
    for key, level in levels.items():
        name, corpus = moved.get(key, (key, opened[key]))
        lines.append(f"corpus {_path(level)}")
        if key in before:
            corpus = _continued(corpus, before[key], level)
        elif name != key:
            lines.append(f"  is the one that rows on disk call {_path(json.loads(name))}: it goes on under that name")
        if name in before and before[name] is None:
            warnings.append(
                f"corpus {_path(level)}: rows on disk are of an older version, which did not write down what it read; "
                "nobody can tell whether the corpus is still the same"
            )
        names[key], histories[name] = json.loads(name), corpus.history
        shards |= {(name, size): _task_shards(corpus, size) for size in sizes}
        lines += [f"  {line}" for line in corpus.survey.lines]
        warnings += [f"corpus {_path(level)}: {warning}" for warning in corpus.survey.warnings]
    warnings += dict.fromkeys(f"{overlap}: its texts are scored for each" for overlap in _overlaps(histories))
    return CorpusInputs(models.factor, models.fingerprints, lines, warnings, names, histories, shards)


def absolute_corpus(level: Any, base: Path) -> Any:
    """A level of `corpus`, or a list of them, with its path made absolute; what has none stays as it is."""
    if isinstance(level, list):
        return [absolute_corpus(entry, base) for entry in level]
    if isinstance(level, dict):
        return {**level, "path": absolute_corpus(level["path"], base)} if isinstance(level.get("path"), str) else level
    if not isinstance(level, str) or not level or level == BUILTIN_DOCS or "://" in level:
        return level
    return os.path.normpath(base / os.path.expanduser(level))  # noqa: PTH111 - pathlib raises for an unknown user


def _opened(
    level: Level, checkpoints: frozenset[int], progress: Callable[[str], object], shard_sizes: frozenset[int]
) -> Corpus:
    try:
        return Corpus.open(CORPUS.validate_python(level), checkpoints, progress, shard_sizes)
    except CorpusError as error:
        raise UserError(f"factors.corpus: {error}") from error


def _continued(corpus: Corpus, history: History | None, level: Level) -> Corpus:
    if history is None:
        return corpus
    try:
        return corpus.continued(history)
    except CorpusChanged as error:
        raise UserError(
            f"factors.corpus {_path(level)}: {error}; rows on disk are of the corpus as it was: put that back, or "
            "choose another --out"
        ) from error


def _moved(opened: Mapping[str, Corpus], free: Mapping[str, History | None]) -> Mapping[str, tuple[str, Corpus]]:
    """Match corpora at new places with corpora of earlier rows that are not named any more, the surest match first.

    Returns:
        By level of this spec, as JSON: the level that the rows have, and the corpus as its continuation.
    """
    matches = [
        (_sureness(key, corpus, name, history), key, name, continued)
        for key, corpus in opened.items()
        for name, history in free.items()
        if (continued := _continuation(key, corpus, name, history)) is not None
    ]
    moved: dict[str, tuple[str, Corpus]] = {}
    taken: set[str] = set()
    for _, key, name, continued in sorted(matches, key=lambda match: match[0], reverse=True):
        if key not in moved and name not in taken:
            moved[key] = name, continued
            taken.add(name)
    return moved


def _sureness(key: str, corpus: Corpus, name: str, history: History | None) -> tuple[bool, int, int]:
    """How sure it is that one corpus is the other: the same rows, the more of them, the more alike in place."""
    rows = sum(int(segments[-1][0]) for segments in (history or {}).values())
    here, there = (_path(json.loads(level)).split("/")[::-1] for level in (key, name))
    alike = next((count for count, (a, b) in enumerate(zip(here, there, strict=False)) if a != b), 0)
    return rows == corpus.rows, rows, alike


def _continuation(key: str, corpus: Corpus, name: str, history: History | None) -> Corpus | None:
    """The corpus as a continuation of an earlier one; None if it is another one."""
    level, earlier = json.loads(key), json.loads(name)
    if _columns(earlier) != _columns(level):
        return None
    if history is None:  # an older version kept relative paths
        return corpus if absolute_corpus(earlier, Path.cwd()) == level else None
    try:
        return corpus.continued(history)
    except CorpusChanged:
        return None


def _overlaps(histories: Mapping[str, History]) -> Iterator[str]:
    """Warnings of files whose rows are in two corpora of one sweep: their texts would count twice."""
    seen: dict[str, str] = {}
    for name, history in histories.items():
        for segments in history.values():
            digest = str(segments[-1][1])
            other = seen.setdefault(digest, name)
            if other != name and segments[-1][0]:
                yield f"corpora {_path(json.loads(other))} and {_path(json.loads(name))} hold a file of the same rows"


class _TaskShards(Sequence[TaskShard]):
    """The shards of a corpus as shards of tasks, each made when somebody asks for it: there may be a million."""

    def __init__(self, shards: Shards) -> None:
        self._shards = shards

    def __len__(self) -> int:
        return len(self._shards)

    def __getitem__(self, index: Any) -> Any:
        """Return a shard, or a list of shards."""
        if isinstance(index, slice):
            return [self[place] for place in range(*index.indices(len(self)))]
        shard = self._shards[index]
        return TaskShard(f"{shard.name}:{shard.first_row}+{shard.row_count}", shard)


def _task_shards(corpus: Corpus, shard_records: int) -> _TaskShards:
    try:
        return _TaskShards(corpus.cut(shard_records))
    except (CorpusError, OSError) as error:
        raise UserError(f"factors.corpus: {error}") from error


def _row_counts(history: History | None) -> Iterator[int]:
    return (int(rows) for segments in (history or {}).values() for rows, _ in segments)


def _path(level: Any) -> str:
    return str(level["path"] if isinstance(level, dict) else level)


def _columns(level: Any) -> dict[str, Any]:
    """Everything of a level but where it is."""
    return {key: value for key, value in level.items() if key != "path"} if isinstance(level, dict) else {}
