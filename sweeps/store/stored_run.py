"""Run directories as their files describe them: tasks that are done, how they ended, and the command that goes on.

Reads files alone: neither the spec nor Ray is needed, and a run may be writing there.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from sweeps.errors import SpecChanged, UserError
from sweeps.plan.spec import RESERVED_NAMES
from sweeps.run_layout import RunLayout, SweepLayout
from sweeps.store.parts import DAMAGE, read_part, while_unmerged
from sweeps.store.run_metadata import RunMetadata, read_run_metadata
from sweeps.stored_command import StoredCommand, command_for, put_back
from sweeps.task_status import TaskStatus, retry_command

_GIVE_ONE: Final = "give one, such as runs/quickstart"
_COLUMNS: Final = ("task_id", "status", "error_message")


@dataclass(frozen=True)
class StoredSweep:
    """Tasks of one sweep that are on disk."""

    name: str
    rows: int
    planned: int | None
    """Number of tasks that the last run planned; None where no file says."""
    counts: Mapping[str, int]
    """Tasks by status: that of a task's last row."""
    reasons: Mapping[str, Mapping[str, int]]
    """Tasks by reason, for each status other than ok; the commonest first."""
    command: StoredCommand
    """Command that continues the run where the files are now."""
    written_at: datetime | None
    """Time when the newest rows were written; None where there are none."""
    problems: tuple[str, ...]
    """Files that cannot be read, each with the reason."""
    is_refused: bool
    """No command continues the sweep before its metadata are mended: they say what its rows are of."""

    @property
    def done(self) -> int:
        """Return the number of tasks that were tried. A task with status unavailable is still to be done."""
        return sum(self.counts.values()) - self.counts.get(TaskStatus.UNAVAILABLE, 0)

    @property
    def missing(self) -> int | None:
        """Return the number of planned tasks that are not done; None where no file says how many were planned."""
        return None if self.planned is None else max(0, self.planned - self.done)


@dataclass(frozen=True)
class StoredRun:
    """The sweeps of a run directory."""

    directory: Path
    is_written: bool | None
    """A run writes there now; None: the lock cannot be read, so that is not known."""
    sweeps: tuple[StoredSweep, ...]

    @property
    def done(self) -> int:
        """Return the number of tasks of all sweeps that were tried."""
        return sum(sweep.done for sweep in self.sweeps)

    @property
    def planned(self) -> int | None:
        """Return the number of planned tasks of all sweeps; None where it is not known of one of them."""
        known = [sweep.planned for sweep in self.sweeps if sweep.planned is not None]
        return sum(known) if len(known) == len(self.sweeps) else None

    @property
    def command(self) -> str:
        """Return the command that continues the run; empty where no file says."""
        return self._stored_command.line

    @property
    def first(self) -> tuple[str, ...]:
        """Return what has to be done before the command, in sentences; a command that is given earlier is refused."""
        refused = [SweepLayout(self.directory / sweep.name).metadata for sweep in self.sweeps if sweep.is_refused]
        return (*map(put_back, refused), *self._stored_command.first)

    @property
    def _stored_command(self) -> StoredCommand:
        return next((sweep.command for sweep in self.sweeps if sweep.command.line), StoredCommand())

    @property
    def retry(self) -> str:
        """Return the command that runs failed tasks again; empty where there are none, or no file says."""
        return retry_command(self.command, {status for sweep in self.sweeps for status in sweep.counts})


def find_stored_runs(directory: Path) -> list[Path]:
    """Return the directory if it is a run's, else the run directories in it, by name.

    Raises:
        UserError: it is no directory, or there is no run.
    """
    try:
        if not directory.is_dir():
            raise UserError(f"{directory}: no such directory; give a run directory, such as runs/quickstart")
        if _sweep_directories(directory):
            return [directory]
        runs = [inner for inner in sorted(directory.iterdir()) if inner.is_dir() and _sweep_directories(inner)]
    except OSError as error:
        raise UserError(f"{error.filename or directory}: cannot be read: {error.strerror or error}") from error
    if not runs:
        mend = "this is one sweep of a run, give the directory above" if _is_sweep(directory) else _GIVE_ONE
        raise UserError(f"{directory}: no run directory: {mend}")
    return runs


def read_stored_run(directory: Path) -> StoredRun:
    """Read the rows of every sweep of a run directory; nothing is touched.

    Raises:
        UserError: the directory cannot be read.
    """
    try:
        return StoredRun(
            directory, RunLayout(directory).is_being_written(), tuple(map(_read_sweep, _sweep_directories(directory)))
        )
    except OSError as error:
        raise UserError(f"{error.filename or directory}: cannot be read: {error.strerror or error}") from error


def _sweep_directories(directory: Path) -> list[Path]:
    inside = (inner for inner in sorted(directory.iterdir()) if inner.is_dir() and inner.name not in RESERVED_NAMES)
    return [inner for inner in inside if _is_sweep(inner)]


def _is_sweep(directory: Path) -> bool:
    layout = SweepLayout(directory)
    return layout.metadata.exists() or layout.old_metadata.exists() or bool(layout.parts())


def _read_sweep(directory: Path) -> StoredSweep:
    problems: list[str] = []
    metadata = RunMetadata()
    try:
        metadata = read_run_metadata(directory)
    except SpecChanged as error:
        problems.append(str(error))
    is_refused = bool(problems)
    ended: dict[str, tuple[str, str]] = {}
    damaged: list[str] = []
    rows = 0
    for parts in while_unmerged(directory):
        ended, damaged = {}, []
        rows = sum(_read_into(ended, part, damaged) for part in parts)
    counts = Counter(status for status, _ in ended.values())
    return StoredSweep(
        name=directory.name,
        rows=rows,
        planned=metadata.tasks,
        counts=dict(_in_order(counts)),
        reasons=_reasons(ended),
        command=command_for(metadata.command, metadata.spec_name, directory.parent),
        written_at=_written_at(SweepLayout(directory).parts()),
        problems=(*problems, *damaged),
        is_refused=is_refused,
    )


def _read_into(ended: dict[str, tuple[str, str]], part: Path, damaged: list[str]) -> int:
    """Add status and reason of each task of a part, by its last row; return the number of rows."""
    try:
        table = read_part(part, _COLUMNS)
        columns = [table[name].to_pylist() for name in _COLUMNS]
    except (*DAMAGE, KeyError) as error:
        damaged.append(f"{part}: cannot be read: {' '.join(str(error).split())}")
        return 0
    ended.update((task, (str(status), reason or "")) for task, status, reason in zip(*columns, strict=True))
    return int(table.num_rows)


def _reasons(ended: Mapping[str, tuple[str, str]]) -> dict[str, dict[str, int]]:
    counts = Counter((status, " ".join(reason.split())) for status, reason in ended.values() if status != TaskStatus.OK)
    found: dict[str, dict[str, int]] = {}
    for (status, reason), tasks in counts.most_common():
        found.setdefault(status, {})[reason] = tasks
    return found


def _in_order(counts: Mapping[str, int]) -> Iterator[tuple[str, int]]:
    """Yield counts by status in the order of the schema; statuses of other versions come last."""
    known = [status.value for status in TaskStatus]
    return ((status, counts[status]) for status in (*known, *sorted(counts.keys() - set(known))) if status in counts)


def _written_at(parts: Sequence[Path]) -> datetime | None:
    times = [part.stat().st_mtime for part in parts if part.exists()]
    return datetime.fromtimestamp(max(times), UTC) if times else None
