"""Correlation of the lengths of human and synthetic text of the same record, on log scales (§ 1.2.2)."""

import math
from typing import Final

import pandas as pd

from analysis.corpus_statistics.record_lengths import HUMAN, SYNTHETIC, RecordLengths
from analysis.corpus_statistics.reservoir import Reservoir
from analysis.corpus_statistics.streaming_sums import Correlation, PairSums

MAX_POINTS: Final = 2_000
"""Records that are kept as points of the figure. The correlation is of all records."""


class LengthPairs:
    """Words by humans and synthetic words of each record that has both."""

    def __init__(self, seed: int) -> None:
        """Begin without records; `seed` is that of the sample of points."""
        self._sums = PairSums()
        self._points: Reservoir[tuple[int, int]] = Reservoir(MAX_POINTS, seed)

    def add(self, record: RecordLengths) -> None:
        """Add a record; a record without words of one of both authors is no pair."""
        human, synthetic = record.words_by(HUMAN), record.words_by(SYNTHETIC)
        if human and synthetic:
            self._sums.add(math.log(human), math.log(synthetic))
            self._points.add((human, synthetic))

    @property
    def n(self) -> int:
        """Return the number of records with words of both authors."""
        return self._sums.n

    def correlation(self) -> Correlation:
        """Return Pearson's r of the logarithms of the lengths, of all pairs."""
        return self._sums.correlation()

    def frame(self) -> pd.DataFrame:
        """Return the points of the figure, at most MAX_POINTS: human_words, synthetic_words."""
        return pd.DataFrame(self._points.items, columns=["human_words", "synthetic_words"])

    def sentence(self) -> str:
        """Say r with its interval and number of records, and how many of them are drawn."""
        found = self.correlation()
        if not found.n:
            return "No record has words of a human and synthetic words, so there is no correlation of lengths."
        thinned = f" {MAX_POINTS:,} of these records, drawn at random, are shown." if found.n > MAX_POINTS else ""
        records = f"{found.n:,} record{'s' if found.n > 1 else ''}"
        if found.r is None:
            return f"There is no correlation of lengths by record ({records}): {found.null_reason}.{thinned}"
        interval = (
            f"95% interval {found.low:.3f} to {found.high:.3f}"
            if found.low is not None and found.high is not None
            else f"no interval: {found.null_reason}"
        )
        return f"The logarithms of both lengths have r = {found.r:.3f} ({interval}) over {records}.{thinned}"
