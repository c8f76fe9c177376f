"""A corpus: which files it has, how many rows each, and the shards that tasks name.

Opening counts rows and looks at the first ones of every file, so that what cannot be read is one clear error
before anything starts; it holds no rows. A shard says where its rows are, and is read where it is scored, or
its rows are read here and sent (`read_rows`, then `records_of`). Imports no torch.
"""

import glob
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final

from pydantic import ConfigDict, Field, model_validator

from models import embedded
from scoring.errors import CorpusError
from scoring.readers import READERS, Reader, Start, hub_reader
from scoring.records import Columns, Origin, Record, Row, record_of

BUILTIN_DOCS: Final = "builtin://docs"
HUB: Final = "hf://"
PAPER_COLUMNS: Final = Columns(human=("article", "text"), synthetic="*_generated_text_wo_prompt")
"""Of the paper's six files (github.com/ahans30/Binoculars, datasets/core)."""
PAPER_DATASETS: Final = ("cc_news", "cnn", "pubmed")
PAPER_GENERATORS: Final = {"falcon7": "falcon-7b", "llama2_13": "llama2-13b"}
DOCS_COLUMNS: Final = Columns(human="human", synthetic="synthetic", id="id", dataset="dataset", generator="generator")
LOOKED_AT: Final = 20
"""Rows of a file that are tried before the start: one of them must be a record."""


class CorpusSettings(Columns):
    """A corpus as a spec names it: a path, and which columns hold what.

    `path` is a file, a folder, a glob (JSONL, Parquet, CSV), `hf://dataset[:split]` or `builtin://docs`.
    Without columns it is read as the paper's files are.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: str = Field(min_length=1)

    @model_validator(mode="before")
    @classmethod
    def _just_a_path(cls, value: object) -> object:
        return {"path": value} if isinstance(value, str) else value

    @property
    def columns(self) -> Columns:
        """The mapping in effect."""
        if self.named:
            return self
        if self.path == BUILTIN_DOCS:
            return DOCS_COLUMNS
        given = self.model_dump(exclude={"path"}, exclude_defaults=True)
        return PAPER_COLUMNS.model_copy(update=given)


@dataclass(frozen=True)
class Shard:
    """Rows of one file; what a task names."""

    file: str
    """Path, or `hf://dataset:split`."""
    name: str
    """The file's name within the corpus: part of record ids, the same on every machine."""
    first_row: int
    row_count: int
    first_byte: int | None = None
    """Where the first row starts, so that reading need not pass the rows before it; None where that is unknown."""


@dataclass(frozen=True)
class CorpusFile:
    """One file with its rows counted."""

    file: str
    name: str
    rows: int


@dataclass(frozen=True)
class Corpus:
    """An opened corpus: counted and looked at, nothing of it held."""

    settings: CorpusSettings
    files: tuple[CorpusFile, ...]

    @classmethod
    def open(cls, settings: CorpusSettings) -> "Corpus":
        """Find, look at and count every file.

        Raises:
            CorpusError: nothing there, a file that cannot be read, or one that has not the columns asked for.
        """
        files = tuple(_counted(settings, file, name) for file, name in _find(settings.path))
        if not sum(file.rows for file in files):
            raise CorpusError(f"corpus {settings.path!r} has no rows; name files that have")
        return cls(settings, files)

    @property
    def rows(self) -> int:
        """Rows of all files."""
        return sum(file.rows for file in self.files)

    def shards(self, rows_per_shard: int) -> Iterator[Shard]:
        """Cut every file into shards of at most `rows_per_shard` rows, in order."""
        for file in self.files:
            for start in _reader(file.file).starts(range(0, file.rows, rows_per_shard)):
                count = min(rows_per_shard, file.rows - start.row)
                yield Shard(file.file, file.name, start.row, count, start.byte)

    def records(self) -> Iterator[Record]:
        """Every record in order, one shard after the other."""
        for shard in self.shards(rows_per_shard=10_000):
            yield from read_records(self.settings, shard)


