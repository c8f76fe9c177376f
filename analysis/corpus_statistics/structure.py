"""Structure of a corpus: records, texts and lengths by dataset and generator (notebook 03, § 1.1)."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

import pandas as pd

from analysis.corpus_statistics.record_lengths import AUTHORS, HUMAN, SYNTHETIC, RecordLengths
from analysis.corpus_statistics.streaming_sums import WholeSums

MAX_GROUPS: Final = 1000
"""Combinations of dataset and generator that are counted apart. Further ones are counted together, as `OTHERS`."""
OTHERS: Final = "(others)"
ALL: Final = "all"
"""Dataset of the totals row, which is the last."""


@dataclass
class AuthorSums:
    """Lengths of the texts of one author."""

    words: WholeSums = field(default_factory=WholeSums)
    characters: WholeSums = field(default_factory=WholeSums)
    wordless: int = 0
    """Texts without a word."""
    without_blanks: int = 0
    """Texts in a script without blanks between words."""

    def merge(self, other: "AuthorSums") -> None:
        """Add all texts of other sums."""
        self.words.merge(other.words)
        self.characters.merge(other.characters)
        self.wordless += other.wordless
        self.without_blanks += other.without_blanks


@dataclass
class GroupSums:
    """Records of a dataset and generator, with the lengths of their texts by author."""

    records: int = 0
    authors: dict[str, AuthorSums] = field(default_factory=dict)

    def add(self, record: RecordLengths) -> None:
        """Add a record."""
        self.records += 1
        for text in record.texts:
            sums = self.authors.setdefault(text.author, AuthorSums())
            sums.words.add(text.words)
            sums.characters.add(text.characters)
            sums.wordless += not text.words
            sums.without_blanks += text.lacks_blanks

    @property
    def human_fraction(self) -> float | None:
        """Return the human part of the words of known authors; None where these have no words."""
        human, synthetic = (self.authors.get(author, AuthorSums()).words.total for author in (HUMAN, SYNTHETIC))
        return human / (human + synthetic) if human + synthetic else None


class Structure:
    """Sums by dataset and generator."""

    def __init__(self) -> None:
        self.groups: dict[tuple[str | None, str | None], GroupSums] = {}

    def add(self, record: RecordLengths) -> None:
        """Add a record to its group."""
        key = (record.dataset, record.generator)
        if key not in self.groups and len(self.groups) >= MAX_GROUPS:
            key = (OTHERS, OTHERS)
        self.groups.setdefault(key, GroupSums()).add(record)

    def total(self) -> GroupSums:
        """Return the sums of all groups."""
        total = GroupSums()
        for group in self.groups.values():
            total.records += group.records
            for author, sums in group.authors.items():
                total.authors.setdefault(author, AuthorSums()).merge(sums)
        return total

    @property
    def authors(self) -> tuple[str, ...]:
        """Return the authors that have texts, human first."""
        found = {author for group in self.groups.values() for author in group.authors}
        return tuple(author for author in AUTHORS if author in found)

    def frame(self) -> pd.DataFrame:
        """Return the table: a row per dataset and generator, and a totals row.

        Columns are dataset, generator, records, texts, and for each author that has texts AUTHOR_texts,
        AUTHOR_words_mean, AUTHOR_words_sd, AUTHOR_words, AUTHOR_characters_mean and AUTHOR_wordless_texts; then
        human_fraction, of the words of known authors. A value that does not exist is null.
        """
        ordered = sorted(self.groups.items(), key=lambda item: tuple((part is None, part or "") for part in item[0]))
        rows = [_row(*key, group, self.authors) for key, group in ordered]
        return pd.DataFrame([*rows, _row(ALL, None, self.total(), self.authors)])


def _row(dataset: str | None, generator: str | None, group: GroupSums, authors: Iterable[str]) -> dict[str, Any]:
    texts = sum(sums.words.n for sums in group.authors.values())
    row: dict[str, Any] = {"dataset": dataset, "generator": generator, "records": group.records, "texts": texts}
    for author in authors:
        sums = group.authors.get(author, AuthorSums())
        row |= {
            f"{author}_texts": sums.words.n,
            f"{author}_words_mean": sums.words.mean,
            f"{author}_words_sd": sums.words.sd,
            f"{author}_words": sums.words.total,
            f"{author}_characters_mean": sums.characters.mean,
            f"{author}_wordless_texts": sums.wordless,
        }
    return {**row, "human_fraction": group.human_fraction}
