"""Scan of every row of a corpus, once: counts, fingerprints and hashes of ids. Holds no row."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Final

from scoring.corpora.columns import Columns
from scoring.corpora.fingerprints import RowFingerprints, ShardCuts
from scoring.corpora.kept_places import FileState, file_state
from scoring.corpora.plain_rows import PlainRows
from scoring.corpora.raw_rows import Dialect, RawRow, Start
from scoring.corpora.readers import HUB_PREFIX, reader_of
from scoring.corpora.record_ids import IdHashes
from scoring.corpora.records import Origin, RecordMaker, row_name
from scoring.corpora.tally import Tally
from scoring.errors import CorpusChanged
from scoring.wording import printable

Progress = Callable[[str], object]
"""Called with a sentence about the progress, from time to time."""
PROGRESS_ROWS: Final = 20_000
"""Rows of a file between two calls of `Progress`."""


def _ignore(_sentence: str) -> None:
    """Drop a sentence about the progress."""


@dataclass(frozen=True, eq=False)
class ScannedFile:
    """A file after its scan."""

    file: str
    name: str
    rows: int
    digests: Mapping[int, str]
    """Fingerprints of the first n rows by n: of no rows, of every checkpoint, and of all rows."""
    ids: IdHashes | None
    """Hashes of the rows' ids; None where the corpus has no column of ids."""
    cuts: Mapping[int, ShardCuts]
    """Shards of the file by their rows, for a file that did not grow."""
    state: FileState | None
    """State of the file when it was read; None for a dataset of the Hub."""

    def is_unchanged(self) -> bool:
        """Return True where nobody has written the file since.

        Raises:
            OSError: the file is no longer there.
        """
        return _state(self.file) == self.state


class Scanner:
    """Reads files and counts their rows, one file after the other."""

    def __init__(
        self,
        columns: Columns,
        maker: RecordMaker,
        tally: Tally,
        dialect: Dialect,
        shard_sizes: Collection[int] = (),
        progress: Progress = _ignore,
        first_rows: int | None = None,
    ) -> None:
        self._first_rows = first_rows
        self._columns, self._maker, self._tally, self._dialect = columns, maker, tally, dialect
        self._shard_sizes, self._progress = shard_sizes, progress

    def scan(self, file: str, name: str, origin: Origin, checkpoints: Collection[int]) -> ScannedFile:
        """Read every row of a file once, or only its first rows.

        Args:
            file: Path, or `hf://dataset:split`.
            name: Name of the file within the corpus.
            origin: What the name says about the rows.
            checkpoints: Row counts at which fingerprints are kept.

        Raises:
            CorpusError: the file cannot be read.
            CorpusChanged: the file changed during the scan.
            OSError: the file is not there.
        """
        before = _state(file)
        reader = reader_of(file, self._dialect)
        self._tally.start(file, name, reader.reads_from_start)
        reader.check()
        fingerprints = RowFingerprints(checkpoints, self._shard_sizes)
        ids = IdHashes() if self._columns.id is not None else None
        plain = PlainRows(self._columns, self._tally, self._dialect.encoding)
        for byte, raw in islice(reader.located_rows(), self._first_rows):
            if not plain.add(raw):
                record = self._maker.record(RawRow(name, fingerprints.rows, raw.values), origin)
                self._tally.add(raw, record)
                plain.learn(raw, record)
            if ids is not None:
                ids.add(self._maker.own_id(raw.values))
            fingerprints.add(byte, raw.content)
            if fingerprints.rows % PROGRESS_ROWS == 0:
                self._progress(f"{printable(name)}: {fingerprints.rows:,} rows looked at")
        if _state(file) != before:
            raise CorpusChanged(
                f"{printable(file, 500)}: changed while it was read; "
                "wait until the program that writes it is done, then start again"
            )
        plain.finish()
        cuts = fingerprints.cuts()
        return ScannedFile(file, name, fingerprints.rows, fingerprints.digests, ids, cuts, before)


def ids_of(file: ScannedFile, maker: RecordMaker, dialect: Dialect, is_wanted: Callable[[str], bool]) -> set[str]:
    """Return the ids of a file's rows for which `is_wanted` is true.

    Raises:
        CorpusError: the file cannot be read.
        OSError: the file is not there.
    """
    rows = enumerate(islice(reader_of(file.file, dialect).rows(Start()), file.rows))
    ids = (maker.own_id(raw.values) or row_name(file.name, index) for index, raw in rows)
    return {record_id for record_id in ids if is_wanted(record_id)}


def _state(file: str) -> FileState | None:
    """Return the state of a file; None for a dataset of the Hub."""
    return None if file.startswith(HUB_PREFIX) else file_state(file)
