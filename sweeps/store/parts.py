"""Reads Parquet parts: the rows of one, and how the tasks of a sweep's visible parts ended."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from sweeps.run_layout import SweepLayout

DAMAGE: Final = (OSError, ValueError, OverflowError, MemoryError, pa.ArrowException)
"""Exceptions of pyarrow for a damaged file, depending on where the damage is."""
MERGES_WAITED_FOR: Final = 3
"""Times that a directory is read again, because a run merged some of its parts while they were read."""


@dataclass(frozen=True)
class OnDisk:
    """The tasks in a sweep's visible parts, and how each of them ended."""

    statuses: dict[str, str] = field(default_factory=dict)
    """Status by task id: that of the task's last row, because a failure is a task's last row."""
    unsupported_in: dict[str, str] = field(default_factory=dict)
    """Environment by task id, of tasks that were `unsupported` there."""
    measured: set[str] = field(default_factory=set)
    """Tasks that have a row with a measurement."""
    revisions: set[str] = field(default_factory=set)
    """Revisions of the models of rows with a measurement."""
    repeated: set[str] = field(default_factory=set)
    """Tasks that stand in more than one part: somebody copied a part."""


def read_part(part: Path, columns: Sequence[str] | None = None) -> pa.Table:
    """Read the rows of a part, and verify the checksums of its pages where it has some.

    Raises:
        DAMAGE: one of these, where it cannot be read or a byte of it is another one.
    """
    with pq.ParquetFile(part, page_checksum_verification=True) as file:
        return file.read(columns)


def read_on_disk(directory: Path, measure: str | None, damaged: Callable[[Path, Exception], object]) -> OnDisk:
    """Read how the tasks in a sweep's visible parts ended; nothing is touched.

    Args:
        directory: of the sweep; a run may be writing there.
        measure: the column that a row must have to hold a measurement; None: every `ok` row does.
        damaged: called with every part that cannot be read, and the error.
    """
    for parts in while_unmerged(directory):
        unread: list[tuple[Path, Exception]] = []
        on_disk = _read_parts(parts, measure, unread)
    for part, error in unread:
        damaged(part, error)
    return on_disk


def while_unmerged(directory: Path) -> Iterator[list[Path]]:
    """Yield the visible parts of a sweep's directory; again, where a run merged some of them while they were read."""
    for _ in range(MERGES_WAITED_FOR):
        parts = SweepLayout(directory).parts()
        yield parts
        if all(part.exists() for part in parts):
            return


def _read_parts(parts: Sequence[Path], measure: str | None, unread: list[tuple[Path, Exception]]) -> OnDisk:
    """Read how the tasks in these parts ended; parts that cannot be read are added to `unread`."""
    on_disk = OnDisk()
    columns = ["task_id", "status", "environment_id", "revision", *([measure] if measure else [])]
    for part in parts:
        try:
            rows = read_part(part, columns).to_pydict()
            ended = list(zip(rows["task_id"], rows["status"], strict=True))
        except (*DAMAGE, KeyError) as error:
            unread.append((part, error))
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
