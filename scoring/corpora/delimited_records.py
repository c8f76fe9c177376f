"""Records of delimited text: the fields of each, with its lines and the byte at which it starts."""

import csv
from collections.abc import Iterator
from typing import IO

from scoring.corpora.streams import LONGEST_LINE, lines

csv.field_size_limit(LONGEST_LINE)  # the default of 131072 characters refuses long texts


class Records:
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
