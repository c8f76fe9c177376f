"""Shards: consecutive rows of a file that a task names, with their fingerprint.

The shards of a file are arithmetic and two arrays. A Shard is made when somebody asks for it.
"""

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import accumulate, islice, pairwise
from typing import Any

from scoring.corpora.fingerprints import RowFingerprints, ShardCuts
from scoring.corpora.raw_rows import PLAIN, Dialect, RawRow, Start
from scoring.corpora.readers import reader_of
from scoring.errors import CorpusChanged, CorpusError, CorpusUnavailable
from scoring.wording import plural, printable


@dataclass(frozen=True)
class Shard:
    """Rows of a file that a task names."""

    file: str
    """Path, or `hf://dataset:split`."""
    name: str
    """Name of the file within the corpus, the same on every machine. Part of record ids."""
    first_row: int
    row_count: int
    sha256: str
    """Fingerprint of these rows."""
    first_byte: int | None = None
    """Byte at which the first row starts, unpacked, from which reading begins. None: not known."""
    record_ids: tuple[tuple[int, str], ...] = ()
    """Row and new id, for rows whose own id an earlier row has."""
    dialect: Dialect = PLAIN
    """Encoding and delimiter of the file."""


@dataclass(frozen=True)
class FileToCut:
    """A file that is to be cut into shards."""

    file: str
    name: str
    row_counts: Sequence[int]
    """Row counts of the file when the corpus was first seen, and each time it grew. No shard crosses such a count."""
    sha256: str
    """Fingerprint of all rows."""
    record_ids: Mapping[int, str]
    dialect: Dialect


@dataclass(frozen=True, eq=False)
class FileShards(Sequence[Shard]):
    """The shards of a file, of at most `rows_per_shard` rows, in order."""

    file: FileToCut
    rows_per_shard: int
    cuts: ShardCuts

    def __len__(self) -> int:
        return len(self.cuts)

    def __getitem__(self, index: Any) -> Any:
        """Return a shard, or a list of shards."""
        if isinstance(index, slice):
            return [self[place] for place in range(*index.indices(len(self)))]
        place = range(len(self))[index]
        first, end = self._extent(place)
        ids = self.file.record_ids
        new_ids = tuple((row, ids[row]) for row in range(first, end) if row in ids) if ids else ()
        return Shard(
            self.file.file,
            self.file.name,
            first,
            end - first,
            self.cuts.digest(place),
            self.cuts.first_byte(place),
            new_ids,
            self.file.dialect,
        )

    def _extent(self, place: int) -> tuple[int, int]:
        """Return the first row of a shard, and the row behind its last."""
        for start, end in pairwise([0, *self.file.row_counts]):
            shards = -(-(end - start) // self.rows_per_shard)
            if place < shards:
                first = start + place * self.rows_per_shard
                return first, min(first + self.rows_per_shard, end)
            place -= shards
        raise IndexError(place)


class Shards(Sequence[Shard]):
    """The shards of all files of a corpus, in order."""

    def __init__(self, files: Sequence[FileShards]) -> None:
        self._files = tuple(files)
        *self._starts, self._count = accumulate(map(len, self._files), initial=0)

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: Any) -> Any:
        """Return a shard, or a list of shards."""
        if isinstance(index, slice):
            return [self[place] for place in range(*index.indices(len(self)))]
        place = range(len(self))[index]
        file = bisect_right(self._starts, place) - 1
        return self._files[file][place - self._starts[file]]


def cut_file(file: FileToCut, rows_per_shard: int) -> FileShards:
    """Cut a file into shards of at most `rows_per_shard` rows. Reads all its rows.

    Raises:
        CorpusChanged: the file has changed since the corpus was opened.
        OSError: the file is no longer there.
    """
    fingerprints = RowFingerprints(shard_sizes=[rows_per_shard], growths=file.row_counts)
    rows = file.row_counts[-1]
    with _read_errors_as_change(file.file):
        for byte, content in islice(reader_of(file.file, file.dialect).contents(), rows):
            fingerprints.add(byte, content)
        cuts = fingerprints.cuts()[rows_per_shard]
    if fingerprints.rows < rows:
        raise _corpus_changed(file.file, f"{plural(fingerprints.rows, 'row')} where {rows} were counted")
    if fingerprints.digests[rows] != file.sha256:
        raise _corpus_changed(file.file, "its rows are not what they were")
    return FileShards(file, rows_per_shard, cuts)


def read_rows(shard: Shard) -> Iterator[RawRow]:
    """Yield the rows of a shard, on a machine that sees its file. All rows are read and compared before the first.

    Raises:
        OSError: the file is not visible on this machine; as its subclass CorpusUnavailable: the Hub is not reached.
        CorpusChanged: the rows differ from those of which the shard was cut.
    """
    fingerprints = RowFingerprints(shard_sizes=[shard.row_count])
    ids = dict(shard.record_ids)
    rows = []
    with _read_errors_as_change(shard.file):
        reader = reader_of(shard.file, shard.dialect)
        with closing(reader.rows(Start(shard.first_row, shard.first_byte))) as raw_rows:
            for index, raw in enumerate(islice(raw_rows, shard.row_count), start=shard.first_row):
                fingerprints.add(None, raw.content)
                rows.append(RawRow(shard.name, index, raw.values, ids.get(index)))
    if len(rows) < shard.row_count:
        seen = f"{plural(len(rows), 'row')} from row {shard.first_row} on where {shard.row_count} were counted"
        raise _corpus_changed(shard.file, seen)
    if fingerprints.cuts()[shard.row_count].digest(0) != shard.sha256:
        last = shard.first_row + shard.row_count - 1
        raise _corpus_changed(shard.file, f"rows {shard.first_row} to {last}, counted from 0, are not what they were")
    yield from rows


@contextmanager
def _read_errors_as_change(file: str) -> Iterator[None]:
    """Turn a CorpusError into a CorpusChanged: the file could be read when the corpus was opened."""
    try:
        yield
    except (CorpusChanged, CorpusUnavailable):
        raise
    except CorpusError as error:
        raise _corpus_changed(file, str(error)) from error


def _corpus_changed(file: str, how: str) -> CorpusChanged:
    return CorpusChanged(f"{printable(file, 500)}: changed since the run was planned: {how}; start again")
