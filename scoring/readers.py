"""Rows of a file from any row on, without holding the file: JSONL, CSV, Parquet, and datasets of the Hub.

A row that cannot be decoded is None and the next one is read; a file that cannot be read raises. Knows
nothing of what the columns mean.
"""

import csv
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol

from scoring.errors import CorpusError

Values = Mapping[str, object] | None
"""The columns of a row, or None where it could not be decoded."""


class Start(NamedTuple):
    """Where reading starts."""

    row: int = 0
    byte: int | None = None
    """Of that row, so that reading need not pass the rows before it; None where it is not known."""


class Reader(Protocol):
    """What every format can do."""

    def rows(self, start: Start) -> Iterator[Values]:
        """Rows from `start` on."""

    def count(self) -> int:
        """Number of rows."""

    def starts(self, rows: range) -> Iterable[Start]:
        """Where each of `rows` starts."""


class JsonLines:
    """One JSON object a line; blank lines are no rows."""

    def __init__(self, file: str) -> None:
        self._file = Path(file)

    def rows(self, start: Start) -> Iterator[Values]:
        """Rows from `start` on."""
        with self._file.open("rb") as stream:
            stream.seek(start.byte or 0)
            lines = (line for line in stream if line.strip())
            for line in islice(lines, 0 if start.byte is not None else start.row, None):
                yield _json_object(line)

    def count(self) -> int:
        """Lines that are not blank."""
        with self._file.open("rb") as stream:
            return sum(1 for line in stream if line.strip())

    def starts(self, rows: range) -> Iterator[Start]:
        """Where each of `rows` starts, to the byte."""
        return (Start(row, byte) for row, byte in enumerate(self._bytes()) if row in rows)

    def _bytes(self) -> Iterator[int]:
        position = 0
        with self._file.open("rb") as stream:
            for line in stream:
                if line.strip():
                    yield position
                position += len(line)


class Csv:
    """A header line, then rows; quoted fields may hold line breaks."""

    def __init__(self, file: str) -> None:
        self._file = Path(file)
        csv.field_size_limit(2**31 - 1)  # the default of 131072 characters refuses long texts

    def rows(self, start: Start) -> Iterator[Values]:
        """Rows from `start` on."""
        with self._file.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as stream:
            for row in islice(csv.DictReader(stream), start.row, None):
                # a surplus field comes under the key None, a missing one as the value None
                yield {key: value for key, value in row.items() if isinstance(key, str)}

    def count(self) -> int:
        """Rows without the header."""
        return sum(1 for _ in self.rows(Start()))

    def starts(self, rows: range) -> Iterator[Start]:
        """Where each of `rows` starts, without the byte: a line break may be part of a field."""
        return (Start(row) for row in rows)


class Parquet:
    """One Parquet file, read a row group at a time."""

    def __init__(self, file: str) -> None:
        self._file = file

    def rows(self, start: Start) -> Iterator[Values]:
        """Rows from `start` on; row groups before it are not read."""
        with self._open() as parquet:
            groups = range(parquet.num_row_groups)
            sizes = [parquet.metadata.row_group(group).num_rows for group in groups]
            skipped = 0
            while groups and start.row >= skipped + sizes[groups[0]]:
                skipped += sizes[groups[0]]
                groups = groups[1:]
            batches = parquet.iter_batches(batch_size=256, row_groups=list(groups))
            rows = (row for batch in batches for row in batch.to_pylist())
            yield from islice(rows, start.row - skipped, None)

    def count(self) -> int:
        """Rows, from the footer."""
        with self._open() as parquet:
            return int(parquet.metadata.num_rows)

    def starts(self, rows: range) -> Iterator[Start]:
        """Where each of `rows` starts: rows are found by number."""
        return (Start(row) for row in rows)

    def _open(self) -> Any:
        import pyarrow.parquet  # only where there is such a file

        return pyarrow.parquet.ParquetFile(self._file)


class HubDataset:
    """A split of a dataset, through `datasets`, which maps it into memory from its own cache."""

    def __init__(self, dataset: str, split: str) -> None:
        self._dataset, self._split = dataset, split

    def rows(self, start: Start) -> Iterator[Values]:
        """Rows from `start` on."""
        dataset = self._load()
        return (dataset[index] for index in range(start.row, len(dataset)))

    def count(self) -> int:
        """Rows of the split."""
        return len(self._load())

    def starts(self, rows: range) -> Iterator[Start]:
        """Where each of `rows` starts: rows are found by number."""
        return (Start(row) for row in rows)

    def _load(self) -> Any:
        import datasets  # slow, and only where there is such a corpus

        datasets.disable_progress_bars()
        try:
            return datasets.load_dataset(self._dataset, split=self._split)
        except Exception as error:  # whatever its many loaders raise, it cannot be read
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise CorpusError(
                f"hf://{self._dataset}:{self._split} cannot be loaded: {reason}; "
                "check the name, the split and the network"
            ) from error


READERS: Final[dict[str, Callable[[str], Reader]]] = {
    ".jsonl": JsonLines,
    ".parquet": Parquet,
    ".csv": Csv,
}
"""By suffix."""


def hub_reader(name: str) -> Reader:
    """Reader of `dataset:split`."""
    dataset, _, split = name.rpartition(":")
    return HubDataset(dataset, split)


def _json_object(line: bytes) -> Values:
    try:
        value = json.loads(line)
    except ValueError:  # also bytes that are no UTF-8
        return None
    return value if isinstance(value, dict) else None
