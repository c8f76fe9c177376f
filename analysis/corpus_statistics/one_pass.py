"""One pass over the records of a corpus, for all statistics of lengths. Holds one record at a time."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from analysis.corpus_statistics.composition import Composition
from analysis.corpus_statistics.length_distribution import LengthDistribution
from analysis.corpus_statistics.length_pairs import LengthPairs
from analysis.corpus_statistics.record_lengths import measure_record
from analysis.corpus_statistics.structure import Structure
from scoring.corpora.records import Record


@dataclass(frozen=True)
class LengthStatistics:
    """Statistics of the lengths of a corpus."""

    structure: Structure
    distribution: LengthDistribution
    pairs: LengthPairs
    composition: Composition
    null_reasons: Counter[str]
    """Rows that are no valid record, by reason. They enter nothing else."""

    def sentences(self) -> tuple[str, ...]:
        """Say what a reader of the table must know: rows left out, texts without words, scripts without blanks."""
        said = []
        if self.null_reasons:
            counts = ", ".join(f"{reason} {rows:,}" for reason, rows in self.null_reasons.most_common())
            said.append(f"{self.null_reasons.total():,} rows are no valid record and are not counted: {counts}.")
        total = self.structure.total()
        if wordless := sum(sums.wordless for sums in total.authors.values()):
            said.append(f"{wordless:,} texts have no words. They count with length 0.")
        if without_blanks := sum(sums.without_blanks for sums in total.authors.values()):
            said.append(
                f"{without_blanks:,} texts are in a script without blanks between words: words are what blanks "
                "divide, so compare lengths in characters."
            )
        return tuple(said)


def measure_lengths(records: Iterable[Record], seed: int = 0) -> LengthStatistics:
    """Measure the lengths of all texts.

    Args:
        records: each is read once, and dropped.
        seed: of the sample of points for the figure of pairs.
    """
    measured = LengthStatistics(Structure(), LengthDistribution(), LengthPairs(seed), Composition(), Counter())
    for record in records:
        if record.null_reason is not None:
            measured.null_reasons[record.null_reason] += 1
            continue
        lengths = measure_record(record)
        measured.structure.add(lengths)
        measured.distribution.add(lengths)
        measured.pairs.add(lengths)
        measured.composition.add(lengths)
    return measured
