"""Shards: rows of one file that a task names, with what they were when they were cut."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Final

from scoring.corpora.fingerprints import Fingerprint
from scoring.corpora.raw_rows import PLAIN, Dialect, RawRow, Start
from scoring.corpora.readers import reader_of
from scoring.errors import CorpusChanged, CorpusError, CorpusUnavailable
from scoring.wording import plural, printable

DIGEST_CHARACTERS: Final = 32
"""Of a shard's fingerprint: 128 bits."""


@dataclass(frozen=True)
class Shard:
    """Rows of one file; what a task names."""

    file: str
    """Path, or `hf://dataset:split`."""
    name: str
    """The file's name within the corpus: part of record ids, the same on every machine."""
    first_row: int
    row_count: int
    sha256: str
    """Fingerprint of the content of exactly these rows."""
    first_byte: int | None = None
    """Where the first row starts, so that reading need not pass the rows before it; None where that is unknown."""
    record_ids: tuple[tuple[int, str], ...] = ()
    """Row and new id of rows whose own id an earlier row has."""
    dialect: Dialect = PLAIN
    """How the file is written."""


@dataclass(frozen=True)
class FileToCut:
    """A file that is to be cut."""

    file: str
    name: str
    row_counts: Sequence[int]
    """Row counts at which rows end that came together: no shard reaches across."""
    sha256: str
    """Fingerprint of all its rows."""
    record_ids: Mapping[int, str]
    dialect: Dialect


def cut_file(file: FileToCut, rows_per_shard: int) -> Iterator[Shard]:
    """Cut a file into shards of at most `rows_per_shard` rows, in order.

    Raises:
        CorpusChanged: it is no longer what it was when the corpus was opened.
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
    """The raw rows of a shard, where its file is visible; none before all of them are what they were.

    Raises:
        OSError: the file is not visible here; CorpusUnavailable, which is one: the Hub is not reached.
        CorpusChanged: its rows are not what they were when the shard was cut.
    """
    own = Fingerprint()
    ids = dict(shard.record_ids)
    rows = []
    with _read_errors_as_change(shard.file):
        reader = reader_of(shard.file, shard.dialect)
        raw_rows = islice(reader.rows(Start(shard.first_row, shard.first_byte)), shard.row_count)
        for index, raw in enumerate(raw_rows, start=shard.first_row):
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
    """What could be read when the corpus was opened, and no longer can, has changed."""
    try:
        yield
    except (CorpusChanged, CorpusUnavailable):
        raise
    except CorpusError as error:
        raise _corpus_changed(file, str(error)) from error


def _corpus_changed(file: str, how: str) -> CorpusChanged:
    return CorpusChanged(f"{printable(file, 500)}: changed since the run was planned: {how}; start again")
