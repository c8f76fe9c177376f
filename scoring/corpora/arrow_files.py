"""Rows of Parquet files, and of datasets of the Hub, a batch of Arrow at a time."""

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import Any, Final

import pyarrow

from scoring.corpora.raw_rows import Dialect, ParsedRow, Start, canonical_json, contents_without_bytes
from scoring.corpora.streams import READ_ERRORS, errors_naming, open_bytes, suffixes
from scoring.errors import CorpusError, CorpusUnavailable
from scoring.wording import listed, printable

BATCH_ROWS: Final = 256
CONVERSION_ERRORS: Final = (ValueError, OverflowError, pyarrow.ArrowException)
"""What Arrow raises for dates beyond the year 9999, time zones that nobody knows, bytes that are no text."""
MAX_PRINTED_ITEMS: Final = 2**20
"""Entries of a list that are printed of a value that Python cannot hold."""


class Parquet:
    """One Parquet file, read a row group at a time."""

    def __init__(self, file: str, dialect: Dialect) -> None:  # noqa: ARG002 - the file says itself how it is written
        self._file = file

    @property
    def reads_from_start(self) -> bool:
        """Only where it must be unpacked first."""
        return bool(suffixes(self._file)[1])

    def rows(self, start: Start) -> Iterator[ParsedRow]:
        """Rows from `start` on; row groups before it are not read."""
        with errors_naming(self._file), self._open() as parquet:
            groups = range(parquet.num_row_groups)
            sizes = [parquet.metadata.row_group(group).num_rows for group in groups]
            skipped = 0
            while groups and start.row >= skipped + sizes[groups[0]]:
                skipped += sizes[groups[0]]
                groups = groups[1:]
            scanned = start.row - skipped
            for batch in parquet.iter_batches(batch_size=BATCH_ROWS, row_groups=list(groups)):
                for row in _rows_of_batch(batch.slice(min(scanned, batch.num_rows))):
                    yield ParsedRow(canonical_json(row), row)
                scanned -= min(scanned, batch.num_rows)

    def contents(self) -> Iterator[tuple[int | None, bytes]]:
        """Content of every row."""
        return contents_without_bytes(self.rows(Start()))

    def check(self) -> None:
        """Read the footer."""
        with errors_naming(self._file), self._open() as parquet:
            names = parquet.schema_arrow.names
        repeated = sorted({name for name in names if names.count(name) > 1})
        if repeated:
            raise CorpusError(f"{printable(self._file, 500)}: has column {listed(repeated)} twice; rename one")

    @contextmanager
    def _open(self) -> Iterator[Any]:
        from pyarrow import parquet as arrow_parquet  # only where there is such a file

        if not suffixes(self._file)[1]:
            with open_bytes(self._file) as stream, arrow_parquet.ParquetFile(stream) as parquet:
                yield parquet
            return
        # the footer is at the end, so that a compressed file must be unpacked first
        with open_bytes(self._file) as packed, tempfile.TemporaryFile() as unpacked:
            shutil.copyfileobj(packed, unpacked)
            unpacked.seek(0)
            with arrow_parquet.ParquetFile(unpacked) as parquet:
                yield parquet


class HubDataset:
    """A split of a dataset, through `datasets`, which maps it into memory from its own cache."""

    reads_from_start: Final = False

    def __init__(self, dataset: str, split: str) -> None:
        self._dataset, self._split = dataset, split

    def rows(self, start: Start) -> Iterator[ParsedRow]:
        """Rows from `start` on."""
        split = load_split(self._dataset, self._split)
        try:
            for table in split.skip(start.row).iter(batch_size=BATCH_ROWS):
                for row in (row for batch in table.to_batches() for row in _rows_of_batch(batch)):
                    yield ParsedRow(canonical_json(row), row)
        except READ_ERRORS as error:
            raise _unavailable(self._dataset, self._split, error) from error

    def contents(self) -> Iterator[tuple[int | None, bytes]]:
        """Content of every row."""
        return contents_without_bytes(self.rows(Start()))

    def check(self) -> None:
        """Load it."""
        if len(load_split(self._dataset, self._split)) == 0:
            raise CorpusError(f"hf://{self._dataset}:{self._split} has no rows; name a split that has")


@cache
def load_split(dataset: str, split: str) -> Any:
    """A split of a dataset of the Hub, which a process asks for once and not with every shard.

    Raises:
        CorpusUnavailable: it cannot be loaded.
    """
    import datasets  # slow, and only where there is such a corpus

    datasets.disable_progress_bars()
    try:
        # as Arrow: images and sounds beside the texts are not decoded
        return datasets.load_dataset(dataset, split=split).with_format("arrow")
    except Exception as error:  # whatever its many loaders raise, it cannot be read
        raise _unavailable(dataset, split, error) from error


def _unavailable(dataset: str, split: str, error: Exception) -> CorpusUnavailable:
    reason = printable((str(error).strip().splitlines() or [type(error).__name__])[0], 300)
    return CorpusUnavailable(
        f"hf://{dataset}:{split} cannot be loaded: {reason}; check the name, the split and the network"
    )


def _rows_of_batch(batch: pyarrow.RecordBatch) -> Iterator[Mapping[str, object]]:
    """Rows of a batch; one value that Python cannot hold leaves all others as they are."""
    try:
        rows = batch.to_pylist()
    except CONVERSION_ERRORS:
        columns = [_values_of_column(column) for column in batch.columns]
        rows = [dict(zip(batch.schema.names, values, strict=True)) for values in zip(*columns, strict=True)]
    yield from rows


def _values_of_column(column: pyarrow.Array) -> list[object]:
    if pyarrow.types.is_dictionary(column.type):
        column = column.dictionary_decode()  # what is printed of it must not depend on the rows around
    return [_python_value(column, index) for index in range(len(column))]


def _python_value(column: pyarrow.Array, index: int) -> object:
    """A value as Python has it, or, by the name of its type, as Arrow prints it: that is no text to be scored."""
    try:
        return column[index].as_py()
    except CONVERSION_ERRORS:
        return {
            str(column.type): column.slice(index, 1).to_string(
                window=MAX_PRINTED_ITEMS, container_window=MAX_PRINTED_ITEMS
            )
        }
