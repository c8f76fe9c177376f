"""TF-IDF values of a corpus by author, from sparse matrices of a batch of texts each (§ 1.2.4).

Two passes: one for the vocabulary, one for the values. Values are scikit-learn's by default: the number of times that a
text holds the term, times the term's idf, each text scaled to length 1. The values of a batch are counted and dropped.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.preprocessing import normalize

from analysis.corpus_statistics.record_lengths import AUTHORS
from analysis.corpus_statistics.text_batches import TextBatch, batch_texts
from analysis.corpus_statistics.vocabulary import MAX_TERMS, Vocabulary, count_terms
from scoring.corpora.records import Record

BINS: Final = 50
"""Bins between the values 0 and 1. Zeros are not counted: they are the terms that a text does not hold."""
SHOWN_TERMS: Final = 15
"""Terms that are listed for each author."""


@dataclass
class AuthorWeights:
    """TF-IDF values of the texts of one author."""

    sums: npt.NDArray[np.float64]
    """Sum of the values by term."""
    texts: int = 0
    counts: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(BINS, np.int64))
    """Number of values by bin."""


@dataclass(frozen=True)
class TermWeights:
    """TF-IDF values of a corpus by author."""

    vocabulary: Vocabulary
    authors: dict[str, AuthorWeights]

    def frame(self) -> pd.DataFrame:
        """Return the histogram of the values above 0: author, value_from, value_to, values."""
        edges = np.linspace(0, 1, BINS + 1)
        frames = [
            pd.DataFrame({"author": author, "value_from": edges[:-1], "value_to": edges[1:], "values": weights.counts})
            for author, weights in self._in_order()
        ]
        return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=["author"])

    def telling_terms(self, most: int = SHOWN_TERMS) -> pd.DataFrame:
        """Return the terms whose mean value among an author's texts exceeds that among all other texts most.

        Columns are author, term, mean, mean_of_others, difference and texts, the number of texts of any author that
        hold the term. Where all texts are of one author, mean_of_others is null, and the largest means are listed.
        """
        names = ["author", "term", "mean", "mean_of_others", "difference", "texts"]
        rows = [row for author, _ in self._in_order() for row in self._terms_of(author, most)]
        return pd.DataFrame(rows, columns=names)

    def sentence(self) -> str:
        """Say what a term is, how many there are, and how many were dropped."""
        vocabulary = self.vocabulary
        said = (
            f"TF-IDF of {len(vocabulary.places):,} terms in {vocabulary.texts:,} texts. A term is two or more letters "
            "or digits in a row, in lower case; no term is hashed."
        )
        if vocabulary.dropped:
            said += (
                f" The corpus has too many different terms to keep all: terms seen in at most "
                f"{vocabulary.dropped_texts:,} texts so far were dropped {vocabulary.dropped:,} times."
            )
        return said

    def _in_order(self) -> list[tuple[str, AuthorWeights]]:
        return [(author, self.authors[author]) for author in AUTHORS if author in self.authors]

    def _terms_of(self, author: str, most: int) -> list[tuple[Any, ...]]:
        own = self.authors[author]
        others = [weights for name, weights in self.authors.items() if name != author]
        mean = own.sums / own.texts
        rest = (
            np.sum([weights.sums for weights in others], axis=0) / sum(weights.texts for weights in others)
            if others
            else None
        )
        excess = mean if rest is None else mean - rest
        # stable: of equal excesses the alphabetically first term comes first, whatever the platform
        best = [place for place in np.argsort(-excess, kind="stable")[:most] if excess[place] > 0]
        terms = self.vocabulary.terms
        return [
            (
                author,
                terms[place],
                float(mean[place]),
                None if rest is None else float(rest[place]),
                None if rest is None else float(excess[place]),
                int(self.vocabulary.text_counts[place]),
            )
            for place in best
        ]


def weigh_terms(records: Callable[[], Iterable[Record]], max_terms: int = MAX_TERMS) -> TermWeights:
    """Weigh the terms of a corpus by TF-IDF.

    Args:
        records: returns the records from the first on; called twice.
        max_terms: different terms that are kept.
    """
    vocabulary = count_terms(records(), max_terms)
    authors: dict[str, AuthorWeights] = {}
    if vocabulary.places:
        vectorizer, idf = CountVectorizer(vocabulary=vocabulary.places), vocabulary.idf
        for batch in batch_texts(records()):
            _add(batch, vectorizer, idf, authors)
    return TermWeights(vocabulary, authors)


def _add(batch: TextBatch, vectorizer: Any, idf: npt.NDArray[np.float64], authors: dict[str, AuthorWeights]) -> None:
    """Add the values of a batch to those of their authors."""
    values = vectorizer.transform(batch.texts).astype(np.float64)
    values.data *= idf[values.indices]
    values = normalize(values, norm="l2", copy=False)
    names = np.array(batch.authors)
    for author in dict.fromkeys(batch.authors):
        own = values[names == author]
        weights = authors.setdefault(author, AuthorWeights(np.zeros(len(idf))))
        weights.texts += own.shape[0]
        weights.sums += np.asarray(own.sum(axis=0)).ravel()
        # a text of one term has the value 1, which rounding may take beyond the last edge
        weights.counts += np.histogram(np.minimum(own.data, 1), BINS, (0, 1))[0]
