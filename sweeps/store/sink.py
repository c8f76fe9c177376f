"""Writes rows into Parquet parts, whole or not at all.

Invariant: the rows of a task become visible together, by one rename. Knows nothing of queues or benchmarks.
"""

import contextlib
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from sweeps.atomic_write import replace_file
from sweeps.errors import SinkFailed, UserError
from sweeps.run_layout import SweepLayout, damaged_name, part_numbers
from sweeps.schema import Columns
from sweeps.store.parts import DAMAGE, read_part
from sweeps.store.rows import unwritable_row
from sweeps.task import Row

MERGE_EVERY: Final = 64
"""Flushes after which their parts are merged into one."""


class Sink:
    """The parts of one sweep's directory, and the rows that wait to become the next one."""

    def __init__(self, directory: Path, columns: Columns, defaults: Mapping[str, object] | None = None) -> None:
        """Make the directory, and clear it of half-written files.

        Args:
            directory: of the sweep.
            columns: of its benchmark.
            defaults: level of every factor in rows that were written before the factor existed.
        """
        self._layout = SweepLayout(directory)
        self._columns = columns
        self._schema = columns.schema
        self._defaults = defaults or {}
        self._rows: list[Row] = []
        directory.mkdir(parents=True, exist_ok=True)
        for leftover in self._layout.leftovers():
            leftover.unlink()
        self._next = self._layout.next_number()
        self._flushes = 0

    def __len__(self) -> int:
        """Return the number of rows that are not on disk yet."""
        return len(self._rows)

    def add(self, rows: Sequence[Row]) -> None:
        """Keep the rows of one finished task until the next flush."""
        self._rows.extend(rows)

    def flush(self) -> list[Row]:
        """Write the rows that wait as one part.

        Returns:
            Rows that could not be written though they were ok, and were written as errors: none, unless a benchmark
            gives values that its columns cannot hold.

        Raises:
            SinkFailed: the disk is full or the directory gone; the rows are kept, and no half part is visible.
        """
        if not self._rows:
            return []
        table, spoilt = self._table()
        self._write(table, self._layout.part(self._next))
        self._next += 1
        self._rows.clear()
        self._flushes += 1
        if self._flushes % MERGE_EVERY == 0:
            self.merge()
        return spoilt

    def merge(self) -> None:
        """Merge the parts of single flushes into one, so that a long run is not thousands of files.

        The merged part becomes visible by one rename, and readers pass over the parts that it supersedes. If it cannot
        be written, or a part cannot be read, all parts stay as they are.
        """
        parts = self._unmerged()[-MERGE_EVERY:]  # no more: they are in memory together
        if len(parts) < 2:
            return
        with contextlib.suppress(SinkFailed, *DAMAGE):
            table = pa.concat_tables(map(read_part, parts))
            self._write(table, self._layout.merged(parts))
            for part in parts:
                part.unlink()

    def _unmerged(self) -> list[Path]:
        """Return the last parts of single flushes, which follow each other."""
        parts: list[Path] = []
        for part in reversed(self._layout.parts()):
            first, last = part_numbers(part.name)
            if first < 0 or first != last:
                break
            parts.insert(0, part)
        return parts

    def mend(self, warn: Callable[[str], None]) -> Counter[str]:
        """Set parts aside that cannot be read, and give parts of an older version today's columns.

        A column that an older part lacks is null, or the level of the factor with which its rows were measured.

        Args:
            warn: called with a sentence on each part that is set aside; its tasks run again.

        Returns:
            Number of rows that were given a column, by its name.

        Raises:
            UserError: a part is not of this sweep, or of a newer version.
        """
        self._drop_superseded(warn)
        filled: Counter[str] = Counter()
        for part in self._layout.parts():
            try:
                table = read_part(part)
            except DAMAGE as error:
                self._set_aside(part, error, warn)
                continue
            self._refuse_foreign(part, table.schema)
            if missing := set(self._schema.names) - set(table.schema.names):
                columns = [
                    self._filled(name, len(table)) if name in missing else table[name] for name in self._schema.names
                ]
                self._write(pa.table(columns, schema=self._schema), part)
                filled.update(dict.fromkeys(missing, len(table)))
        return filled

    def _drop_superseded(self, warn: Callable[[str], None]) -> None:
        """Delete parts whose rows are in a merged part as well; what is in their name alone is set aside and told."""
        superseded = self._layout.superseded()
        held: set[str] = set()
        for part in self._layout.parts() if superseded else ():
            try:
                held.update(read_part(part, ["task_id"])["task_id"].to_pylist())
            except DAMAGE as error:
                self._set_aside(part, error, warn)  # if it was a merged part, its own parts count again
        for part in self._layout.superseded():
            try:
                is_held = held.issuperset(read_part(part, ["task_id"])["task_id"].to_pylist())
            except DAMAGE:
                is_held = False
            if is_held:
                part.unlink()
            else:
                aside = part.rename(damaged_name(part))
                warn(f"{part}: is not in the merged part that covers its number; kept as {aside.name}, not counted")

    def forget(self, task_ids: Collection[str], warn: Callable[[str], None]) -> None:
        """Delete the rows of tasks that run again, part by part."""
        for part in self._layout.parts() if task_ids else ():
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

    def _filled(self, name: str, rows: int) -> pa.Array:
        """Return a column for rows that were written before the column existed."""
        return pa.repeat(pa.scalar(self._defaults.get(name), self._schema.field(name).type), rows)

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
                    replaced.append(unwritable_row(row, self._columns, error, self._fits))
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
        aside = damaged_name(part)
        part.rename(aside)
        warn(f"{part}: cannot be read ({error}); kept as {aside.name}, its tasks run again")

    def _write(self, table: pa.Table, part: Path) -> None:
        replace_file(part, lambda file: pq.write_table(table, file, compression="zstd", write_page_checksum=True))
