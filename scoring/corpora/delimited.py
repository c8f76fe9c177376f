"""Reader of CSV and TSV: a header line, then rows with as many fields.

Quoted fields may hold line breaks and delimiters. Reading is strict, because a wrong guess would be scored as text. A
row of another length is a bad row. A quote that stays open and swallows the rows below is found.
"""

import csv
import hashlib
import re
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from typing import Final, NamedTuple

from scoring.corpora.delimited_records import Records
from scoring.corpora.passed_rows import rows_passing
from scoring.corpora.raw_rows import (
    ESCAPED_BYTE,
    Dialect,
    ParsedRow,
    Rows,
    Start,
    contents_of,
    knows_bytes,
    passes_rows,
)
from scoring.corpora.streams import byte_order_mark_length, errors_naming, open_text, refuse_utf16, suffixes
from scoring.errors import CorpusError
from scoring.wording import plural, printable, quoted

THOUSANDS: Final = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
DELIMITERS_BY_SUFFIX: Final = {".csv": ",", ".tsv": "\t"}
DELIMITERS: Final = ",;\t|"
SWALLOWED_ROWS: Final = 3
"""Lines within a field that look like rows, from which on a quote counts as left open."""
MOST_LINES: Final = 0.6
"""Share of a field's lines that must look like rows as well."""


class _Header(NamedTuple):
    """Names of the columns."""

    names: Sequence[str]
    digest: bytes
    """Part of the content of every row."""
    has_blank_names: bool


