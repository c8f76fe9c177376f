"""Readers of `.json` files: a list of objects, read an object at a time, or an object of equally long lists.

An object of lists is read as a whole, and kept for the next shard. A `.json` file with an object on each line is read
as JSON lines.
"""

from collections.abc import Iterator, Mapping
from functools import lru_cache, partial
from typing import Final

from scoring.corpora.json_elements import ElementBuffer, elements
from scoring.corpora.json_lines import JsonLines, ObjectDecoder
from scoring.corpora.kept_places import FileState, file_state
from scoring.corpora.passed_rows import rows_passing
from scoring.corpora.raw_rows import (
    Dialect,
    ParsedRow,
    Reader,
    Rows,
    Start,
    canonical_json,
    contents_of,
    knows_bytes,
    passes_rows,
)
from scoring.corpora.streams import LONGEST_LINE, byte_order_mark_length, errors_naming, open_text, refuse_utf16
from scoring.errors import CorpusError
from scoring.wording import listed, printable

KEPT_FORMS: Final = 64
"""Files whose form is remembered, at most."""
KEPT_COLUMNS: Final = 2
"""Files whose columns are kept in memory, at most."""


def json_reader(file: str, dialect: Dialect) -> Reader:
    """Return the reader for the file's content.

    Raises:
        CorpusError: the file is broken.
        OSError: the file is not there.
    """
    return _form(file, dialect, file_state(file))(file, dialect)


@lru_cache(KEPT_FORMS)
def _form(
    file: str,
    dialect: Dialect,
    state: FileState,  # noqa: ARG001 - a file that was written is looked at again
) -> type[JsonLines] | type["JsonList"] | type["JsonColumns"]:
    if dialect.encoding is None:
        refuse_utf16(file)
    with errors_naming(file), open_text(file, dialect.encoding) as stream:
        mark = next((char for char in iter(partial(stream.read, 1), "") if not char.isspace()), "")
        if mark != "{":
            return JsonList  # which may be one line of any length
        first = mark + stream.readline(LONGEST_LINE)
        row = ObjectDecoder(dialect.encoding).row(first.strip().encode("utf-8", "surrogatepass"), "")
        is_alone = not any(line.strip() for line in iter(partial(stream.readline, LONGEST_LINE), ""))
    holds_lists = row.values is not None and all(isinstance(value, list) for value in row.values.values())
    if row.values is not None and not (is_alone and holds_lists):
        return JsonLines
    return JsonColumns


class JsonList:
    """A file of a list of objects."""

    def __init__(self, file: str, dialect: Dialect) -> None:
        self._file, self._dialect = file, dialect
        self._passes_rows = passes_rows(file, dialect)

    @property
    def reads_from_start(self) -> bool:
        """True where the file cannot be opened at the byte of an element."""
        return self._passes_rows

    def rows(self, start: Start) -> Rows:
        """Yield the rows from `start` on."""
        if start.byte is None and start.row:
            return rows_passing(self._file, self._dialect, start.row, lambda: self.rows(Start()))
        return (row for _, row in self._rows(start.byte or 0))

    def located_rows(self) -> Iterator[tuple[int | None, ParsedRow]]:
        """Yield every row with its byte; None where reading cannot begin at a byte."""
        return self._rows(0)

    def contents(self) -> Iterator[tuple[int | None, bytes]]:
        """Yield the content of every row, with its byte."""
        return contents_of(self.located_rows())

    def check(self) -> None:
        """Do nothing: `json_reader` has looked at the head of the file."""

    def _rows(self, first_byte: int) -> Iterator[tuple[int | None, ParsedRow]]:
        """Yield the rows with their bytes. `first_byte` is that of an element, or 0, the file's start."""
        encoding = self._dialect.encoding
        decoder = ObjectDecoder(encoding)
        with errors_naming(self._file), open_text(self._file, encoding, first_byte) as stream:
            mark = byte_order_mark_length(self._file) if encoding is None and not first_byte else 0
            window = ElementBuffer(stream, first_byte + mark, is_utf8=encoding is None)
            for index, value in enumerate(elements(window, decoder, is_inside=first_byte > 0)):
                byte = window.element_byte if knows_bytes(self._dialect) else None
                yield byte, decoder.checked(canonical_json(value), value, f"element {index}")


class JsonColumns:
    """A file of an object whose keys are columns and whose values are lists of the same length."""

    reads_from_start: Final = False

    def __init__(self, file: str, dialect: Dialect) -> None:
        self._file, self._encoding = file, dialect.encoding

    def rows(self, start: Start) -> Rows:
        """Yield the rows from `start` on. A process that begins within the file keeps its columns in memory."""
        if start.row:
            columns = _kept_columns(self._file, self._encoding, file_state(self._file))
        else:
            columns = _read_columns(self._file, self._encoding)
        length = len(next(iter(columns.values()), []))
        for index in range(start.row, length):
            values = {name: column[index] for name, column in columns.items()}
            yield ParsedRow(canonical_json(values), values)

    def located_rows(self) -> Iterator[tuple[int | None, ParsedRow]]:
        """Yield every row, without its byte."""
        return ((None, row) for row in self.rows(Start()))

    def contents(self) -> Iterator[tuple[int | None, bytes]]:
        """Yield the content of every row."""
        return contents_of(self.located_rows())

    def check(self) -> None:
        """Read the file.

        Raises:
            CorpusError: the file is no object of equally long lists.
        """
        _read_columns(self._file, self._encoding)


@lru_cache(KEPT_COLUMNS)
def _kept_columns(
    file: str,
    encoding: str | None,
    state: FileState,  # noqa: ARG001 - a file that was written is read again
) -> Mapping[str, list[object]]:
    return _read_columns(file, encoding)


def _read_columns(file: str, encoding: str | None) -> Mapping[str, list[object]]:
    with errors_naming(file), open_text(file, encoding) as stream:
        row = ObjectDecoder(encoding).row(stream.read().strip().encode("utf-8", "surrogatepass"), "the file")
    where = printable(file, 500)
    if row.values is None:
        raise CorpusError(f"{where}: {row.flaw}; a list of objects, or an object of lists, is needed")
    columns = {name: value for name, value in row.values.items() if isinstance(value, list)}
    if len(columns) < len(row.values):
        others = [name for name in row.values if name not in columns]
        raise CorpusError(
            f"{where}: an object of lists, or a list of objects, is needed; no lists are {listed(others)}"
        )
    lengths = {name: len(column) for name, column in columns.items()}
    if len(set(lengths.values())) > 1:
        said = listed(f"{name} {length}" for name, length in lengths.items())
        raise CorpusError(f"{where}: its lists must be equally long, not {said}")
    return columns
