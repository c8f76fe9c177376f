"""Readers of `.json` files: a list of objects, read an object at a time, or an object of equally long lists.

An object of lists is read as a whole, and kept for the next shard. A `.json` file with an object on each line is read
as JSON lines.
"""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import IO, Final

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
    contents_without_bytes,
    knows_bytes,
    passes_rows,
)
from scoring.corpora.streams import LONGEST_LINE, byte_order_mark_length, errors_naming, open_text, refuse_utf16
from scoring.errors import CorpusError
from scoring.wording import listed, printable

CHUNK_CHARACTERS: Final = 2**16
BLANKS: Final = " \t\r\n"
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
        first = next((line for line in iter(lambda: stream.readline(LONGEST_LINE), "") if line.strip()), "")
        if first.lstrip()[:1] != "{":
            return JsonList
        row = ObjectDecoder(dialect.encoding).row(first.strip().encode("utf-8", "surrogatepass"), "")
        is_alone = not any(line.strip() for line in iter(lambda: stream.readline(LONGEST_LINE), ""))
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

    def contents(self) -> Iterator[tuple[int | None, bytes]]:
        """Yield the content of every row, with its byte; None where reading cannot begin at a byte."""
        return ((byte, row.content) for byte, row in self._rows(0))

    def check(self) -> None:
        """Do nothing: `json_reader` has looked at the head of the file."""

    def _rows(self, first_byte: int) -> Iterator[tuple[int | None, ParsedRow]]:
        """Yield the rows with their bytes. `first_byte` is that of an element, or 0, the file's start."""
        encoding = self._dialect.encoding
        decoder = ObjectDecoder(encoding)
        with errors_naming(self._file), open_text(self._file, encoding, first_byte) as stream:
            mark = byte_order_mark_length(self._file) if encoding is None and not first_byte else 0
            window = _Buffer(stream, first_byte + mark, is_utf8=encoding is None)
            for index, value in enumerate(_elements(window, decoder, is_inside=first_byte > 0)):
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

    def contents(self) -> Iterator[tuple[int | None, bytes]]:
        """Yield the content of every row."""
        return contents_without_bytes(self.rows(Start()))

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


def _elements(window: "_Buffer", decoder: ObjectDecoder, is_inside: bool) -> Iterator[object]:
    """Yield the elements of the outermost list, and hold a single element at a time.

    Args:
        window: The file's text; with `is_inside` from an element on.
        decoder: Decodes the elements.
        is_inside: False where the list's bracket is still to come.

    Raises:
        ValueError: the stream is no list, or breaks off.
    """
    if not is_inside:
        if not window.next_is("["):
            if window.peek():
                raise ValueError("a list of objects, or an object of lists, is needed")
            return
        window.position += 1
    if not is_inside and window.next_is("]"):
        window.position += 1
    else:
        while True:
            yield window.element(decoder)
            mark = window.peek()
            window.position += 1
            if mark == "]":
                break
            if mark != ",":
                raise ValueError(f"the list breaks off, or a comma is missing, at {mark!r}")
    if window.peek():
        raise ValueError("the file goes on after the list's end")


class _Buffer:
    """The part of a stream that is being decoded."""

    def __init__(self, stream: IO[str], first_byte: int, is_utf8: bool) -> None:
        self._stream, self._text, self._is_utf8 = stream, "", is_utf8
        self.position = 0
        self.element_byte = 0
        """Byte at which the last element starts, in UTF-8 or where a character is a byte."""
        self._counted, self._counted_bytes = 0, first_byte

    def peek(self) -> str:
        """Return the next character that is not blank; empty at the end."""
        while True:
            while self.position < len(self._text):
                if self._text[self.position] not in BLANKS:
                    return self._text[self.position]
                self.position += 1
            if not self._read_more(CHUNK_CHARACTERS):
                return ""

    def next_is(self, mark: str) -> bool:
        """Return True where the next character that is not blank is `mark`."""
        return self.peek() == mark

    def element(self, decoder: ObjectDecoder) -> object:
        """Decode the next value.

        Raises:
            ValueError: there is no JSON value, or it is nested too deeply or too long.
        """
        self.peek()
        self._count_bytes()
        self.element_byte = self._counted_bytes
        while True:
            try:
                value, end = decoder.raw_decode(self._text, self.position)
                is_whole = end < len(self._text)  # a number at the end may go on
            except RecursionError:
                raise ValueError("an element is nested too deeply") from None
            except ValueError:
                is_whole = False
                if not self._read_more(len(self._text)):
                    raise
                continue
            if is_whole or not self._read_more(CHUNK_CHARACTERS):
                self.position = end
                return value

    def _read_more(self, characters: int) -> bool:
        """Drop the text before `position`, and read at least `characters` more; False at the end of the stream."""
        self._count_bytes()
        self._text, self.position, self._counted = self._text[self.position :], 0, 0
        if len(self._text) > LONGEST_LINE:
            raise ValueError(f"an element is longer than {LONGEST_LINE >> 20} MiB")
        more = self._stream.read(max(characters, CHUNK_CHARACTERS))
        self._text += more
        return bool(more)

    def _count_bytes(self) -> None:
        """Count the bytes of the text up to `position`."""
        passed = self._text[self._counted : self.position]
        is_bytes = not self._is_utf8 or passed.isascii()
        self._counted_bytes += len(passed) if is_bytes else len(passed.encode("utf-8", "surrogateescape"))
        self._counted = self.position