def read_rows(shard: Shard) -> Iterator[Row]:
    """The raw rows of a shard, where its file is visible.

    Raises:
        OSError: the file is not visible here.
        CorpusError: it has fewer rows than when it was counted.
    """
    rows = islice(_reader(shard.file).rows(Start(shard.first_row, shard.first_byte)), shard.row_count)
    count = 0
    for count, values in enumerate(rows, start=1):
        yield Row(shard.name, shard.first_row + count - 1, values)
    if count < shard.row_count:
        raise CorpusError(
            f"{shard.file}: {count} rows from row {shard.first_row} on where {shard.row_count} were counted; "
            "the file changed, start again"
        )


def records_of(settings: CorpusSettings, rows: Iterable[Row]) -> Iterator[Record]:
    """Make records of rows, wherever they were read."""
    columns = settings.columns
    return (record_of(row, columns, _origin(row.file)) for row in rows)


def read_records(settings: CorpusSettings, shard: Shard) -> Iterator[Record]:
    """The records of a shard, where its file is visible."""
    return records_of(settings, read_rows(shard))


def _find(path: str) -> list[tuple[str, str]]:
    """Files of a path with their names within the corpus, sorted."""
    if path == BUILTIN_DOCS:
        return [(str(embedded.docs_path()), "docs")]
    if path.startswith(HUB):
        dataset, _, split = path.removeprefix(HUB).partition(":")
        return [(f"{HUB}{dataset}:{split or 'train'}", f"{dataset}:{split or 'train'}")]
    if "://" in path:
        raise CorpusError(f"corpus {path!r} is not known; allowed are {BUILTIN_DOCS}, {HUB}… and paths")
    return _find_files(Path(path).expanduser())


def _find_files(path: Path) -> list[tuple[str, str]]:
    if path.is_file():
        return [(str(path.absolute()), path.name)]
    pattern = path / "**" if path.is_dir() else path
    found = sorted(Path(name).absolute() for name in glob.glob(str(pattern), recursive=True))  # noqa: PTH207
    readable = [file for file in found if file.suffix in READERS and file.is_file()]
    if not readable:
        raise CorpusError(
            f"corpus {str(path)!r}: no file there that ends in {', '.join(READERS)} "
            f"({len(found)} other entries); name a file, a folder or a glob"
        )
    root = path.absolute() if path.is_dir() else _shared_folder(readable)
    return [(str(file), file.relative_to(root).as_posix()) for file in readable]


def _shared_folder(files: list[Path]) -> Path:
    return next(parent for parent in files[0].parents if all(file.is_relative_to(parent) for file in files))


def _reader(file: str) -> Reader:
    if file.startswith(HUB):
        return hub_reader(file.removeprefix(HUB))
    suffix = Path(file).suffix
    if suffix not in READERS:
        raise CorpusError(f"{file}: cannot read {suffix or 'a file without suffix'}; can read {', '.join(READERS)}")
    return READERS[suffix](file)


def _counted(settings: CorpusSettings, file: str, name: str) -> CorpusFile:
    reader = _reader(file)
    try:
        first = [Row(name, index, values) for index, values in enumerate(islice(reader.rows(Start()), LOOKED_AT))]
        _look_at(settings, file, first)
        return CorpusFile(file, name, reader.count())
    except (OSError, ValueError) as error:
        if isinstance(error, CorpusError):
            raise
        raise CorpusError(f"{file}: cannot be read: {error}") from error


def _look_at(settings: CorpusSettings, file: str, first: list[Row]) -> None:
    records = list(records_of(settings, first))
    if not records or any(record.null_reason is None for record in records):
        return
    seen = next((sorted(row.values) for row in first if row.values is not None), None)
    columns = settings.columns
    wanted = columns.model_dump(include={"human", "synthetic", "text", "label"}, exclude_none=True)
    raise CorpusError(
        f"{file}: none of the first {len(records)} rows is a record ({records[0].null_reason}); "
        f"columns seen: {seen if seen is not None else 'none, no row could be decoded'}; asked for: {wanted}"
    )


def _origin(name: str) -> Origin:
    """Dataset and generator by file name; `pubmed-falcon7_head.jsonl` is the paper's way to say both."""
    stem = Path(name).stem
    dataset = next((known for known in PAPER_DATASETS if known in stem), stem)
    generator = next((known for key, known in PAPER_GENERATORS.items() if key in stem), None)
    return Origin(dataset, generator)
