"""Distribution of text lengths by author, in logarithmic bins whose edges are known before the first text (§ 1.2.1)."""

from bisect import bisect_right
from typing import Final

import numpy as np
import pandas as pd

from analysis.corpus_statistics.record_lengths import AUTHORS, RecordLengths

BINS_PER_DECADE: Final = 10
DECADES: Final = 9
EDGES: Final = tuple(sorted({round(10 ** (step / BINS_PER_DECADE)) for step in range(BINS_PER_DECADE * DECADES + 1)}))
"""Words at which a bin begins: whole numbers, ten a decade, so that no bin is without a whole number."""


class LengthDistribution:
    """Numbers of texts by author and length in words. Texts without words are counted apart: log 0 does not exist."""

    def __init__(self) -> None:
        self._counts: dict[str, np.ndarray] = {}
        self.wordless: dict[str, int] = {}

    def add(self, record: RecordLengths) -> None:
        """Add the texts of a record."""
        for text in record.texts:
            if not text.words:
                self.wordless[text.author] = self.wordless.get(text.author, 0) + 1
                continue
            if text.author not in self._counts:
                self._counts[text.author] = np.zeros(len(EDGES), np.int64)
            self._counts[text.author][bisect_right(EDGES, text.words) - 1] += 1

    def frame(self) -> pd.DataFrame:
        """Return the bins: author, words_from, words_below, texts; every author has the same bins, empty ones included.

        Bins reach from the shortest to the longest text of any author. No rows if no text has a word.
        """
        columns = ["author", "words_from", "words_below", "texts"]
        if not self._counts:
            return pd.DataFrame(columns=columns)
        used = np.flatnonzero(sum(self._counts.values()))
        places = range(int(used[0]), int(used[-1]) + 1)
        ends = (*EDGES[1:], 10 * EDGES[-1])
        rows = [
            (author, EDGES[place], ends[place], int(self._counts[author][place]))
            for author in AUTHORS
            if author in self._counts
            for place in places
        ]
        return pd.DataFrame(rows, columns=columns)
