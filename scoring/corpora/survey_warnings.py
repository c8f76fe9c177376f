"""Warnings about the rows of a corpus: probable mistakes, each with the key that mends it."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Final

from scoring.corpora.columns import OPTIONAL, Columns
from scoring.corpora.file_tally import FileTally
from scoring.corpora.labels import EVERY_OTHER, label_key
from scoring.corpora.records import NULL_REASONS
from scoring.corpora.tally import OTHERS, Tally
from scoring.wording import counted, listed, plural, printable, quoted

SHOWN_WARNINGS: Final = 8
"""Warnings about single files that are shown. The others are counted."""
SAY_ENCODING: Final = "if it is Latin-1, say encoding = 'latin-1'; if it is of Windows, encoding = 'cp1252'"


def warnings_of(tally: Tally, columns: Columns, repeated_ids: Mapping[str, int], encoding: str | None) -> Iterator[str]:
    """Yield the warnings about files, texts, labels, columns and ids, in this order."""
    yield from _file_warnings(tally, encoding)
    yield from missing_text_warnings(tally)
    yield from _label_warnings(tally, columns)
    yield from _column_warnings(tally, columns)
    yield from _id_warnings(tally, columns, repeated_ids)


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
        yield f"{name}: {undecodable_note(file, encoding)}"
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
        yield f"{name}: {plural(file.not_text_rows, 'row')} left out (not_text): {in_rows(file.not_text)}"
    if file.half_pair_rows:
        rows = plural(file.half_pair_rows, "row")
        yield f"{name}: {rows} left out (not_unicode): {NULL_REASONS['not_unicode']}"


def undecodable_note(file: FileTally, encoding: str | None) -> str:
    """Return how many rows are not text in the encoding, and how to mend that."""
    mend = "save it again, or name another encoding" if encoding else SAY_ENCODING
    return (
        f"{plural(file.undecodable_rows, 'row')} with bytes that are not {encoding or 'UTF-8'}"
        f": {listed(file.undecodable)}; {mend}"
    )


def in_rows(counts: Mapping[str, int]) -> str:
    """Return counts as `column 'ai' holds lists in 2 rows`."""
    return listed(f"{what} in {plural(count, 'row')}" for what, count in Counter(counts).most_common())


def missing_text_warnings(tally: Tally) -> Iterator[str]:
    """Yield a warning for each column with cells that stand for a missing text."""
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
            f"say who wrote them: {label_hint(unknown)}"
        )
    if tally.null_labels:
        yield f"{plural(tally.null_labels.total(), 'row')} left out, {missing_label_note(tally, columns)}"
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


def missing_label_note(tally: Tally, columns: Columns) -> str:
    """Return what rows without a label hold in their place."""
    return (
        f"without a label in column {quoted(columns.label)}: {counted(tally.null_labels)}; a word such as NA or None "
        "counts as no label unless human_labels or synthetic_labels name it"
    )


def label_hint(unknown: Mapping[str, int]) -> str:
    """Return the key that says who wrote the texts with unknown labels."""
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
