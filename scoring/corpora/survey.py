"""Survey of a corpus: a dozen lines that describe it, and warnings with the key that mends each.

`scoring.corpora.tally` counts the rows. This module words the counts, and refuses a corpus that is surely a mistake.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from scoring.corpora.columns import OPTIONAL, Columns
from scoring.corpora.file_tally import FileTally
from scoring.corpora.labels import EVERY_OTHER, label_key
from scoring.corpora.raw_rows import ESCAPED_BYTE
from scoring.corpora.records import NULL_REASONS
from scoring.corpora.tally import OTHERS, Tally
from scoring.errors import CorpusError
from scoring.wording import closest, counted, listed, plural, printable, quoted

SHOWN_FILES: Final = 5
MANY_ROWS: Final = 20_000
"""Rows of a file from which on a line says that a worker cannot open it at any row."""
SHOWN_WARNINGS: Final = 8
"""Warnings about single files that are shown. The others are counted."""
SAY_ENCODING: Final = "if it is Latin-1, say encoding = 'latin-1'; if it is of Windows, encoding = 'cp1252'"


@dataclass(frozen=True)
class Survey:
    """Description of a corpus and warnings about it. Every line can be printed as it is."""

    lines: tuple[str, ...]
    """Lines about files, rows, labels and columns."""
    warnings: tuple[str, ...]
    """Lines about probable mistakes, each with the key that mends it."""


def survey(
    tally: Tally,
    columns: Columns,
    repeated_ids: Mapping[str, int],
    left_out: Sequence[str],
    encoding: str | None,
) -> Survey:
    """Word the counts of a corpus.

    Args:
        tally: Counts of every row.
        columns: The mapping in effect.
        repeated_ids: Ids that several rows have, with the number of rows.
        left_out: Warnings about files that were not read, or are copies.
        encoding: Encoding of the files, where the user named one.

    Raises:
        CorpusError: a file has no record, no row has a named optional column, or no text has words.
    """
    for file in tally.files:
        _refuse_without_records(file, tally, columns, encoding)
    _refuse_absent_columns(tally, columns)
    if tally.blank_texts == tally.texts.total():
        raise CorpusError(
            f"corpus of {listed(file.name for file in tally.files)}: none of its {plural(tally.blank_texts, 'text')} "
            f"has words; columns asked for: {_format_mapping(columns)}"
        )
    warnings = [*left_out]
    warnings += _file_warnings(tally, encoding)
    warnings += _missing_text_warnings(tally)
    warnings += _label_warnings(tally, columns)
    warnings += _column_warnings(tally, columns)
    warnings += _id_warnings(tally, columns, repeated_ids)
    return Survey(tuple(_lines(tally, columns, encoding)), tuple(warnings))


def _lines(tally: Tally, columns: Columns, encoding: str | None) -> Iterator[str]:
    rows = sum(file.rows for file in tally.files)
    names = listed((f"{printable(file.name)} {file.rows}" for file in tally.files), SHOWN_FILES)
    yield f"{plural(len(tally.files), 'file')} with {plural(rows, 'row')}: {names}"
    if encoding is not None:
        yield f"read as {encoding}"
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
        yield f"columns: {_format_mapping(columns)}"
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


def _file_warnings(tally: Tally, encoding: str | None) -> list[str]:
    told = [warning for file in tally.files for warning in _warnings_of_file(file, encoding)]
    rest = len(told) - SHOWN_WARNINGS
    return told[:SHOWN_WARNINGS] + (
        [f"{plural(rest, 'more warning')} of this kind about other files"] if rest > 0 else []
    )


def _warnings_of_file(file: FileTally, encoding: str | None) -> Iterator[str]:
    name = printable(file.name)
    if file.rows == 0:
        yield f"{name}: is empty, no rows"
    if file.undecodable_rows:
        yield f"{name}: {_undecodable_note(file, encoding)}"
    if file.utf8_rows:
        yield (
            f"{name}: {plural(file.utf8_rows, 'row')} valid as UTF-8 although encoding = {quoted(encoding)}; "
            "leave out encoding where the file is UTF-8"
        )
    if file.control_rows:
        yield (
            f"{name}: {plural(file.control_rows, 'row')} with control characters where Windows has quotes and dashes, "
            f"read with encoding = {quoted(encoding)}; is 'cp1252' meant?"
        )
    others = [flaw for flaw in file.flaws if flaw not in file.undecodable]
    if others:
        yield f"{name}: {plural(file.bad_rows, 'row')} cannot be read (bad_row): {listed(others)}"
    if file.suspicious_rows:
        yield f"{name}: {plural(file.suspicious_rows, 'row')} may hold other rows: {listed(file.suspicions)}"
    for names, count in file.ambiguous.most_common(1):
        matches = f"`synthetic` matches {printable(names, 200)}; name one"
        yield f"{name}: {plural(count, 'row')} left out (ambiguous_column): {matches}"
    if file.reasons["missing_column"]:
        absent = {key: count for key, count in file.missing.items() if key not in OPTIONAL}
        yield f"{name}: {plural(file.reasons['missing_column'], 'row')} without a column asked for: {counted(absent)}"
    if file.not_text_rows:
        yield f"{name}: {plural(file.not_text_rows, 'row')} left out (not_text): {_in_rows(file.not_text)}"
    if file.half_pair_rows:
        rows = plural(file.half_pair_rows, "row")
        yield f"{name}: {rows} left out (not_unicode): {NULL_REASONS['not_unicode']}"


def _undecodable_note(file: FileTally, encoding: str | None) -> str:
    mend = "save it again, or name another encoding" if encoding else SAY_ENCODING
    return (
        f"{plural(file.undecodable_rows, 'row')} with bytes that are not {encoding or 'UTF-8'}"
        f": {listed(file.undecodable)}; {mend}"
    )


def _in_rows(counts: Mapping[str, int]) -> str:
    """Return counts as `column 'ai' holds lists in 2 rows`."""
    return listed(f"{what} in {plural(count, 'row')}" for what, count in Counter(counts).most_common())


def _missing_text_warnings(tally: Tally) -> Iterator[str]:
    for column, counts in tally.missing_texts.items():
        only = "text is" if counts.total() == 1 else "texts are"
        yield (
            f"{counts.total()} {only} only NA or nan, in column {quoted(column)}, and left out (not_text): "
            f"{counted(counts)}; the program that wrote the file put that for a missing text"
        )


def _label_warnings(tally: Tally, columns: Columns) -> Iterator[str]:
    if tally.unknown_labels:
        unknown = tally.unknown_labels
        yield (
            f"{plural(unknown.total(), 'row')} left out for a label that is in neither list: {counted(unknown)}; "
            f"say who wrote them: {_label_hint(unknown)}"
        )
    if tally.null_labels:
        yield f"{plural(tally.null_labels.total(), 'row')} left out, {_missing_label_note(tally, columns)}"
    if tally.numeric_labels and not columns.model_fields_set & {"human_labels", "synthetic_labels"}:
        yield (
            f"{plural(tally.numeric_labels, 'row')} with numbers or booleans as labels: 0 (false) is taken for human "
            "and 1 (true) for synthetic; if so, say human_labels = [0]; if not, human_labels = [1] and "
            "synthetic_labels = [0]"
        )
    if absent := _absent_labels(tally, columns):
        yield f"no row has the label {absent}, which human_labels or synthetic_labels names: it may be a typo"
    authors = sorted(tally.texts)
    if (columns.label or columns.human) and len(authors) == 1 and authors != ["unknown"]:
        yield f"all texts are {authors[0]}: nothing to compare them with"
    if tally.without_blanks:
        yield (
            f"{plural(tally.without_blanks, 'text')} in a script without blanks between words: words are what blanks "
            "divide, so that min_words, max_words and length_words mean little there, and a text may have "
            "too few of them (no_blanks); give min_tokens and max_tokens, or use mode = 'prefix' or 'whole'"
        )


def _absent_labels(tally: Tally, columns: Columns) -> str:
    """Return the labels that the user named and no row has: texts that were meant may count for the other author."""
    named = [
        label
        for key in ("human_labels", "synthetic_labels")
        if key in columns.model_fields_set
        for label in getattr(columns, key)
        if label != EVERY_OTHER
    ]
    seen = {label_key(label) for label, _ in tally.labels}
    absent = [quoted(str(label)) for label in named if label_key(label) not in seen]
    return ", ".join(absent) if columns.label and tally.labels and (OTHERS, "") not in tally.labels else ""


def _missing_label_note(tally: Tally, columns: Columns) -> str:
    return (
        f"without a label in column {quoted(columns.label)}: {counted(tally.null_labels)}; a word such as NA or None "
        "counts as no label unless human_labels or synthetic_labels name it"
    )


def _label_hint(unknown: Mapping[str, int]) -> str:
    names = ", ".join(f"'{printable(label, 30)}'" for label, _ in Counter(unknown).most_common(3))
    rest = ", …" if len(unknown) > 3 else ""
    return f"synthetic_labels = [{names}{rest}], or human_labels; synthetic_labels = ['*'] takes every other label"


def _column_warnings(tally: Tally, columns: Columns) -> Iterator[str]:
    instead = {
        "id": "are named by file and row",
        "dataset": "take the file's name",
        "generator": "have no generator",
        "group": "are in no subgroup",
    }
    for key in OPTIONAL:
        if tally.without_value[key]:
            yield (
                f"column {quoted(getattr(columns, key))} ({key}) has no value in "
                f"{plural(tally.without_value[key], 'row')}, which {instead[key]}"
            )
        if tally.escaped[key]:
            yield (
                f"column {quoted(getattr(columns, key))} ({key}) holds half a surrogate pair in "
                f"{plural(tally.escaped[key], 'row')}; it is written as its escape, as in \\ud83d"
            )


def _id_warnings(tally: Tally, columns: Columns, repeated: Mapping[str, int]) -> Iterator[str]:
    if tally.odd_ids:
        yield f"column {quoted(columns.id)} (id) is neither text nor whole numbers: {counted(tally.odd_ids)}"
    if repeated:
        yield (
            f"{plural(len(repeated), 'id')} of column {quoted(columns.id)} occur in several rows: {counted(repeated)}; "
            "the first row keeps its id, the others get '#file:row' appended"
        )


def _refuse_without_records(file: FileTally, tally: Tally, columns: Columns, encoding: str | None) -> None:
    if file.rows == 0 or file.records:
        return
    where = printable(file.file, 500)
    reasons = f"of its {plural(file.rows, 'row')} none is a record ({counted(file.reasons)})"
    if file.undecodable_rows == file.rows:
        raise CorpusError(f"{where}: {reasons}: {_undecodable_note(file, encoding)}{_mapping_hints(file, columns)}")
    if file.ambiguous:
        names = file.ambiguous.most_common(1)[0][0]
        raise CorpusError(
            f"{where}: {reasons}: `synthetic` = {quoted(columns.synthetic)} matches {printable(names, 300)}; name one"
        )
    if file.reasons["unknown_label"] and tally.unknown_labels:
        raise CorpusError(
            f"{where}: {reasons}; labels seen: {counted(tally.unknown_labels)}; say who wrote them: "
            f"{_label_hint(tally.unknown_labels)}"
        )
    if file.reasons["unknown_label"] and tally.null_labels:
        raise CorpusError(f"{where}: {reasons}; rows {_missing_label_note(tally, columns)}")
    seen = listed(map(quoted, file.columns), 20) if file.columns else "none, no row could be decoded"
    flaws = f"; {listed(file.flaws)}" if file.flaws else ""
    if file.undecodable_rows:
        flaws += f"; {_undecodable_note(file, encoding)}"
    if file.not_text:
        flaws += f"; {_in_rows(file.not_text)}"
    if file.reasons["not_text"]:
        flaws += "".join(f"; {warning}" for warning in _missing_text_warnings(tally))
    raise CorpusError(
        f"{where}: {reasons}{flaws}; columns seen: {seen}; asked for: {_format_mapping(columns)}"
        f"{_mapping_hints(file, columns)}"
    )


def _mapping_hints(file: FileTally, columns: Columns) -> str:
    asked = {key: name for key, name in columns.wanted.items() if file.missing[key]}
    hints = [f"{key} = {quoted(close)}" for key, name in asked.items() if (close := closest(name, list(file.columns)))]
    encoding = "; their names are not UTF-8, say encoding = 'latin-1' if they are Latin-1, 'cp1252' if of Windows"
    broken = encoding if any(ESCAPED_BYTE.search(name) for name in file.columns) else ""
    if isinstance(columns.human, tuple):  # the user named no columns
        broken += "; these are the columns of the paper's files, name yours, as in text = 'text', label = 'label'"
    return broken + (f" (did you mean {' and '.join(hints)}?)" if hints else "")


def _refuse_absent_columns(tally: Tally, columns: Columns) -> None:
    decoded = sum(file.rows - file.reasons["bad_row"] for file in tally.files)
    for key in OPTIONAL:
        name = getattr(columns, key)
        if name is not None and sum(file.missing[key] for file in tally.files) == decoded:
            seen = list(dict.fromkeys(column for file in tally.files for column in file.columns))
            close = closest(name, seen)
            hint = f" (did you mean {quoted(close)}?)" if close else ""
            raise CorpusError(
                f"{key} = {quoted(name)}: no row has such a column{hint}; columns seen: {listed(map(quoted, seen), 20)}"
            )


def _format_mapping(columns: Columns) -> str:
    return ", ".join(f"{key} = {quoted(name)}" for key, name in columns.wanted.items())
