"""A corpus: its files, the counts and fingerprints of their rows, and the shards that tasks name.

Opening a corpus reads every row once and holds none. A corpus that cannot be read as its settings say is a clear error
before anything is scored. The rows are counted (`survey`) and fingerprinted (`history`). A shard has the place and the
fingerprint of its rows. A worker reads the shard itself, or gets its rows sent from where the file is visible
(`read_rows`, then `records_of`). Imports no torch.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import chain
from pathlib import Path

from models.builtin.cache import docs_path
from scoring.corpora.found_files import FoundFiles, find_files
from scoring.corpora.history import ContinuedFile, FileState, History, checkpoints_of, continue_history
from scoring.corpora.passing import Progress, ScannedFile, Scanner
from scoring.corpora.raw_rows import RawRow
from scoring.corpora.readers import HUB_PREFIX
from scoring.corpora.records import Record, RecordMaker
from scoring.corpora.repeated_ids import RepeatedIds, find_repeated_ids, new_record_ids
from scoring.corpora.settings import BUILTIN_DOCS, CorpusSettings, origin_of
from scoring.corpora.shards import FileShards, FileToCut, Shard, Shards, cut_file, read_rows
from scoring.corpora.survey import Survey, survey
from scoring.corpora.tally import Tally
from scoring.errors import CorpusError
from scoring.wording import listed, plural, printable

__all__ = ["Corpus", "CorpusFile", "CorpusSettings", "Shard", "read_records", "read_rows", "records_of"]


@dataclass(frozen=True)
class CorpusFile:
    """A file of a corpus, with its rows counted."""

    file: str
    """Path, or `hf://dataset:split`."""
    name: str
    """Name within the corpus. A file that was moved keeps the name under which it was first seen."""
    rows: int
    states: tuple[FileState, ...]
    """State of the file when the corpus was first seen, and each time the corpus grew."""
    record_ids: Mapping[int, str]
    """New ids by row, for rows whose own id an earlier row has."""


@dataclass(frozen=True)
class Corpus:
    """An opened corpus: its rows are counted and fingerprinted, and none is held."""

    settings: CorpusSettings
    files: tuple[CorpusFile, ...]
    survey: Survey
    _scanned: tuple[ScannedFile, ...] = field(repr=False, compare=False)
    _repeated: RepeatedIds = field(repr=False, compare=False)

    @classmethod
    def open(
        cls,
        settings: CorpusSettings,
        checkpoints: frozenset[int] = frozenset(),
        progress: Progress = lambda _: None,
        shard_sizes: frozenset[int] = frozenset(),
    ) -> "Corpus":
        """Find every file, and read its rows once.

        Args:
            settings: The corpus, as a spec names it.
            checkpoints: Row counts at which fingerprints are kept, for `continued`.
            progress: Called with a sentence from time to time while rows are read.
            shard_sizes: Sizes for which `shards` need not read the rows again.

        Raises:
            CorpusError: the path has no file with rows, a file cannot be read, or lacks the columns of the settings.
        """
        try:
            found = _find_corpus_files(settings.path)
            columns = settings.columns
            maker = RecordMaker(columns)
            tally = Tally(columns, maker, settings.encoding)
            scanner = Scanner(columns, maker, tally, settings.dialect, shard_sizes, progress, settings.first_rows)
            scanned = [scanner.scan(file, name, origin_of(name), checkpoints) for file, name in found.files]
            if not any(file.rows for file in scanned):
                raise CorpusError(f"corpus {printable(settings.path, 500)} has no rows; name files that have")
            repeated = find_repeated_ids(scanned, settings)
        except CorpusError:
            raise
        except OSError as error:
            file = printable(error.filename or settings.path, 500)
            raise CorpusError(f"{file}: cannot be read: {error.strerror or error}") from error
        told = survey(tally, settings, repeated.counts, [*found.warnings, *_copy_lines(scanned)])
        return cls._of(settings, continue_history(scanned, {}, settings.path), told, repeated)

    @classmethod
    def _of(
        cls, settings: CorpusSettings, files: Sequence[ContinuedFile], told: Survey, repeated: RepeatedIds
    ) -> "Corpus":
        new_ids = new_record_ids(files, repeated) if repeated.ids else {}
        opened = tuple(
            CorpusFile(file.file, name, file.rows, states, new_ids.get(name, {})) for file, name, states in files
        )
        return cls(settings, opened, told, tuple(file for file, _, _ in files), repeated)

    @property
    def rows(self) -> int:
        """Number of rows of all files."""
        return sum(file.rows for file in self.files)

    @property
    def history(self) -> dict[str, list[list[int | str]]]:
        """States of every file as `{name: [[rows, sha256], …]}`, for `continued` of a later run."""
        return {file.name: [[state.rows, state.sha256] for state in file.states] for file in self.files}

    def continued(self, history: History) -> "Corpus":
        """Return the corpus as a continuation of an earlier state: older rows keep their names, shards and record ids.

        A file that was moved keeps the name that it had. Reads the corpus again where it was opened without the
        history's row counts as `checkpoints`.

        Raises:
            CorpusChanged: rows of the history are gone, or differ.
            CorpusError: the corpus can no longer be read.
        """
        wanted = checkpoints_of(history)
        if any(rows <= file.rows and rows not in file.digests for file in self._scanned for rows in wanted):
            return Corpus.open(self.settings, wanted).continued(history)
        files = continue_history(self._scanned, history, printable(self.settings.path, 500))
        moved = [
            f"{printable(file.name)} is the file that was {printable(name)}, and keeps that name"
            for file, name, _ in files
            if file.name != name
        ]
        files = [ContinuedFile(replace(file, name=name), name, states) for file, name, states in files]
        repeated = find_repeated_ids([file for file, _, _ in files], self.settings) if moved else self._repeated
        told = replace(self.survey, lines=(*self.survey.lines, *moved))
        return self._of(self.settings, files, told, repeated)

    def cut(self, rows_per_shard: int) -> Shards:
        """Cut every file into shards of at most `rows_per_shard` rows, in order.

        No shard has rows from both before and after a growth of the corpus. Rows are read again where the corpus was
        opened without this size among its `shard_sizes`, and where a file grew.

        Raises:
            CorpusChanged: a file has changed since the corpus was opened.
            OSError: a file is no longer there.
        """
        return Shards([*self._cut_files(rows_per_shard)])

    def shards(self, rows_per_shard: int) -> Iterator[Shard]:
        """Yield the shards of `cut`, file by file.

        Raises:
            CorpusChanged: a file has changed since the corpus was opened.
            OSError: a file is no longer there.
        """
        return chain.from_iterable(self._cut_files(rows_per_shard))

    def _cut_files(self, rows_per_shard: int) -> Iterator[FileShards]:
        for file, scanned in zip(self.files, self._scanned, strict=True):
            row_counts = [state.rows for state in file.states]
            cuttable = FileToCut(
                file.file, file.name, row_counts, file.states[-1].sha256, file.record_ids, self.settings.dialect
            )
            cuts = scanned.cuts.get(rows_per_shard)
            has_regular_cuts = all(rows % rows_per_shard == 0 or rows == file.rows for rows in row_counts)
            if cuts is not None and has_regular_cuts and scanned.is_unchanged():
                yield FileShards(cuttable, rows_per_shard, cuts)
            else:
                yield cut_file(cuttable, rows_per_shard)

    def records(self) -> Iterator[Record]:
        """Yield every record, in order."""
        for shard in self.shards(rows_per_shard=1000):
            yield from read_records(self.settings, shard)


def records_of(settings: CorpusSettings, rows: Iterable[RawRow]) -> Iterator[Record]:
    """Make records of rows, on any machine."""
    maker, origin = RecordMaker(settings.columns), cache(origin_of)
    return (maker.record(row, origin(row.file)) for row in rows)


def read_records(settings: CorpusSettings, shard: Shard) -> Iterator[Record]:
    """Yield the records of a shard, on a machine that sees its file."""
    return records_of(settings, read_rows(shard))


def _find_corpus_files(path: str) -> FoundFiles:
    """Return the files of a corpus' path, with their names within the corpus, sorted.

    Raises:
        CorpusError: the path has no file that can be read, or an unknown scheme.
    """
    if path == BUILTIN_DOCS:
        return FoundFiles(((str(docs_path()), "docs"),))
    if path.startswith(HUB_PREFIX):
        dataset, _, split = path.removeprefix(HUB_PREFIX).partition(":")
        name = f"{dataset}:{split or 'train'}"
        return FoundFiles(((HUB_PREFIX + name, name),))
    if "://" in path:
        raise CorpusError(
            f"corpus {printable(path, 500)} is not known; allowed are {BUILTIN_DOCS}, {HUB_PREFIX}… and paths"
        )
    return find_files(Path(path))


def _copy_lines(files: Iterable[ScannedFile]) -> Iterator[str]:
    """Yield a line about files with the same rows: copies, or the same file packed and unpacked."""
    first: dict[str, str] = {}
    again = []
    for file in files:
        name = first.setdefault(file.digests[file.rows], file.name)
        if name != file.name and file.rows:
            again.append(f"{printable(file.name)} as {printable(name)}")
    if again:
        yield f"{plural(len(again), 'file')} with the same rows as another, each is scored: {listed(again)}"
