"""The corpora that a sweep scored, opened from its environment file: never other texts than those scored.

A corpus is compared with the fingerprints in the environment file. Of a corpus that grew only the rows that were scored
are read. A corpus that is gone, or differs, is a sentence for the page.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError

from analysis.description import Description
from scoring.corpora.corpus import Corpus, CorpusSettings, read_records
from scoring.corpora.history import checkpoints_of
from scoring.corpora.readers import HUB_PREFIX
from scoring.corpora.records import Record
from scoring.errors import CorpusError
from sweeps.printable import middle_out, printable

SHARD_ROWS: Final = 200
"""Rows that are compared with their fingerprint, and so held, at a time."""
MAX_PATH: Final = 300
"""Characters of a path in a sentence."""
_SETTINGS: Final[TypeAdapter[CorpusSettings]] = TypeAdapter(CorpusSettings)
_HISTORY: Final[TypeAdapter[dict[str, list[tuple[int, str]]]]] = TypeAdapter(dict[str, list[tuple[int, str]]])


class CorpusNotShown(Exception):
    """The texts that were scored cannot be read here. The message is a sentence for the page."""


@dataclass(frozen=True)
class ScoredCorpus:
    """A corpus whose texts are those that were scored."""

    path: str
    corpus: Corpus
    scored_rows: Mapping[str, int]
    """Rows of each file that the run knows, by the file's name within the corpus."""

    @property
    def shown_path(self) -> str:
        """Return the path as text for a page."""
        return _shown(self.path)

    @property
    def new_rows(self) -> int:
        """Return the number of rows that came to the corpus after the run."""
        return self.corpus.rows - sum(self.scored_rows.values())

    def records(self) -> Iterator[Record]:
        """Yield every record that the run knows, from the first on.

        Raises:
            CorpusNotShown: a file changed since the corpus was opened.
        """
        try:
            for shard in self.corpus.shards(SHARD_ROWS):
                if shard.first_row < self.scored_rows.get(shard.name, 0):
                    yield from read_records(self.corpus.settings, shard)
        except (CorpusError, OSError) as error:
            raise CorpusNotShown(_not_shown(self.path, error)) from error


def corpus_levels(description: Description) -> list[Any]:
    """Return the levels of the factor `corpus`, as the spec has them; none where the sweep has no such factor."""
    factors = description.spec.get("factors")
    levels = factors.get("corpus") if isinstance(factors, dict) else None
    return levels if isinstance(levels, list) else []


def open_scored(level: Any, inputs: Any) -> ScoredCorpus:
    """Open a corpus of a sweep.

    Args:
        level: of the factor `corpus`.
        inputs: fingerprints of the environment file (Description.inputs).

    Raises:
        CorpusNotShown: the corpus is gone or has changed, or its fingerprints are not known.
    """
    path = str(level.get("path") if isinstance(level, dict) else level)
    if path.startswith(HUB_PREFIX):
        raise CorpusNotShown(f"Corpus {_shown(path)} is on the Hub, which the report does not read.")
    history = _history(path, level, inputs)
    try:
        settings = _SETTINGS.validate_python(level)
        opened = Corpus.open(settings, checkpoints_of(history), shard_sizes=frozenset({SHARD_ROWS}))
        corpus = opened.continued(history)
    except (CorpusError, OSError, ValueError) as error:
        raise CorpusNotShown(_not_shown(path, error)) from error
    return ScoredCorpus(path, corpus, {name: states[-1][0] for name, states in history.items()})


def _history(path: str, level: Any, inputs: Any) -> dict[str, list[tuple[int, str]]]:
    corpora = inputs.get("corpora") if isinstance(inputs, dict) else None
    history = corpora.get(json.dumps(level)) if isinstance(corpora, dict) else None
    try:
        known = _HISTORY.validate_python(history)
    except ValidationError:
        known = {}
    if not known or not all(known.values()):
        raise CorpusNotShown(
            f"Corpus {_shown(path)} is not read: the environment file has no fingerprints of it, so the texts "
            "that were scored are not known."
        )
    return known


def _not_shown(path: str, error: Exception) -> str:
    if isinstance(error, ValidationError):
        return f"Corpus {_shown(path)} is not read: its settings are not valid."
    return f"Corpus {_shown(path)} is not read: {str(error).rstrip('.')}."


def _shown(path: str) -> str:
    return middle_out(printable(path), MAX_PATH)
