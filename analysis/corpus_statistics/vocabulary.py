"""Terms of a corpus with the number of texts that hold each, in bounded memory: the first pass of TF-IDF.

No term is hashed, so every term has its name. Where a corpus has more different terms than MAX_TERMS, the rarest are
dropped while it is read, and the number of the dropped is known.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from sklearn.feature_extraction.text import CountVectorizer

from analysis.corpus_statistics.text_batches import batch_texts
from scoring.corpora.records import Record

MAX_TERMS: Final = 2_000_000
"""Different terms that are kept: some 100 bytes each."""


@dataclass(frozen=True)
class Vocabulary:
    """Terms with their place, and the number of texts that hold each."""

    places: dict[str, int]
    """Columns of the matrix by term; terms are in alphabetical order."""
    text_counts: npt.NDArray[np.int64]
    """Number of texts that hold the term, by place."""
    texts: int
    """Number of all texts."""
    dropped: int = 0
    """Times that a term was dropped because there were too many terms."""
    dropped_texts: int = 0
    """Number of texts that held a dropped term, at most, when it was dropped."""

    @property
    def terms(self) -> list[str]:
        """Return the terms by place."""
        return list(self.places)

    @property
    def idf(self) -> npt.NDArray[np.float64]:
        """Return the inverse document frequencies as scikit-learn has them: ln((1 + n) / (1 + df)) + 1."""
        return np.log((1 + self.texts) / (1 + self.text_counts)) + 1


def count_terms(records: Iterable[Record], max_terms: int = MAX_TERMS) -> Vocabulary:
    """Count for every term the texts that hold the term. Reads the records once.

    A term is what scikit-learn takes for a term by default: two or more letters, digits or underscores in a row, in
    lower case.
    """
    split: Callable[[str], list[str]] = CountVectorizer().build_analyzer()
    counts: Counter[str] = Counter()
    texts = dropped = dropped_texts = 0
    for batch in batch_texts(records):
        texts += len(batch.texts)
        for text in batch.texts:
            counts.update(set(split(text)))
        while len(counts) > max_terms:
            dropped_texts += 1
            before = len(counts)
            counts = Counter({term: count for term, count in counts.items() if count > dropped_texts})
            dropped += before - len(counts)
    terms = sorted(counts)
    places = {term: place for place, term in enumerate(terms)}
    text_counts = np.fromiter((counts[term] for term in terms), np.int64, len(terms))
    return Vocabulary(places, text_counts, texts, dropped, dropped_texts)
