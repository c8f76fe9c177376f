"""Rows of a Parquet file, from any row on. A process keeps the file open, with the batches that it decoded last.

Row groups before a row are not read. Within a row group rows can only be decoded from its start, so a process keeps the
end of what it decoded: the whole group where that fits into `KEPT_BYTES`, else its last batches and the place behind
them. A file that is compressed as a whole is unpacked once, into a temporary file.
"""

import shutil
import tempfile
from bisect import bisect_right
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import accumulate
from typing import Any, Final, NamedTuple

import pyarrow

from scoring.corpora.kept_places import KeptPlaces
from scoring.corpora.streams import open_bytes, suffixes

DECODED_ROWS: Final = 4096
"""Rows of a batch that is decoded at once, at most."""
KEPT_BYTES: Final = 2**26
"""Bytes of decoded batches that are kept for a file. A row group of a usual size fits."""


class _Batch(NamedTuple):
    """Rows that were decoded together."""

    first_row: int
    rows: pyarrow.RecordBatch

    @property
    def end(self) -> int:
        """Row behind the last row."""
        return self.first_row + int(self.rows.num_rows)


class ParquetRows:
    """An open Parquet file, and the batches of one row group that were decoded last."""

    def __init__(self, file: str) -> None:
        with ExitStack() as opened:
            self._parquet = _open_parquet(file, opened)
            self._opened = opened.pop_all()
        metadata = self._parquet.metadata
        groups = [metadata.row_group(group) for group in range(metadata.num_row_groups)]
        *self._starts, self.row_count = accumulate((group.num_rows for group in groups), initial=0)
        self.exceeds_kept = any(group.total_byte_size > KEPT_BYTES for group in groups)
        """True where a row group is too large to be kept decoded."""
        self.names: list[str] = self._parquet.schema_arrow.names
        self._group: int | None = None
        self._undecoded: Iterator[Any] = iter(())
        self._kept: list[_Batch] = []
        self._kept_bytes = 0

    def batches(self, row: int) -> Iterator[pyarrow.RecordBatch]:
        """Yield batches of the rows from `row` on.

        Raises:
            ValueError: a row group has fewer rows than the footer says.
        """
        while row < self.row_count:
            batch = self._batch_with(row)
            yield batch.rows.slice(row - batch.first_row)
            row = batch.end

    def close(self) -> None:
        """Close the file."""
        self._opened.close()

    def _batch_with(self, row: int) -> _Batch:
        """Return the batch that holds a row; decode on until there, in the row's group."""
        group = bisect_right(self._starts, row) - 1
        if group != self._group or (self._kept and row < self._kept[0].first_row):
            self._undecoded = self._parquet.iter_batches(batch_size=DECODED_ROWS, row_groups=[group])
            self._group, self._kept, self._kept_bytes = group, [], 0
        while not self._kept or row >= self._kept[-1].end:
            self._decode_next(group)
        return self._kept[bisect_right(self._kept, row, key=lambda batch: batch.first_row) - 1]

    def _decode_next(self, group: int) -> None:
        rows = next(self._undecoded, None)
        if rows is None:
            raise ValueError(f"row group {group} has fewer rows than the footer says")
        self._kept.append(_Batch(self._kept[-1].end if self._kept else self._starts[group], rows))
        self._kept_bytes += rows.nbytes
        while len(self._kept) > 1 and self._kept_bytes > KEPT_BYTES:
            self._kept_bytes -= self._kept.pop(0).rows.nbytes


KEPT: Final[KeptPlaces[ParquetRows]] = KeptPlaces()


def _open_parquet(file: str, opened: ExitStack) -> Any:
    from pyarrow import parquet as arrow_parquet  # slow, and needed only where there is such a file

    stream = opened.enter_context(open_bytes(file))
    if suffixes(file)[1]:
        # the footer is at the end of the file, so a compressed file must be unpacked first
        packed, stream = stream, opened.enter_context(tempfile.TemporaryFile())  # noqa: SIM115 - closed with `opened`
        shutil.copyfileobj(packed, stream)
        stream.seek(0)
    return opened.enter_context(arrow_parquet.ParquetFile(stream))
