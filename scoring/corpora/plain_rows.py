"""Rows that count as an earlier row does. Most rows of a large corpus are such, and looking closely takes the time.

A row is plain where it has the columns and the label of an earlier row that is a record, and its texts are ASCII and
too long to stand for a missing value. Only its texts are inspected; the earlier row is counted once more for it.
"""

from dataclasses import dataclass
from typing import Final

from scoring.corpora.columns import Columns
from scoring.corpora.raw_rows import ParsedRow
from scoring.corpora.records import SHORT_CELL, Record
from scoring.corpora.tally import MAX_KINDS, Tally

NO_LABEL: Final = ""


@dataclass
class _Kind:
    """A row that was looked at closely, and the number of rows like this one that are still to be counted."""

    raw: ParsedRow
    record: Record
    rows: int = 0


class PlainRows:
    """The plain rows of one file."""

    def __init__(self, columns: Columns, tally: Tally, encoding: str | None) -> None:
        """
        Args:
            columns: The mapping in effect.
            tally: Counts the rows.
            encoding: Encoding of the file, where the user named one: then no row is plain.
        """
        named = (columns.dataset, columns.generator, columns.group)
        self._is_possible = encoding is None and not any(named)
        self._label, self._id, self._tally = columns.label, columns.id, tally
        self._names: tuple[str, ...] = ()
        self._texts: list[str] = []
        """Columns of the texts."""
        self._kinds: dict[str, _Kind] = {}
        """By label."""

    def add(self, raw: ParsedRow) -> bool:
        """Count a row; return False where the row is not plain, and so was not counted."""
        values = raw.values
        if not self._kinds or values is None or raw.flaw is not None or tuple(values) != self._names:
            return False
        label = NO_LABEL if self._label is None else values[self._label]
        kind = self._kinds.get(label) if isinstance(label, str) else None
        if kind is None or (self._id is not None and not _is_plain_id(values[self._id])):
            return False
        texts = []
        for name in self._texts:
            text = values[name]
            if not isinstance(text, str) or len(text) < SHORT_CELL or not text.isascii():
                return False
            texts.append(text)
        kind.rows += 1
        for text, known in zip(texts, kind.record.texts, strict=True):
            self._tally.inspect(known.author, text)
        return True

    def learn(self, raw: ParsedRow, record: Record) -> None:
        """Take a row that was counted as the example of those like it."""
        if not self._is_possible or raw.values is None or raw.flaw is not None or record.null_reason is not None:
            return
        names = tuple(raw.values)
        if names != self._names:
            self.finish()
            self._kinds.clear()
            self._names, self._texts = names, self._tally.text_columns(raw.values)
        label = NO_LABEL if self._label is None else raw.values[self._label]
        has_id = self._id is None or _is_plain_id(raw.values.get(self._id))
        if isinstance(label, str) and has_id and len(record.texts) == len(self._texts) and len(self._kinds) < MAX_KINDS:
            self._kinds.setdefault(label, _Kind(raw, record))

    def finish(self) -> None:
        """Count the plain rows so far."""
        for kind in self._kinds.values():
            self._tally.count(kind.raw, kind.record, kind.rows)
            kind.rows = 0


def _is_plain_id(value: object) -> bool:
    """Return True for an id of which nothing is to be said."""
    if isinstance(value, str):
        return value.isascii() and value != "" and not value.isspace()
    return type(value) is int
