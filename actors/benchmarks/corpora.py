"""The corpora that a sweep scores: opened once, described, cut into shards, and compared with the rows on disk.

A corpus is identified by its content, not by its path. A corpus that was moved continues under the path that its rows
have. Of a corpus that grew, only the new rows are scored. Any other change is refused with the file's name. Imports no
torch.
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
    """Level in the rows on disk, by level of this spec as JSON; the two differ for a corpus that was moved."""
    histories: Mapping[str, History] | None = None
    """Histories of the corpora, by the level in the rows as JSON."""
    shards_by_corpus: Mapping[tuple[str, int], Sequence[TaskShard]] | None = None
    """Shards, by the level in the rows as JSON and the number of records of a shard."""

    @property
    def record(self) -> Mapping[str, Any]:
        """Fingerprints of the models and histories of the corpora, as JSON."""
        return {**super().record, "corpora": dict(self.histories or {})}

    def canonical(self, factor: str, level: Level) -> Level:
        """Return the level that the rows have: another path for a corpus that was moved."""
        return (self.names or {}).get(json.dumps(level), level) if factor == "corpus" else level

    def shards(self, levels: Mapping[str, Level]) -> Sequence[TaskShard | None]:
        """Return the shards of the cell's corpus."""
        return (self.shards_by_corpus or {})[json.dumps(levels["corpus"]), int(levels["shard_records"])]  # type: ignore[arg-type]


def open_corpora(
    model_factor: str,
    factors: Mapping[str, Sequence[Level]],
    known: Mapping[str, Any],
    progress: Callable[[str], object],
) -> CorpusInputs:
    """Open every corpus of a sweep once, and its models.

    Args:
        model_factor: the factor whose levels name the models.
        factors: every factor with its levels.
        known: the record of the inputs that rows on disk are of.
        progress: called with a message on the progress, from time to time.

    Raises:
        UserError: a corpus cannot be read, or is not the corpus that rows on disk are of.
    """
    models = open_models(model_factor, factors, known)
    before: Mapping[str, History | None] = known.get("corpora", {})
    checkpoints = frozenset(rows for history in before.values() for rows in _row_counts(history))
    levels = {json.dumps(level): level for level in factors["corpus"]}
    sizes = frozenset(int(size) for size in factors["shard_records"])  # type: ignore[arg-type]
    opened = {key: _open_corpus(level, checkpoints, progress, sizes) for key, level in levels.items()}
    moved = _match_moved(
        {key: corpus for key, corpus in opened.items() if key not in before},
        {key: history for key, history in before.items() if key not in levels},
    )
    names, histories, lines, warnings = {}, {}, list(models.lines), list(models.warnings)
    shards: dict[tuple[str, int], Sequence[TaskShard]] = {}
    for key, level in levels.items():
        name, corpus = moved.get(key, (key, opened[key]))
        lines.append(f"corpus {_path_of(level)}")
        if key in before:
            corpus = _continued(corpus, before[key], level)
        elif name != key:
            earlier = _path_of(json.loads(name))
            lines.append(f"  is the corpus that rows on disk call {earlier}: it is continued under that name")
        if name in before and before[name] is None:
            warnings.append(
                f"corpus {_path_of(level)}: rows on disk are of an older version, which did not record what it read; "
                "whether the corpus is still the same is not known"
            )
        names[key], histories[name] = json.loads(name), corpus.history
        shards |= {(name, size): _task_shards(corpus, size) for size in sizes}
        lines += [f"  {line}" for line in corpus.survey.lines]
        warnings += [f"corpus {_path_of(level)}: {warning}" for warning in corpus.survey.warnings]
    warnings += dict.fromkeys(f"{overlap}: its texts are scored for each" for overlap in _overlaps(histories))
    return CorpusInputs(models.factor, models.fingerprints, lines, warnings, names, histories, shards)


def absolute_corpus(level: Any, base: Path) -> Any:
    """Return a level of `corpus`, or a list of levels, with absolute paths; a level without a path is unchanged."""
    if isinstance(level, list):
        return [absolute_corpus(entry, base) for entry in level]
    if isinstance(level, dict):
        return {**level, "path": absolute_corpus(level["path"], base)} if isinstance(level.get("path"), str) else level
    if not isinstance(level, str) or not level or level == BUILTIN_DOCS or "://" in level:
        return level
    return os.path.normpath(base / os.path.expanduser(level))  # noqa: PTH111 - pathlib raises for an unknown user


def _open_corpus(
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
            f"factors.corpus {_path_of(level)}: {error}; rows on disk are of the corpus as it was: put that back, or "
            "choose another --out"
        ) from error


def _match_moved(opened: Mapping[str, Corpus], free: Mapping[str, History | None]) -> Mapping[str, tuple[str, Corpus]]:
    """Match corpora at new paths with corpora of earlier rows that the spec no longer names, the best match first.

    Returns:
        The level that the rows have, and the corpus as a continuation of it, by level of this spec as JSON.
    """
    matches = [
        (_match_rank(key, corpus, name, history), key, name, continued)
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


def _match_rank(key: str, corpus: Corpus, name: str, history: History | None) -> tuple[bool, int, int]:
    """Return the rank of a match: by equal rows, then by the number of shared rows, then by similar paths."""
    rows = sum(int(segments[-1][0]) for segments in (history or {}).values())
    here, there = (_path_of(json.loads(level)).split("/")[::-1] for level in (key, name))
    alike = next((count for count, (a, b) in enumerate(zip(here, there, strict=False)) if a != b), 0)
    return rows == corpus.rows, rows, alike


def _continuation(key: str, corpus: Corpus, name: str, history: History | None) -> Corpus | None:
    """Return the corpus as a continuation of an earlier one; None if it does not continue that one."""
    level, earlier = json.loads(key), json.loads(name)
    if _settings_but_path(earlier) != _settings_but_path(level):
        return None
    if history is None:  # an older version kept relative paths
        return corpus if absolute_corpus(earlier, Path.cwd()) == level else None
    try:
        return corpus.continued(history)
    except CorpusChanged:
        return None


def _overlaps(histories: Mapping[str, History]) -> Iterator[str]:
    """Yield warnings of files whose rows are in two corpora of one sweep, so that their texts would count twice."""
    seen: dict[str, str] = {}
    for name, history in histories.items():
        for segments in history.values():
            digest = str(segments[-1][1])
            other = seen.setdefault(digest, name)
            if other != name and segments[-1][0]:
                pair = " and ".join(_path_of(json.loads(corpus)) for corpus in (other, name))
                yield f"corpora {pair} hold a file of the same rows"


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


def _path_of(level: Any) -> str:
    return str(level["path"] if isinstance(level, dict) else level)


def _settings_but_path(level: Any) -> dict[str, Any]:
    """Return the settings of a level, without its path."""
    return {key: value for key, value in level.items() if key != "path"} if isinstance(level, dict) else {}
