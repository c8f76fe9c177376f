"""Rows as a file has them, and the interface of the readers of all formats.

A row that cannot be decoded has no values and a flaw that says why, and reading goes on. A file that cannot be read is
an error. Knows nothing of the meaning of columns.
"""

import json
import re
from collections.abc import Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol

from scoring.corpora.streams import is_single_byte, suffixes

Values = Mapping[str, object] | None
"""The columns of a row, or None where it could not be decoded."""
ESCAPED_BYTE: Final = re.compile("[\udc80-\udcff]")
"""Characters that stand for bytes that are not of the file's encoding."""


class Dialect(NamedTuple):
    """Encoding and delimiter of a corpus' files, as the user names them."""

    encoding: str | None = None
    """Name of the encoding. None: UTF-8, with or without a byte order mark."""
    delimiter: str | None = None
    """Character between columns. None: a comma, or a tab in TSV files."""


PLAIN: Final = Dialect()
CANONICAL: Final = json.JSONEncoder(sort_keys=True, separators=(",", ":"), default=repr)


class Start(NamedTuple):
    """The row at which reading starts."""

    row: int = 0
    byte: int | None = None
    """Offset of the row, unpacked, from which reading begins. None: unknown, so the rows before may be read, too."""


class ParsedRow(NamedTuple):
    """A row as a reader gives it."""

    content: bytes
    """Bytes that the fingerprint is made of. A row has the same bytes in another compression and at another place."""
    values: Values
    flaw: str | None = None
    """Fault of the row and its place, as in `line 7: 4 fields where the header has 2`; None for a good row."""
    undecodable: bool = False
    """True where the row holds bytes that are not of the file's encoding."""


Rows = Generator[ParsedRow, None, None]
"""Rows of a file, in order. Closing them closes the file, or keeps its place for the next shard."""


@dataclass(frozen=True)
class RawRow:
    """The values of one row and its place in the corpus, without their meaning.

    Small and picklable: a row is sent to workers that do not see its file.
    """

    file: str
    """Name of the file within the corpus."""
    index: int
    values: Values
    record_id: str | None = None
    """New id of the record, where an earlier row has the row's own id; else None."""


class Reader(Protocol):
    """Reader of a file of any format."""

    @property
    def reads_from_start(self) -> bool:
        """True where a process must pass the rows before a row, unless its last shard ended there."""

    def rows(self, start: Start) -> Rows:
        """Yield the rows from `start` on."""

    def located_rows(self) -> Iterator[tuple[int | None, ParsedRow]]:
        """Yield every row with the byte at which it starts; None where reading cannot begin there."""

    def contents(self) -> Iterator[tuple[int | None, bytes]]:
        """Yield the content of every row, with the byte at which it starts; None where reading cannot begin there."""

    def check(self) -> None:
        """Look at the head of the file.

        Raises:
            CorpusError: the file is not of this format, or needs a key in the settings.
        """


def knows_bytes(dialect: Dialect) -> bool:
    """Return True where the byte of a line follows from the lines before: UTF-8, or one byte a character."""
    return dialect.encoding is None or is_single_byte(dialect.encoding)


def passes_rows(file: str, dialect: Dialect) -> bool:
    """Return True where a file of lines cannot be opened at the byte of a row."""
    return bool(suffixes(file)[1]) or not knows_bytes(dialect)


def canonical_json(values: object) -> bytes:
    """Return a row's values as JSON with sorted keys: the order of columns does not matter."""
    return CANONICAL.encode(values).encode()


def contents_of(rows: Iterable[tuple[int | None, ParsedRow]]) -> Iterator[tuple[int | None, bytes]]:
    """Yield the content of rows, with the byte at which each starts."""
    return ((byte, row.content) for byte, row in rows)
