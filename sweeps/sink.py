"""Rows into Parquet parts, whole or not at all; finished ids out of them, for resume.

Invariant: the rows of a task become visible together, by one rename. Knows nothing of queues or benchmarks.
"""

import os
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Final

import pyarrow as pa
import pyarrow.parquet as pq

from sweeps.errors import SinkFailed
from sweeps.task import Row

PART: Final = "part-*.parquet"


class Sink:
    """The parts of one sweep's directory, and the rows that wait to become the next one."""

    def __init__(self, directory: Path, schema: pa.Schema) -> None:
        self.directory = directory
        self._schema = schema
        self._rows: list[Row] = []
        directory.mkdir(parents=True, exist_ok=True)
        for leftover in directory.glob(".*.tmp"):  # of a run that was killed while writing
            leftover.unlink()
        self._next = 1 + max(map(_number, directory.glob(PART)), default=-1)

    def __len__(self) -> int:
        """Rows that are not on disk yet."""
        return len(self._rows)

    def add(self, rows: Sequence[Row]) -> None:
        """Keep the rows of one finished task until the next flush."""
        self._rows.extend(rows)

    def flush(self) -> None:
        """Write what waits as one part.

        Raises:
            SinkFailed: the disk is full or the directory gone; the rows are kept, and no half part is visible.
        """
        if not self._rows:
            return
        table = pa.Table.from_pylist(self._rows, self._schema)
        self._write(table, self.directory / f"part-{self._next:06d}.parquet")
        self._next += 1
        self._rows.clear()

    def finished(self, warn: Callable[[str], None]) -> dict[str, str]:
        """Tasks that sit in visible parts, with how each ended.

        A part that cannot be read (truncated by hand, a bad disk) is set aside under another name and told
        through `warn`; its tasks run again.
        """

        def set_aside(part: Path, error: Exception) -> None:
            aside = part.with_suffix(".damaged")
            part.rename(aside)
            warn(f"{part}: cannot be read ({error}); kept as {aside.name}, its tasks run again")

        return finished_tasks(self.directory, set_aside)

    def forget(self, statuses: Collection[str]) -> int:
        """Take the tasks out that have a row of one of `statuses`, part by part; their number."""
        forgotten = 0
        for part in sorted(self.directory.glob(PART)) if statuses else ():
            rows = pq.read_table(part, schema=self._schema).to_pylist()
            retried = {row["task_id"] for row in rows if row["status"] in statuses}
            kept = [row for row in rows if row["task_id"] not in retried]
            forgotten += len(retried)
            if retried and kept:
                self._write(pa.Table.from_pylist(kept, self._schema), part)
            elif retried:
                part.unlink()
        return forgotten

    def _write(self, table: pa.Table, part: Path) -> None:
        replace_file(part, lambda file: pq.write_table(table, file, compression="zstd"))


def finished_tasks(directory: Path, damaged: Callable[[Path, Exception], object]) -> dict[str, str]:
    """Tasks that sit in a sweep's visible parts, with how each ended; nothing is touched but by `damaged`.

    Args:
        directory: of the sweep; a run may be writing there.
        damaged: told of every part that cannot be read, and why.
    """
    ended: dict[str, str] = {}
    for part in sorted(directory.glob(PART)):
        try:
            table = pq.read_table(part, columns=["task_id", "status"])
        except (OSError, pa.ArrowException) as error:
            damaged(part, error)
            continue
        # A task's last row says how it ended: what fails, fails last.
        ended.update(zip(table["task_id"].to_pylist(), table["status"].to_pylist(), strict=True))
    return ended


def write_atomically(path: Path, text: str) -> None:
    """Replace a small text file; see replace_file."""
    replace_file(path, lambda file: file.write(text.encode()))


def replace_file(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Write beside, sync, rename: a reader sees the old file or the new one, never half.

    Raises:
        SinkFailed: the disk is full or the directory gone; nothing is left behind.
    """
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        with temporary.open("wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        sync_directory(path.parent)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise SinkFailed(f"{path}: cannot be written: {error.strerror or error}") from error


def sync_directory(directory: Path) -> None:
    """Make a rename in it last through a power cut."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _number(part: Path) -> int:
    digits: Any = part.stem.removeprefix("part-")
    return int(digits) if digits.isdigit() else -1
