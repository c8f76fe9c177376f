"""Survey of a corpus: a dozen lines that describe it, and warnings with the key that mends each.

`scoring.corpora.tally` counts the rows, and this module puts the description together: its lines stand here, warnings
and refusals beside it.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from scoring.corpora.columns import Columns
from scoring.corpora.settings import CorpusSettings
from scoring.corpora.survey_refusals import format_mapping, refuse_absent_columns, refuse_without_records
from scoring.corpora.survey_warnings import warnings_of
from scoring.corpora.tally import Tally
from scoring.errors import CorpusError
from scoring.wording import counted, listed, plural, printable

SHOWN_FILES: Final = 5
MANY_ROWS: Final = 20_000
"""Rows of a file from which on a line says that a worker cannot open it at any row."""


@dataclass(frozen=True)
class Survey:
    """Description of a corpus and warnings about it. Every line can be printed as it is."""

    lines: tuple[str, ...]
    """Lines about files, rows, labels and columns."""
    warnings: tuple[str, ...]
    """Lines about probable mistakes, each with the key that mends it."""


def survey(
    tally: Tally,
    settings: CorpusSettings,
    repeated_ids: Mapping[str, int],
    left_out: Sequence[str],
) -> Survey:
    """Word the counts of a corpus.

    Args:
        tally: Counts of every row.
        settings: The corpus, as a spec names it.
        repeated_ids: Ids that several rows have, with the number of rows.
        left_out: Warnings about files that were not read, or are copies.

    Raises:
        CorpusError: a file has no record, no row has a named optional column, or no text has words.
    """
    columns, encoding = settings.columns, settings.encoding
    for file in tally.files:
        refuse_without_records(file, tally, columns, encoding)
    refuse_absent_columns(tally, columns)
    if tally.blank_texts == tally.texts.total():
        raise CorpusError(
            f"corpus of {listed(file.name for file in tally.files)}: none of its {plural(tally.blank_texts, 'text')} "
            f"has words; columns asked for: {format_mapping(columns)}"
        )
    warnings = (*left_out, *warnings_of(tally, columns, repeated_ids, encoding))
    return Survey(tuple(_lines(tally, columns, settings)), warnings)


def _lines(tally: Tally, columns: Columns, settings: CorpusSettings) -> Iterator[str]:
    rows = sum(file.rows for file in tally.files)
    names = listed((f"{printable(file.name)} {file.rows}" for file in tally.files), SHOWN_FILES)
    yield f"{plural(len(tally.files), 'file')} with {plural(rows, 'row')}: {names}"
    if settings.first_rows is not None:
        yield f"of each file the first {plural(settings.first_rows, 'row')} at most: first_rows says so"
    if settings.encoding is not None:
        yield f"read as {settings.encoding}"
    if slow := [printable(file.name) for file in tally.files if file.reads_from_start and file.rows > MANY_ROWS]:
        yield (
            f"read in order, a worker that must go back starts the file again: {listed(slow)}; "
            "unpacked JSONL in UTF-8 is read from any row on"
        )
    reasons = sum((file.reasons for file in tally.files), Counter[str]())
    records = sum(file.records for file in tally.files)
    yield plural(records, "record") + (f"; rows that are no records: {counted(reasons)}" if reasons else "")
    yield f"{plural(tally.texts.total(), 'text')} by author: {counted(tally.texts)}"
    if tally.labels:
        yield f"labels: {listed(_with_author(tally))}"
    matched = sum((file.matched for file in tally.files), Counter[str]())
    if matched:
        yield f"columns, human with synthetic: {counted(matched)}"
    elif columns.text is not None:
        yield f"columns: {format_mapping(columns)}"
    yield f"{plural(len(tally.datasets), 'dataset')}: {counted(tally.datasets)}"
    if tally.generators:
        yield f"{plural(len(tally.generators), 'generator')}: {counted(tally.generators)}"
    if tally.repeated_texts:
        authors = "of a human " if tally.texts["human"] else ""
        yield f"{plural(tally.repeated_texts, 'text')} {authors}that an earlier record has as well; each is scored"
    if tally.blank_texts:
        yield f"{plural(tally.blank_texts, 'text')} without a word"


def _with_author(tally: Tally) -> Iterator[str]:
    """Yield labels as `0 4 (human)`, the most frequent first."""
    for (label, author), rows in sorted(tally.labels.items(), key=lambda item: (-item[1], item[0])):
        yield f"{printable(label)} {rows}" + (f" ({author})" if author else "")
