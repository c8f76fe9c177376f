"""Rows of files that cannot be opened at a row: in encodings of several bytes a character, or packed.

A process keeps the iterator at which its last shard ended and goes on from there. Only a row that lies before that
place makes it start again.
"""

from collections.abc import Callable
from typing import Final

from scoring.corpora.kept_places import KeptPlaces, file_state
from scoring.corpora.raw_rows import Dialect, ParsedRow, Rows


class _PassedRows:
    """The rows of a file from `next_row` on."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self.next_row = 0

    def __iter__(self) -> "_PassedRows":
        return self

    def __next__(self) -> ParsedRow:
        raw = next(self._rows)
        self.next_row += 1
        return raw

    def close(self) -> None:
        """Close the file."""
        self._rows.close()


PASSED: Final[KeptPlaces[_PassedRows]] = KeptPlaces()


def rows_passing(file: str, dialect: Dialect, row: int, rows_from_start: Callable[[], Rows]) -> Rows:
    """Yield the rows from `row` on, from where this process stopped reading if that is before.

    Args:
        file: Path.
        dialect: How the file is read.
        row: The first row that is yielded.
        rows_from_start: Opens the file and yields all its rows.

    Raises:
        OSError: the file is not there.
    """
    key = file, dialect, file_state(file)
    place = PASSED.take(key)
    if place is not None and place.next_row > row:
        place.close()
        place = None
    place = place or _PassedRows(rows_from_start())
    try:
        for raw in place:
            if place.next_row > row:
                yield raw
    except GeneratorExit:  # the shard has its rows
        PASSED.put(key, place)
        raise
