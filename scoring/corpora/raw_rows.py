"""Raw rows, as a file has them, and what a reader of any format can do.

A row that cannot be decoded has no values and says why, and the next one is read. A file that cannot be read raises.
Knows nothing of what the columns mean.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol

from scoring.corpora.streams import suffixes

Values = Mapping[str, object] | None
"""The columns of a row, or None where it could not be decoded."""
ESCAPED_BYTE: Final = re.compile("[\udc80-\udcff]")
"""The character that a byte becomes where it is not of the file's encoding."""


class Dialect(NamedTuple):
    """Encoding and delimiter of the files, as the user names them."""

    encoding: str | None = None
    """None: UTF-8, with or without a byte order mark."""
    delimiter: str | None = None
    """None: what the suffix says."""


PLAIN: Final = Dialect()


class Start(NamedTuple):
    """Where reading starts."""

    row: int = 0
    byte: int | None = None
    """Offset of that row. Reading begins there, without the rows before it; None: not known."""


class ParsedRow(NamedTuple):
    """One row as a file has it."""

    content: bytes
    """Bytes of which its fingerprint is made: the same for the same row in another compression, or at another place."""
    values: Values
    flaw: str | None = None
    """Fault of the row, and its place: `line 7: 4 fields where the header has 2`."""
    undecodable: bool = False
    """True: it holds bytes that are not of the file's encoding."""


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
    """Reader of one file, whatever its format."""

    @property
    def reads_from_start(self) -> bool:
        """Whether reading from a row on passes all rows before it."""

    def rows(self, start: Start) -> Iterator[ParsedRow]:
        """Rows from `start` on."""

    def contents(self) -> Iterator[tuple[int | None, bytes]]:
        """Content of every row, and at which byte the row starts, where reading can begin there."""

    def check(self) -> None:
        """Look at the head of the file.

        Raises:
            CorpusError: it is not of this format, or needs a key of the settings to be read.
        """


def is_seekable(file: str, dialect: Dialect) -> bool:
    """Whether a file of lines can be read from a byte on."""
    return dialect.encoding is None and not suffixes(file)[1]


def canonical_json(values: object) -> bytes:
    """One spelling of a row's values, whatever the order of its columns."""
    return json.dumps(values, sort_keys=True, separators=(",", ":"), default=repr).encode()


def contents_without_bytes(rows: Iterable[ParsedRow]) -> Iterator[tuple[int | None, bytes]]:
    """Content of rows that can only be found by number."""
    return ((None, row.content) for row in rows)
