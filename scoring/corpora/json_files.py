"""Readers of `.json` files: a list of objects, read an object at a time, or an object of equally long lists.

An object of lists is read as a whole. A `.json` file with an object on each line is read as JSON lines.
"""

from collections.abc import Iterator
from itertools import islice
from typing import IO, Final

from scoring.corpora.json_lines import JsonLines, ObjectDecoder
from scoring.corpora.raw_rows import Dialect, ParsedRow, Reader, Start, canonical_json, contents_without_bytes
from scoring.corpora.streams import LONGEST_LINE, errors_naming, open_text, refuse_utf16
from scoring.errors import CorpusError
from scoring.wording import listed, printable

CHUNK_CHARACTERS: Final = 2**16
BLANKS: Final = " \t\r\n"


def json_reader(file: str, dialect: Dialect) -> Reader:
    """Return the reader for the file's content.

    Raises:
        CorpusError: the file is broken.
        OSError: the file is not there.
    """
    if dialect.encoding is None:
        refuse_utf16(file)
    with errors_naming(file), open_text(file, dialect.encoding) as stream:
        first = next((line for line in iter(lambda: stream.readline(LONGEST_LINE), "") if line.strip()), "")
        if first.lstrip()[:1] != "{":
            return JsonList(file, dialect)
        row = ObjectDecoder(dialect.encoding).row(first.strip().encode("utf-8", "surrogatepass"), "")
        is_alone = not any(line.strip() for line in iter(lambda: stream.readline(LONGEST_LINE), ""))
    holds_lists = row.values is not None and all(isinstance(value, list) for value in row.values.values())
    if row.values is not None and not (is_alone and holds_lists):
        return JsonLines(file, dialect)
    return JsonColumns(file, dialect)


class JsonList:
    """A file of a list of objects."""

    reads_from_start: Final = True

    def __init__(self, file: str, dialect: Dialect) -> None:
        self._file, self._encoding = file, dialect.encoding

    def rows(self, start: Start) -> Iterator[ParsedRow]:
        """Yield the rows from `start` on. The rows before are read, too."""
        yield from islice(self._rows(), start.row, None)

    def contents(self) -> Iterator[tuple[int | None, bytes]]:
        """Yield the content of every row."""
        return contents_without_bytes(self._rows())

    def check(self) -> None:
        """Do nothing: `json_reader` has looked at the head of the file."""

    def _rows(self) -> Iterator[ParsedRow]:
        decoder = ObjectDecoder(self._encoding)
        with errors_naming(self._file), open_text(self._file, self._encoding) as stream:
            for index, value in enumerate(_elements(stream, decoder)):
                yield decoder.checked(canonical_json(value), value, f"element {index}")


class JsonColumns:
    """A file of an object whose keys are columns and whose values are lists of the same length."""

    reads_from_start: Final = True

    def __init__(self, file: str, dialect: Dialect) -> None:
        self._file, self._encoding = file, dialect.encoding

    def rows(self, start: Start) -> Iterator[ParsedRow]:
        """Yield the rows from `start` on."""
        columns = self._columns()
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
        self._columns()

    def _columns(self) -> dict[str, list[object]]:
        with errors_naming(self._file), open_text(self._file, self._encoding) as stream:
            row = ObjectDecoder(self._encoding).row(stream.read().strip().encode("utf-8", "surrogatepass"), "the file")
        where = printable(self._file, 500)
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


def _elements(stream: IO[str], decoder: ObjectDecoder) -> Iterator[object]:
    """Yield the elements of the outermost list, and hold a single element at a time.

    Raises:
        ValueError: the stream is no list, or breaks off.
    """
    window = _Buffer(stream)
    if not window.next_is("["):
        if window.peek():
            raise ValueError("a list of objects, or an object of lists, is needed")
        return
    window.position += 1
    if window.next_is("]"):
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

    def __init__(self, stream: IO[str]) -> None:
        self._stream, self._text = stream, ""
        self.position = 0

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
        self._text, self.position = self._text[self.position :], 0
        if len(self._text) > LONGEST_LINE:
            raise ValueError(f"an element is longer than {LONGEST_LINE >> 20} MiB")
        more = self._stream.read(max(characters, CHUNK_CHARACTERS))
        self._text += more
        return bool(more)
