"""Unique record ids: the first row with an id keeps it, and each later row gets `#file:row` appended.

The first row stays the first when a corpus grows, because older rows come before newer rows. Ids are held as hashes of
64 bits: ten million ids take 80 MB.
"""

import heapq
from array import array
from collections.abc import Iterable, Mapping, Sequence
from hashlib import blake2b
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from scoring.corpora.records import row_name

Hashes = npt.NDArray[np.uint64]


class RowRange(NamedTuple):
    """Rows of one file that came to the corpus together."""

    name: str
    """Name of the file within the corpus."""
    first_row: int
    hashes: Hashes
    """Hashes of the ids of these rows."""


def id_hash(record_id: str) -> int:
    """Return a hash of 64 bits of an id, the same on every machine."""
    return int.from_bytes(blake2b(record_id.encode(), digest_size=8).digest(), "big")


class IdHashes:
    """Hashes of the ids of a file's rows, in order."""

    def __init__(self) -> None:
        self._hashes, self._without = array("Q"), array("Q")

    def add(self, record_id: str | None) -> None:
        """Add the id of the next row; None where the row has none, and so is named `file:row`."""
        if record_id is None:
            self._without.append(len(self._hashes))
        self._hashes.append(0 if record_id is None else id_hash(record_id))

    def hashes(self, name: str) -> Hashes:
        """Return the hashes of all rows so far. Rows without an id are named by `name`, the file's name."""
        hashes = np.array(self._hashes, dtype=np.uint64)
        for row in self._without:
            hashes[row] = id_hash(row_name(name, row))
        return hashes


def repeated_hashes(hashes: Iterable[Hashes]) -> Mapping[int, int]:
    """Return the hashes that occur more than once, with their numbers."""
    every = np.sort(np.concatenate([np.empty(0, np.uint64), *hashes]))
    is_repeated = every[1:] == every[:-1]
    if not is_repeated.any():
        return {}
    values, counts = np.unique(every[1:][is_repeated], return_counts=True)
    return {int(value): int(count) + 1 for value, count in zip(values, counts, strict=True)}


def unique_ids(runs: Sequence[RowRange], ids: Mapping[int, str]) -> dict[tuple[str, int], str]:
    """Return new ids, by file and row, for the rows whose own id an earlier row has.

    Args:
        runs: Every row of the corpus, in the order of precedence.
        ids: The id of every hash that occurs more than once.
    """
    every = np.concatenate([np.empty(0, np.uint64), *(run.hashes for run in runs)])
    ends = np.cumsum([len(run.hashes) for run in runs])
    wanted = np.fromiter(ids, np.uint64, len(ids))
    of_repeated = np.flatnonzero(np.isin(every, wanted))
    waiting, seen = [], set()
    for position in of_repeated.tolist():
        value = int(every[position])
        if value in seen:
            waiting.append((position, ids[value]))
        seen.add(value)
    order = np.argsort(every, kind="stable") if waiting else np.empty(0, np.int64)
    ordered = every[order]
    given: set[int] = set()
    renamed: dict[tuple[str, int], str] = {}
    while waiting:  # a heap: a new id may be the id of a later row, which then needs a new id, too
        position, record_id = heapq.heappop(waiting)
        number = int(np.searchsorted(ends, position, side="right"))
        run = runs[number]
        row = run.first_row + position - (int(ends[number]) - len(run.hashes))
        suffix = f"#{row_name(run.name, row)}"
        record_id += suffix
        while id_hash(record_id) in given or _first_position(every, order, ordered, id_hash(record_id)) < position:
            record_id += suffix
        given.add(id_hash(record_id))
        later = _first_position(every, order, ordered, id_hash(record_id))
        if later < len(every):
            heapq.heappush(waiting, (later, record_id))
        renamed[run.name, row] = record_id
    return renamed


def _first_position(every: Hashes, order: npt.NDArray[np.int64], ordered: Hashes, value: int) -> int:
    """Return the position of the first row with this hash; the number of rows where no row has it."""
    place = int(np.searchsorted(ordered, np.uint64(value)))
    return int(order[place]) if place < len(order) and ordered[place] == value else len(every)
