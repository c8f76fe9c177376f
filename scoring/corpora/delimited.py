"""Reader of CSV and TSV: a header line, then rows with as many fields.

Quoted fields may hold line breaks and delimiters. Reading is strict, because a wrong guess would be scored as text. A
row of another length is a bad row. A quote that stays open and swallows the rows below is found.
"""

import csv
import hashlib
import re
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from typing import IO, Final

from scoring.corpora.passed_rows import rows_passing
from scoring.corpora.raw_rows import ESCAPED_BYTE, Dialect, ParsedRow, Rows, Start, knows_bytes, passes_rows
from scoring.corpora.streams import (
    LONGEST_LINE,
    byte_order_mark_length,
    errors_naming,
    lines,
    open_text,
    refuse_utf16,
    suffixes,
)
from scoring.errors import CorpusError
from scoring.wording import plural, printable, quoted

THOUSANDS: Final = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
DELIMITERS_BY_SUFFIX: Final = {".csv": ",", ".tsv": "\t"}
DELIMITERS: Final = ",;\t|"
SWALLOWED_ROWS: Final = 3
"""Lines within a field that look like rows, from which on a quote counts as left open."""
MOST_LINES: Final = 0.6
"""Share of a field's lines that must look like rows as well."""


class Delimited:
    """A file of delimited rows."""

    def __init__(self, file: str, dialect: Dialect) -> None:
        self._file, self._encoding = file, dialect.encoding
        self._delimiter = dialect.delimiter or DELIMITERS_BY_SUFFIX[suffixes(file)[0]]
        self._delimiter_is_named = dialect.delimiter is not None
        self._passes_rows = passes_rows(file, dialect)
        self._knows_bytes = knows_bytes(dialect)
        csv.field_size_limit(LONGEST_LINE)  # the default of 131072 characters refuses long texts

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

    def contents(self) -> Iterator[tuple[int | None, bytes]]:
        """Yield the content of every row, with its byte. The content is the names of the columns and the fields."""
        return ((byte, row.content) for byte, row in self._rows(None))

    def _rows(self, first_byte: int | None) -> Iterator[tuple[int | None, ParsedRow]]:
        """Yield the rows with the byte at which each starts; None where reading cannot begin at a byte."""
        with errors_naming(self._file), ExitStack() as streams:
            records = self._records(streams)
            header = self._header(records)
            if header is None:
                return
            if first_byte is not None:
                records = self._records(streams, first_byte)
            names_digest = hashlib.sha256(_packed_fields(header)).digest()[:8]
            for fields in records:
                yield records.first_byte, self._row(header, names_digest, fields, records)

    def _records(self, streams: ExitStack, byte: int | None = None) -> "_Records":
        if byte is None and self._knows_bytes:
            byte = byte_order_mark_length(self._file) if self._encoding is None else 0
        stream = streams.enter_context(open_text(self._file, self._encoding, byte or 0))
        return _Records(stream, self._delimiter, byte, is_utf8=self._encoding is None)

    def check(self) -> None:
        """Read the header.

        Raises:
            CorpusError: the file is UTF-16 or UTF-32 without being named so, or has no proper header.
        """
        if self._encoding is None:
            refuse_utf16(self._file)
        with errors_naming(self._file), ExitStack() as streams:
            self._header(self._records(streams))

    def _header(self, records: "_Records") -> Sequence[str] | None:
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

    def _row(
        self, header: Sequence[str], names_digest: bytes, fields: list[str] | str, records: "_Records"
    ) -> ParsedRow:
        place = f"line {records.first_line}"
        if isinstance(fields, str):
            return ParsedRow(names_digest + records.text.rstrip("\r\n").encode("utf-8", "surrogatepass"), None, fields)
        content = names_digest + _packed_fields(fields)
        undecodable = not records.is_ascii and any(map(ESCAPED_BYTE.search, fields))
        if len(fields) != len(header):
            lengths = f"{plural(len(fields), 'field')} where the header has {len(header)}"
            return ParsedRow(content, None, f"{place}: {lengths}", undecodable)
        if any("\0" in line for line in records.lines):
            return ParsedRow(content, None, f"{place}: holds a NUL byte", undecodable)
        flaw = self._swallowed_rows(records, fields) if len(records.lines) > 1 else None
        if undecodable:
            flaw = f"{place}: holds bytes that are not {self._encoding or 'UTF-8'}"
        values: dict[str, object] = {name: field for name, field in zip(header, fields, strict=True) if name.strip()}
        return ParsedRow(content, values, flaw, undecodable)

    def _swallowed_rows(self, records: "_Records", fields: list[str]) -> str | None:
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


class _Records:
    """Iterator over the records of a stream; also holds the lines of the last record.

    A record is a list of fields, or a text that says why the lines are no record.
    """

    def __init__(self, stream: IO[str], delimiter: str, byte: int | None, is_utf8: bool) -> None:
        self.lines: list[str] = []
        self.last_line = 0
        self.first_byte = self._next_byte = byte
        """Byte at which the last record starts; None where the stream's bytes are not known."""
        self._is_utf8 = is_utf8
        self._lines = lines(stream)
        self._reader = csv.reader(self._consumed_lines(), delimiter=delimiter, strict=True)

    @property
    def first_line(self) -> int:
        """Number of the first line of the last record."""
        return self.last_line - len(self.lines) + 1

    @property
    def text(self) -> str:
        """The lines of the last record as they are."""
        return "".join(self.lines)

    @property
    def is_ascii(self) -> bool:
        """True where the lines are ASCII, and so hold no byte that could not be decoded."""
        return all(map(str.isascii, self.lines))

    def __iter__(self) -> Iterator[list[str] | str]:
        while True:
            self.lines.clear()
            self.first_byte = self._next_byte
            try:
                fields = next(self._reader)
            except StopIteration:
                return
            except csv.Error as error:
                yield self._explain_error(error)
                continue
            if fields:  # a blank line is no record
                yield fields

    def _explain_error(self, error: csv.Error) -> str:
        if len(self.lines) == 1 and "unexpected end" not in str(error):
            return f"line {self.first_line}: a quote within a quoted field must be doubled ({error})"
        raise ValueError(
            f"line {self.first_line}: a quote opens and is not closed in its row, lines to {self.last_line} would be "
            f"swallowed ({error}); close it, or double quotes that belong to the text"
        )

    def _consumed_lines(self) -> Iterator[str]:
        for line in self._lines:
            self.last_line += 1
            self.lines.append(line)
            if self._next_byte is not None:
                is_bytes = not self._is_utf8 or line.isascii()
                self._next_byte += len(line) if is_bytes else len(line.encode("utf-8", "surrogateescape"))
            yield line


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
