"""Rows into Parquet parts, whole or not at all; what tasks ended how out of them, for resume.

Invariant: the rows of a task become visible together, by one rename. Knows nothing of queues or benchmarks.
"""

import os
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Final

import pyarrow as pa
import pyarrow.parquet as pq

from sweeps.errors import SinkFailed, UserError
from sweeps.rows import unwritable_row
from sweeps.task import Row

PART: Final = "part-*.parquet"
ASIDE: Final = "_{name}.damaged"
"""Name of a part that cannot be read: the underscore hides it from pandas and pyarrow."""
DAMAGE: Final = (OSError, ValueError, OverflowError, MemoryError, pa.ArrowException)
"""Exceptions of pyarrow for a damaged file, depending on where the damage is."""


@dataclass(frozen=True)
class OnDisk:
    """How the tasks in a sweep's visible parts ended."""

    statuses: dict[str, str] = field(default_factory=dict)
    """By task id; a task's last row says how it ended: what fails, fails last."""
    unsupported_in: dict[str, str] = field(default_factory=dict)
    """By id of a task that is `unsupported`: the environment in which it was found to be."""
    measured: set[str] = field(default_factory=set)
    """Tasks that have a row with a measurement."""
    revisions: set[str] = field(default_factory=set)
    """Revisions of the models of rows with a measurement."""
    repeated: set[str] = field(default_factory=set)
    """Tasks that stand in more than one part: somebody copied one."""


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

    def flush(self) -> list[Row]:
        """Write what waits as one part.

        Returns:
            Rows that could not be written though they were ok, and were written as errors: none, unless a benchmark
            gives values that its columns cannot hold.

        Raises:
            SinkFailed: the disk is full or the directory gone; the rows are kept, and no half part is visible.
        """
        if not self._rows:
            return []
        table, spoilt = self._table()
        self._write(table, self.directory / f"part-{self._next:06d}.parquet")
        self._next += 1
        self._rows.clear()
        return spoilt

    def mend(self, warn: Callable[[str], None]) -> None:
        """Set parts aside that cannot be read, and give those of an older version today's columns.

        Args:
            warn: told of each part that is set aside; its tasks run again.

        Raises:
            UserError: a part is not of this sweep, or of a newer version.
        """
        for part in sorted(self.directory.glob(PART)):
            try:
                table = read_part(part)
            except DAMAGE as error:
                self._set_aside(part, error, warn)
                continue
            self._refuse_foreign(part, table.schema)
            if missing := set(self._schema.names) - set(table.schema.names):
                filled = {name: pa.nulls(len(table), self._schema.field(name).type) for name in missing}
                columns = [filled[name] if name in missing else table[name] for name in self._schema.names]
                self._write(pa.table(columns, schema=self._schema), part)

    def forget(self, task_ids: Collection[str], warn: Callable[[str], None]) -> None:
        """Take tasks out, part by part: they run again."""
        for part in sorted(self.directory.glob(PART)) if task_ids else ():
            try:
                table = read_part(part)
            except DAMAGE as error:
                self._set_aside(part, error, warn)
                continue
            stays = pa.array([task_id not in task_ids for task_id in table["task_id"].to_pylist()], pa.bool_())
            kept = table.filter(stays)
            if not len(kept):
                part.unlink()
            elif len(kept) < len(table):
                self._write(kept, part)

    def _table(self) -> tuple[pa.Table, list[Row]]:
        """Build the next part; a row that does not fit its columns is replaced by an error row."""
        try:
            return pa.Table.from_pylist(self._rows, self._schema), []
        except (pa.ArrowException, ValueError, OverflowError, TypeError):
            written: list[Row] = []
            replaced: list[Row] = []
            spoilt: list[Row] = []
            for row in self._rows:
                try:
                    pa.Table.from_pylist([row], self._schema)
                    written.append(row)
                except (pa.ArrowException, ValueError, OverflowError, TypeError) as error:
                    # Last: a task's last row says how it ended.
                    replaced.append(unwritable_row(row, error, self._fits))
                    if row.get("status") == "ok":
                        spoilt.append(replaced[-1])
            return pa.Table.from_pylist([*written, *replaced], self._schema), spoilt

    def _fits(self, name: str, value: object) -> bool:
        try:
            pa.array([value], self._schema.field(name).type)
        except (pa.ArrowException, ValueError, OverflowError, TypeError):
            return False
        return True

    def _refuse_foreign(self, part: Path, schema: pa.Schema) -> None:
        strange = [
            f"{column.name} ({column.type})"
            for column in schema
            if column.name not in self._schema.names or column.type != self._schema.field(column.name).type
        ]
        absent = [name for name in ("task_id", "status") if name not in schema.names]
        if strange or absent:
            raise UserError(
                f"{part}: is no part of this sweep as this version writes it: "
                f"{'; '.join([*(f'no column {name}' for name in absent), *(f'column {name}' for name in strange)])}; "
                "a newer version may have written it: use that one, or move the file away"
            )

    def _set_aside(self, part: Path, error: Exception, warn: Callable[[str], None]) -> None:
        aside = part.with_name(ASIDE.format(name=part.name))
        part.rename(aside)
        warn(f"{part}: cannot be read ({error}); kept as {aside.name}, its tasks run again")

    def _write(self, table: pa.Table, part: Path) -> None:
        replace_file(part, lambda file: pq.write_table(table, file, compression="zstd", write_page_checksum=True))


def read_part(part: Path, columns: Sequence[str] | None = None) -> pa.Table:
    """The rows of a part, with the checksums of its pages verified where it has some.

    Raises:
        DAMAGE: one of these, where it cannot be read or a byte of it is another one.
    """
    with pq.ParquetFile(part, page_checksum_verification=True) as file:
        return file.read(columns)


def read_on_disk(directory: Path, measure: str | None, damaged: Callable[[Path, Exception], object]) -> OnDisk:
    """How the tasks in a sweep's visible parts ended; nothing is touched.

    Args:
        directory: of the sweep; a run may be writing there.
        measure: the column that a row must have to hold a measurement; None: every `ok` row does.
        damaged: told of every part that cannot be read, and why.
    """
    on_disk = OnDisk()
    columns = ["task_id", "status", "environment_id", "revision", *([measure] if measure else [])]
    for part in sorted(directory.glob(PART)):
        try:
            rows = read_part(part, columns).to_pydict()
            ended = list(zip(rows["task_id"], rows["status"], strict=True))
        except (*DAMAGE, KeyError) as error:
            damaged(part, error)
            continue
        on_disk.repeated.update(on_disk.statuses.keys() & {task_id for task_id, _ in ended})
        on_disk.statuses.update(ended)
        values = rows.get(measure, []) if measure else rows["status"]
        revisions = rows.get("revision", [None] * len(ended))
        for (task_id, status), value, revision in zip(ended, values, revisions, strict=False):
            if status == "ok" and value is not None:
                on_disk.measured.add(task_id)
                on_disk.revisions.update((revision or "").split(", "))
        for (task_id, status), environment_id in zip(ended, rows.get("environment_id", []), strict=False):
            if status == "unsupported" and environment_id is not None:
                on_disk.unsupported_in[task_id] = environment_id
    return on_disk


def write_atomically(path: Path, text: str) -> None:
    """Replace a small text file; see replace_file."""
    replace_file(path, lambda file: file.write(text.encode(errors="backslashreplace")))


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
