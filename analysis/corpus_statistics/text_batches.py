"""Batches of texts with their authors: at most so many texts and, unless one text alone is longer, characters."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from analysis.corpus_statistics.record_lengths import UNKNOWN
from scoring.corpora.records import Record

BATCH_TEXTS: Final = 500
BATCH_CHARACTERS: Final = 2_000_000


@dataclass
class TextBatch:
    """Texts and their authors, in order."""

    texts: list[str] = field(default_factory=list)
    authors: list[str] = field(default_factory=list)
    characters: int = 0


def batch_texts(records: Iterable[Record]) -> Iterator[TextBatch]:
    """Yield the texts of all records in batches. A record without texts gives none."""
    batch = TextBatch()
    for record in records:
        for text in record.texts:
            is_full = len(batch.texts) == BATCH_TEXTS or batch.characters + len(text.text) > BATCH_CHARACTERS
            if is_full and batch.texts:
                yield batch
                batch = TextBatch()
            batch.texts.append(text.text)
            batch.authors.append(text.author or UNKNOWN)
            batch.characters += len(text.text)
    if batch.texts:
        yield batch
