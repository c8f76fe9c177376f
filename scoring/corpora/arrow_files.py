"""Readers of Parquet files and of datasets of the Hub, a batch of Arrow at a time."""

from collections.abc import Iterator, Mapping
from contextlib import closing
from functools import cache
from typing import Any, Final

import pyarrow

from scoring.corpora.kept_places import file_state
from scoring.corpora.parquet_rows import KEPT, ParquetRows
from scoring.corpora.raw_rows import Dialect, ParsedRow, Rows, Start, canonical_json, contents_of
from scoring.corpora.streams import READ_ERRORS, errors_naming, suffixes
from scoring.errors import CorpusError, CorpusUnavailable
from scoring.wording import listed, printable

BATCH_ROWS: Final = 256
CONVERSION_ERRORS: Final = (ValueError, OverflowError, pyarrow.ArrowException)
"""Errors of Arrow for values that Python cannot hold: dates after the year 9999, unknown time zones, invalid text."""
MAX_PRINTED_ITEMS: Final = 2**20
"""Items of a list that are printed, at most, where Python cannot hold the list."""


class Parquet:
    """A Parquet file."""

    def __init__(self, file: str, dialect: Dialect) -> None:  # noqa: ARG002 - a Parquet file needs no dialect
        self._file = file

    @property
    def reads_from_start(self) -> bool:
        """True where a row group is so large that a process keeps only the end of what it decoded."""
        if suffixes(self._file)[1]:
            return False  # the footer is only known once the file is unpacked
        with errors_naming(self._file), closing(ParquetRows(self._file)) as parquet:
            return parquet.exceeds_kept

    def rows(self, start: Start) -> Rows:
        """Yield the rows from `start` on. Row groups before `start` are not read."""
        with errors_naming(self._file):
            key = self._file, file_state(self._file)
            parquet = KEPT.take(key) or ParquetRows(self._file)
            try:
                for batch in parquet.batches(start.row):
                    for row in _rows_of_batch(batch):
                        yield ParsedRow(canonical_json(row), row)
            except GeneratorExit:  # the shard has its rows
                KEPT.put(key, parquet)
                raise
            except BaseException:
                parquet.close()
                raise
            parquet.close()

    def located_rows(self) -> Iterator[tuple[int | None, ParsedRow]]:
        """Yield every row, without its byte."""
        return ((None, row) for row in self.rows(Start()))

    def contents(self) -> Iterator[tuple[int | None, bytes]]:
        """Yield the content of every row."""
        return contents_of(self.located_rows())

    def check(self) -> None:
        """Read the footer.

        Raises:
            CorpusError: the file is broken, or has a column twice.
        """
        with errors_naming(self._file), closing(ParquetRows(self._file)) as parquet:
            names = parquet.names
        repeated = sorted({name for name in names if names.count(name) > 1})
        if repeated:
            raise CorpusError(f"{printable(self._file, 500)}: has column {listed(repeated)} twice; rename one")


class HubDataset:
    """A split of a dataset of the Hub. The library `datasets` maps it into memory from its own cache."""

    reads_from_start: Final = False

    def __init__(self, dataset: str, split: str) -> None:
        self._dataset, self._split = dataset, split

    def rows(self, start: Start) -> Rows:
        """Yield the rows from `start` on."""
        split = load_split(self._dataset, self._split)
        try:
            for table in split.skip(start.row).iter(batch_size=BATCH_ROWS):
                for row in (row for batch in table.to_batches() for row in _rows_of_batch(batch)):
                    yield ParsedRow(canonical_json(row), row)
        except READ_ERRORS as error:
            raise _unavailable(self._dataset, self._split, error) from error

    def located_rows(self) -> Iterator[tuple[int | None, ParsedRow]]:
        """Yield every row, without its byte."""
        return ((None, row) for row in self.rows(Start()))

    def contents(self) -> Iterator[tuple[int | None, bytes]]:
        """Yield the content of every row."""
        return contents_of(self.located_rows())

    def check(self) -> None:
        """Load the split.

        Raises:
            CorpusError: the split has no rows, or cannot be loaded.
        """
        if len(load_split(self._dataset, self._split)) == 0:
            raise CorpusError(f"hf://{self._dataset}:{self._split} has no rows; name a split that has")


@cache
def load_split(dataset: str, split: str) -> Any:
    """Load a split of a dataset of the Hub, once in a process.

    Raises:
        CorpusUnavailable: the split cannot be loaded.
    """
    import datasets  # slow, and needed only where there is such a corpus

    datasets.disable_progress_bars()
    try:
        # as Arrow, which does not decode images and sounds beside the texts
        return datasets.load_dataset(dataset, split=split).with_format("arrow")
    except Exception as error:  # its many loaders raise errors of any class
        raise _unavailable(dataset, split, error) from error


def _unavailable(dataset: str, split: str, error: Exception) -> CorpusUnavailable:
    reason = printable((str(error).strip().splitlines() or [type(error).__name__])[0], 300)
    return CorpusUnavailable(
        f"hf://{dataset}:{split} cannot be loaded: {reason}; check the name, the split and the network"
    )


def _rows_of_batch(batch: pyarrow.RecordBatch) -> Iterator[Mapping[str, object]]:
    """Yield the rows of a batch. A value that Python cannot hold does not change the other values."""
    for first in range(0, batch.num_rows, BATCH_ROWS):
        part = batch.slice(first, BATCH_ROWS)
        try:
            rows = part.to_pylist()
        except CONVERSION_ERRORS:
            columns = [_values_of_column(column) for column in part.columns]
            rows = [dict(zip(part.schema.names, values, strict=True)) for values in zip(*columns, strict=True)]
        yield from rows


def _values_of_column(column: pyarrow.Array) -> list[object]:
    if pyarrow.types.is_dictionary(column.type):
        column = column.dictionary_decode()  # else a printed value depends on the rows around it
    return [_python_value(column, index) for index in range(len(column))]


def _python_value(column: pyarrow.Array, index: int) -> object:
    """Return a value as a Python object, or, where Python cannot hold it, as `{type: what Arrow prints}`: no text."""
    try:
        return column[index].as_py()
    except CONVERSION_ERRORS:
        return {
            str(column.type): column.slice(index, 1).to_string(
                window=MAX_PRINTED_ITEMS, container_window=MAX_PRINTED_ITEMS
            )
        }
