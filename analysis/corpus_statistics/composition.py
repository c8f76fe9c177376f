"""Composition of the records: the human fraction of each record's words (§ 1.2.3)."""

from typing import Final

import numpy as np
import pandas as pd

from analysis.corpus_statistics.record_lengths import HUMAN, SYNTHETIC, RecordLengths

BINS: Final = 20
"""Bins between the fractions 0 and 1. The last holds the fraction 1, too."""


class Composition:
    """Numbers of records by the human fraction of their words. Words of unknown authors do not count."""

    def __init__(self) -> None:
        self._counts = np.zeros(BINS, np.int64)
        self.mixed = 0
        """Records with words of a human and synthetic words."""
        self.wordless = 0
        """Records without words of a known author, which have no fraction."""

    def add(self, record: RecordLengths) -> None:
        """Add a record."""
        human, synthetic = record.words_by(HUMAN), record.words_by(SYNTHETIC)
        words = human + synthetic
        if not words:
            self.wordless += 1
            return
        self.mixed += bool(human and synthetic)
        self._counts[min(BINS * human // words, BINS - 1)] += 1  # whole numbers: no fraction falls beside its bin

    def frame(self) -> pd.DataFrame:
        """Return the bins: fraction_from, fraction_to, records."""
        edges = np.arange(BINS + 1) / BINS
        return pd.DataFrame({"fraction_from": edges[:-1], "fraction_to": edges[1:], "records": self._counts})
