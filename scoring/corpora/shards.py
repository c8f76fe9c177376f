"""Shards: consecutive rows of a file that a task names, with their fingerprint."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Final

from scoring.corpora.fingerprints import Fingerprint
from scoring.corpora.raw_rows import PLAIN, Dialect, RawRow, Start
from scoring.corpora.readers import reader_of
from scoring.errors import CorpusChanged, CorpusError, CorpusUnavailable
from scoring.wording import plural, printable

DIGEST_CHARACTERS: Final = 32
"""Hex digits of a shard's fingerprint: 128 bits."""


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
    """Byte at which the first row starts, from which reading begins. None: unknown, so the rows before are read too."""
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


def cut_file(file: FileToCut, rows_per_shard: int) -> Iterator[Shard]:
    """Cut a file into shards of at most `rows_per_shard` rows, in order.

    Raises:
        CorpusChanged: the file has changed since the corpus was opened.
    """
    starts = [0, *file.row_counts]
    cuts = [
        row for first, end in zip(starts, file.row_counts, strict=False) for row in range(first, end, rows_per_shard)
    ]
    with _read_errors_as_change(file.file):
        contents = reader_of(file.file, file.dialect).contents()
        whole = Fingerprint()
        for first, end in zip(cuts, [*cuts[1:], starts[-1]], strict=True):
            own, first_byte = Fingerprint(), None
            for row, (byte, content) in zip(range(first, end), contents, strict=False):
                first_byte = byte if row == first else first_byte
                whole.add(content)
                own.add(content)
            if own.rows < end - first:
                raise _corpus_changed(file.file, f"{plural(whole.rows, 'row')} where {starts[-1]} were counted")
            ids = tuple((row, file.record_ids[row]) for row in range(first, end) if row in file.record_ids)
            digest = own.hex()[:DIGEST_CHARACTERS]
            yield Shard(file.file, file.name, first, end - first, digest, first_byte, ids, file.dialect)
        if whole.hex() != file.sha256:
            raise _corpus_changed(file.file, "its rows are not what they were")


def read_rows(shard: Shard) -> Iterator[RawRow]:
    """Yield the rows of a shard, on a machine that sees its file. All rows are read and compared before the first.

    Raises:
        OSError: the file is not visible on this machine; as its subclass CorpusUnavailable: the Hub is not reached.
        CorpusChanged: the rows differ from those of which the shard was cut.
    """
    own = Fingerprint()
    ids = dict(shard.record_ids)
    rows = []
    with _read_errors_as_change(shard.file):
        reader = reader_of(shard.file, shard.dialect)
        with closing(reader.rows(Start(shard.first_row, shard.first_byte))) as raw_rows:
            for index, raw in enumerate(islice(raw_rows, shard.row_count), start=shard.first_row):
                own.add(raw.content)
                rows.append(RawRow(shard.name, index, raw.values, ids.get(index)))
    if len(rows) < shard.row_count:
        seen = f"{plural(len(rows), 'row')} from row {shard.first_row} on where {shard.row_count} were counted"
        raise _corpus_changed(shard.file, seen)
    if own.hex()[:DIGEST_CHARACTERS] != shard.sha256:
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