class Delimited:
    """A file of delimited rows."""

    def __init__(self, file: str, dialect: Dialect) -> None:
        self._file, self._encoding = file, dialect.encoding
        self._delimiter = dialect.delimiter or DELIMITERS_BY_SUFFIX[suffixes(file)[0]]
        self._delimiter_is_named = dialect.delimiter is not None
        self._passes_rows = passes_rows(file, dialect)
        self._knows_bytes = knows_bytes(dialect)

    @property
    def reads_from_start(self) -> bool:
        """True where the file cannot be opened at the byte of a row."""
        return self._passes_rows

    def rows(self, start: Start) -> Rows:
        """Yield the rows from `start` on. Without its byte the rows before are read too: fields hold line breaks."""
        if start.byte is None and start.row:
            dialect = Dialect(self._encoding, self._delimiter)
            return rows_passing(self._file, dialect, start.row, lambda: self.rows(Start()))
        return (row for _, row in self._rows(start.byte))

    def located_rows(self) -> Iterator[tuple[int | None, ParsedRow]]:
        """Yield every row with its byte; None where reading cannot begin at a byte."""
        return self._rows(None)

    def contents(self) -> Iterator[tuple[int | None, bytes]]:
        """Yield the content of every row, with its byte. The content is the names of the columns and the fields."""
        return contents_of(self.located_rows())

    def _rows(self, first_byte: int | None) -> Iterator[tuple[int | None, ParsedRow]]:
        """Yield the rows with the byte at which each starts; None where reading cannot begin at a byte."""
        with errors_naming(self._file), ExitStack() as streams:
            records = self._records(streams)
            header = self._header(records)
            if header is None:
                return
            if first_byte is not None:
                records = self._records(streams, first_byte)
            named = _Header(
                header, hashlib.sha256(_packed_fields(header)).digest()[:8], not all(map(str.strip, header))
            )
            for fields in records:
                yield records.first_byte, self._row(named, fields, records)

    def _records(self, streams: ExitStack, byte: int | None = None) -> Records:
        if byte is None and self._knows_bytes:
            byte = byte_order_mark_length(self._file) if self._encoding is None else 0
        stream = streams.enter_context(open_text(self._file, self._encoding, byte or 0))
        return Records(stream, self._delimiter, byte, is_utf8=self._encoding is None)

    def check(self) -> None:
        """Read the header.

        Raises:
            CorpusError: the file is UTF-16 or UTF-32 without being named so, or has no proper header.
        """
        if self._encoding is None:
            refuse_utf16(self._file)
        with errors_naming(self._file), ExitStack() as streams:
            self._header(self._records(streams))

    def _header(self, records: Records) -> Sequence[str] | None:
        fields = next(iter(records), None)
        if fields is None:
            return None
        if isinstance(fields, str):
            raise CorpusError(f"{self._where}, {fields}")
        names = [name for name in fields if name.strip()]
        if not names:
            raise CorpusError(f"{self._where}, line 1: the header names no columns")
        repeated = sorted({name for name in names if names.count(name) > 1})
        if repeated:
            raise CorpusError(
                f"{self._where}, line 1: the header has {', '.join(map(quoted, repeated))} twice; rename one"
            )
        other = next((mark for mark in DELIMITERS if len(fields) == 1 and mark in fields[0]), None)
        if other is not None and not self._delimiter_is_named:
            raise CorpusError(
                f"{self._where}, line 1: the header is one column {quoted(fields[0])}; "
                f"if {other!r} separates the columns, say delimiter = {other!r} in the corpus settings"
            )
        return fields

    def _row(self, header: "_Header", fields: list[str] | str, records: Records) -> ParsedRow:
        text = records.text
        if isinstance(fields, str):
            return ParsedRow(header.digest + text.rstrip("\r\n").encode("utf-8", "surrogatepass"), None, fields)
        is_ascii = text.isascii()  # and so holds no byte that could not be decoded
        content = header.digest + (_packed_ascii(fields) if is_ascii else _packed_fields(fields))
        undecodable = not is_ascii and any(map(ESCAPED_BYTE.search, fields))
        if len(fields) != len(header.names):
            lengths = f"{plural(len(fields), 'field')} where the header has {len(header.names)}"
            return ParsedRow(content, None, f"line {records.first_line}: {lengths}", undecodable)
        if "\0" in text:
            return ParsedRow(content, None, f"line {records.first_line}: holds a NUL byte", undecodable)
        flaw = self._swallowed_rows(records, fields) if len(records.lines) > 1 else None
        if undecodable:
            flaw = f"line {records.first_line}: holds bytes that are not {self._encoding or 'UTF-8'}"
        values: dict[str, object] = dict(zip(header.names, fields, strict=True))
        if header.has_blank_names:
            values = {name: value for name, value in values.items() if name.strip()}
        return ParsedRow(content, values, flaw, undecodable)

    def _swallowed_rows(self, records: Records, fields: list[str]) -> str | None:
        """Return a flaw where lines within this row look like rows that an open quote has swallowed; else None.

        Raises:
            CorpusError: at least `SWALLOWED_ROWS` lines, and most of the row's lines, look like rows.
        """
        first, *inner, last = records.lines
        opened = next((index for index, field in enumerate(fields) if "\n" in field or "\r" in field), 0)
        # the line that opens the quote, or closes it by accident, looks like a row without this quote
        edge = first if opened < len(fields) - 1 else last
        candidates = [line for line in (edge.replace('"', "", 1), *inner) if line.strip() and '"' not in line]
        like_rows = sum(_looks_like_row(line, len(fields), self._delimiter) for line in candidates)
        if like_rows >= SWALLOWED_ROWS and like_rows >= MOST_LINES * len(inner):
            raise CorpusError(
                f"{self._where}, line {records.first_line}: one row goes on to line {records.last_line}, and "
                f"{like_rows} of these lines look like rows of their own: a quote is left open; close it. "
                "If they are one text, save the file as JSONL or Parquet"
            )
        if like_rows and like_rows >= MOST_LINES * len(candidates):
            return f"line {records.first_line}: lines within a field look like rows, a quote may be left open"
        return None

    @property
    def _where(self) -> str:
        return printable(self._file, 500)


def _packed_ascii(fields: Sequence[str]) -> bytes:
    """Return what `_packed_fields` does, faster, of fields in ASCII."""
    return "".join([f"{len(field)}:{field}" for field in fields]).encode()


def _packed_fields(fields: Sequence[str]) -> bytes:
    """Return the fields with their lengths, as netstrings: other fields never give the same bytes."""
    encoded = [field.encode("utf-8", "surrogatepass") for field in fields]
    return b"".join(b"%d:%b" % (len(field), field) for field in encoded)


def _looks_like_row(line: str, columns: int, delimiter: str) -> bool:
    """Return True where a line splits into `columns` fields without blanks at their starts.

    Prose hardly does: its commas are followed by blanks.
    """
    if columns < 2:
        return False
    if delimiter == ",":
        line = THOUSANDS.sub("", line)
    try:
        fields = next(csv.reader([line], delimiter=delimiter), [])
    except csv.Error:
        return False
    return len(fields) == columns and not any(field[:1].isspace() for field in fields[1:])
