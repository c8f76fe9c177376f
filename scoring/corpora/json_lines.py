"""Reader of JSON lines, and strict decoding of JSON objects."""

import json
from collections.abc import Iterator
from typing import Final

from scoring.corpora.passed_rows import rows_passing
from scoring.corpora.raw_rows import ESCAPED_BYTE, Dialect, ParsedRow, Rows, Start, knows_bytes, passes_rows
from scoring.corpora.streams import byte_lines, errors_naming, lines, open_bytes_from, open_text, refuse_utf16
from scoring.wording import printable, quoted

UTF8_MARK: Final = b"\xef\xbb\xbf"


class JsonLines:
    """A file with a JSON object on each line. Blank lines are no rows."""

    def __init__(self, file: str, dialect: Dialect) -> None:
        self._file, self._encoding = file, dialect.encoding
        self._passes_rows = passes_rows(file, dialect)
        self._knows_bytes = knows_bytes(dialect)

    @property
    def reads_from_start(self) -> bool:
        """True where the file cannot be opened at the byte of a row."""
        return self._passes_rows

    def rows(self, start: Start) -> Rows:
        """Yield the rows from `start` on."""
        if start.byte is None and start.row:
            return rows_passing(self._file, Dialect(self._encoding), start.row, lambda: self._rows(0))
        return self._rows(start.byte or 0)

    def _rows(self, first_byte: int) -> Rows:
        decoder = ObjectDecoder(self._encoding)
        for number, _, line in self._lines(first_byte):
            yield decoder.row(line, f"line {number}")

    def located_rows(self) -> Iterator[tuple[int | None, ParsedRow]]:
        """Yield every row with its byte; None where reading cannot begin there."""
        decoder = ObjectDecoder(self._encoding)
        for number, byte, line in self._lines(0):
            yield (byte if self._knows_bytes else None), decoder.row(line, f"line {number}")

    def contents(self) -> Iterator[tuple[int | None, bytes]]:
        """Yield the content of every row, with the byte at which it starts; None where reading cannot begin there."""
        for _, byte, line in self._lines(0):
            yield (byte if self._knows_bytes else None), line

    def check(self) -> None:
        """Refuse UTF-16 and UTF-32, unless the settings name them.

        Raises:
            CorpusError: the file is UTF-16 or UTF-32; the message has the key that reads it.
        """
        if self._encoding is None:
            refuse_utf16(self._file)

    def _lines(self, first_byte: int) -> Iterator[tuple[int, int, bytes]]:
        """Yield number, byte and content of every line that is not blank."""
        position = first_byte
        with errors_naming(self._file):
            for number, (length, line) in enumerate(self._raw_lines(first_byte), start=1):
                content = (line.removeprefix(UTF8_MARK) if position == 0 else line).strip()
                if content:
                    yield number, position, content
                position += length

    def _raw_lines(self, first_byte: int) -> Iterator[tuple[int, bytes]]:
        """Yield every line as UTF-8, with its length in the file where a character is a byte."""
        if self._encoding is not None:
            with open_text(self._file, self._encoding, first_byte) as text:
                yield from ((len(line), line.encode("utf-8", "surrogatepass")) for line in lines(text))
            return
        with open_bytes_from(self._file, first_byte) as stream:
            yield from ((len(line), line) for line in byte_lines(stream))


class ObjectDecoder:
    """Decoder of a JSON object per row. Anything else gives a row without values, whose flaw says why."""

    def __init__(self, encoding: str | None = None) -> None:
        self._encoding = encoding
        self._repeated: str | None = None
        self._decoder = json.JSONDecoder(object_pairs_hook=self._object, parse_constant=_refuse_constant)

    def row(self, content: bytes, place: str) -> ParsedRow:
        """Return the row of an object's bytes."""
        try:
            text = content.decode("utf-8", "strict" if self._encoding is None else "surrogatepass")
            value = self._decoder.decode(text)
        except UnicodeDecodeError as error:
            return ParsedRow(content, None, f"{place}: not UTF-8 ({error.reason})", undecodable=True)
        except RecursionError:
            return ParsedRow(content, None, f"{place}: nested too deeply")
        except ValueError as error:
            return ParsedRow(content, None, f"{place}: no JSON ({printable(str(error), 80)})")
        if self._encoding is not None and not text.isascii() and ESCAPED_BYTE.search(text):
            flaw = f"{place}: holds bytes that are not {self._encoding}"
            return self.checked(content, value, place)._replace(flaw=flaw, undecodable=True)
        return self.checked(content, value, place)

    def checked(self, content: bytes, value: object, place: str) -> ParsedRow:
        """Return the row of `value`, which must be the value decoded last."""
        if not isinstance(value, dict):
            return ParsedRow(content, None, f"{place}: no JSON object")
        if self._repeated is not None:
            return ParsedRow(content, None, f"{place}: key {quoted(self._repeated)} occurs twice")
        return ParsedRow(content, value)

    def raw_decode(self, text: str, position: int) -> tuple[object, int]:
        """Decode the value at `position`; return the value and its end.

        Raises:
            ValueError: there is no JSON value, or the text ends within the value.
        """
        return self._decoder.raw_decode(text, position)

    def _object(self, pairs: list[tuple[str, object]]) -> dict[str, object]:
        # the outermost object is decoded last, so `_repeated` is about the row's own keys at the end
        values = dict(pairs)
        self._repeated = None
        if len(values) != len(pairs):
            names = [name for name, _ in pairs]
            self._repeated = next(name for name in names if names.count(name) > 1)
        return values


def _refuse_constant(name: str) -> object:
    raise ValueError(f"{name} is no JSON")
