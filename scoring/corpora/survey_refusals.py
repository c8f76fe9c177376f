"""Refusals of a corpus that is surely a mistake: a file without a record, a named column that no row has."""

from scoring.corpora.columns import OPTIONAL, Columns
from scoring.corpora.file_tally import FileTally
from scoring.corpora.raw_rows import ESCAPED_BYTE
from scoring.corpora.survey_warnings import (
    in_rows,
    label_hint,
    missing_label_note,
    missing_text_warnings,
    undecodable_note,
)
from scoring.corpora.tally import Tally
from scoring.errors import CorpusError
from scoring.wording import closest, counted, listed, plural, printable, quoted


def refuse_without_records(file: FileTally, tally: Tally, columns: Columns, encoding: str | None) -> None:
    """Refuse a file with rows of which none is a record.

    Raises:
        CorpusError: the reasons, and the keys that mend them.
    """
    if file.rows == 0 or file.records:
        return
    where = printable(file.file, 500)
    reasons = f"of its {plural(file.rows, 'row')} none is a record ({counted(file.reasons)})"
    if file.undecodable_rows == file.rows:
        raise CorpusError(f"{where}: {reasons}: {undecodable_note(file, encoding)}{_mapping_hints(file, columns)}")
    if file.ambiguous:
        names = file.ambiguous.most_common(1)[0][0]
        raise CorpusError(
            f"{where}: {reasons}: `synthetic` = {quoted(columns.synthetic)} matches {printable(names, 300)}; name one"
        )
    if file.reasons["unknown_label"] and tally.unknown_labels:
        raise CorpusError(
            f"{where}: {reasons}; labels seen: {counted(tally.unknown_labels)}; say who wrote them: "
            f"{label_hint(tally.unknown_labels)}"
        )
    if file.reasons["unknown_label"] and tally.null_labels:
        raise CorpusError(f"{where}: {reasons}; rows {missing_label_note(tally, columns)}")
    seen = listed(map(quoted, file.columns), 20) if file.columns else "none, no row could be decoded"
    flaws = f"; {listed(file.flaws)}" if file.flaws else ""
    if file.undecodable_rows:
        flaws += f"; {undecodable_note(file, encoding)}"
    if file.not_text:
        flaws += f"; {in_rows(file.not_text)}"
    if file.reasons["not_text"]:
        flaws += "".join(f"; {warning}" for warning in missing_text_warnings(tally))
    raise CorpusError(
        f"{where}: {reasons}{flaws}; columns seen: {seen}; asked for: {format_mapping(columns)}"
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


def refuse_absent_columns(tally: Tally, columns: Columns) -> None:
    """Refuse a named optional column that no row has.

    Raises:
        CorpusError: the column, and the columns seen.
    """
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


def format_mapping(columns: Columns) -> str:
    """Return the columns that are asked for, as keys of a spec."""
    return ", ".join(f"{key} = {quoted(name)}" for key, name in columns.wanted.items())
