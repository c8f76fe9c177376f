"""The directory of a run: its lock, the sink of every sweep, the environments, and the times when rows go to disk.

Knows no queue and no worker. Invariant: one run at a time writes there, and only rows of one spec.
"""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from filelock import FileLock, Timeout

from sweeps.errors import SinkFailed, UserError
from sweeps.plan.declaration import Registry, levels_before
from sweeps.plan.grid import Plan
from sweeps.run_layout import RunLayout
from sweeps.store.finished import Again, Finished, read_finished
from sweeps.store.rows import levels_of_older_rows
from sweeps.store.run_metadata import known_rows, planned_rows, read_run_metadata, write_run_metadata
from sweeps.store.sink import Sink
from sweeps.task import Level, Row

FLUSH_S: Final = 3.0
"""Longest time from an exchange to its rows on disk: a killed run loses no rows that were handed in earlier."""
FLUSH_ROWS: Final = 5_000
TAKEN: Final = (
    "{}: another run is writing there; let it end (python -m sweeps.status shows it), or choose another --out"
)
LOCK_WAIT_S: Final = 30.0
"""Time for the last process of a killed run to end and release the lock."""


def wait_until_free(path: Path, tell: Callable[[str], object]) -> None:
    """Wait until no other run writes into that directory, before anything is started that would disturb it.

    Args:
        path: of the run directory.
        tell: called with a sentence if there is something to wait for.

    Raises:
        UserError: the other run still writes there after LOCK_WAIT_S.
    """
    if not RunLayout(path).is_being_written():
        return
    tell(f"a run writes in {path} now; waiting for at most {LOCK_WAIT_S:g} s until it lets go")
    deadline_s = time.monotonic() + LOCK_WAIT_S
    while RunLayout(path).is_being_written():
        if time.monotonic() > deadline_s:
            raise UserError(TAKEN.format(path))
        time.sleep(0.1)


def refuse_rows(path: Path) -> None:
    """Refuse a run directory that has rows, as `--fresh` asks for.

    Raises:
        UserError: there are rows.
    """
    if RunLayout(path).has_parts():
        raise UserError(
            f"{path}: --fresh was asked for, but rows are there; move them away, choose another "
            "--out, or leave --fresh out to continue"
        )


def _warn_of_older_rows(
    folder: Path, filled: Mapping[str, int], before: Mapping[str, Level], warn: Callable[[str], None]
) -> None:
    """Warn of rows that were measured otherwise than a factor's default says; `filled` counts rows that lacked it.

    Once for each directory: their column says it from then on.
    """
    for name in before.keys() & filled.keys():
        warn(
            f"{folder}: {filled[name]:,} rows are older than the factor {name!r}: they stay as they are, with "
            f"{name} = {json.dumps(before[name])}; tasks that are left run as the spec says"
        )


class RunDirectory:
    """`<out>/<spec name>`: writes rows and environments there while a run goes on."""

    def __init__(self, plan: Plan, registry: Registry, command: str = "") -> None:
        """Touch nothing on disk: `open` does.

        Args:
            plan: made from what the directory holds.
            registry: of its benchmarks.
            command: that continues the run, for people.
        """
        self.path = plan.directory
        self.failure: str | None = None
        """Reason why the run cannot go on; None: it can."""
        self._plan = plan
        self._registry = registry
        self._command = command
        self._lock = FileLock(RunLayout(plan.directory).lock)
        self._sinks: dict[str, Sink] = {}
        self._environments: dict[str, dict[str, Any]] = {}
        self._flushed_at_s = time.monotonic()

    def open(self, *, fresh: bool, warn: Callable[[str], None]) -> None:
        """Lock the directory, check that its rows are of this plan, write down what will be measured.

        Args:
            fresh: refuse a directory with rows.
            warn: called with a sentence on every part that is set aside, and on rows older than a factor.

        Raises:
            UserError: not writable, in use, not empty though `fresh`, or changed since the plan was made.
        """
        self._take()
        try:
            self._check(fresh)
            for grid in self._plan.grids:
                folder = self.path / grid.sweep.name
                benchmark = self._registry[grid.sweep.benchmark]
                sink = Sink(folder, benchmark.columns, levels_of_older_rows(benchmark.factors))
                self._sinks[grid.sweep.name] = sink
                _warn_of_older_rows(folder, sink.mend(warn), levels_before(benchmark.factors), warn)
                self._environments |= read_run_metadata(folder).environments
            self._write_environments()
        except SinkFailed:
            self._lock.release()
            raise
        except OSError as error:
            self._lock.release()
            raise UserError(
                f"{error.filename or self.path}: cannot be used ({error.strerror or error}); move it away, or choose "
                "another --out"
            ) from error
        except BaseException:
            self._lock.release()
            raise

    def finished(self, again: Again, warn: Callable[[str], None]) -> Finished:
        """Read the finished tasks, and delete the rows of those that run again."""
        finished = read_finished(self._plan, self._registry, again, lambda part, error: warn(f"{part}: {error}"))
        for sink in self._sinks.values():
            sink.forget(finished.again, warn)
        return finished

    def add_environment(self, environment_id: str, content: dict[str, Any]) -> None:
        """Write down the environment that an id in the rows stands for; where that fails, `failure` says why."""
        if environment_id not in self._environments:
            self._environments[environment_id] = content
            try:
                self._write_environments()
            except SinkFailed as error:
                self._fail(error)

    def add(self, sweep: str, rows: Sequence[Row]) -> None:
        """Keep a finished task's rows; they become visible together with the next flush."""
        self._sinks[sweep].add(rows)

    @property
    def has_waiting(self) -> bool:
        """True while some rows are not on disk."""
        return any(map(len, self._sinks.values()))

    def flush_if_due(self) -> list[Row]:
        """Write the waiting rows if they wait long enough or are many; returns as `flush` does."""
        waiting = sum(map(len, self._sinks.values()))
        due = time.monotonic() - self._flushed_at_s > FLUSH_S or waiting > FLUSH_ROWS
        return self.flush() if waiting and due else []

    def flush(self) -> list[Row]:
        """Write the waiting rows; where that fails, `failure` says why and the rows are kept.

        Returns:
            Rows that could not be written as they were, and became errors.
        """
        spoilt: list[Row] = []
        try:
            for sink in self._sinks.values():
                spoilt += sink.flush()
        except SinkFailed as error:
            self._fail(error)
        self._flushed_at_s = time.monotonic()
        return spoilt

    def close(self) -> list[Row]:
        """Write the waiting rows, merge small parts and release the lock; returns as `flush` does."""
        spoilt = self.flush()
        if self.failure is None:
            for sink in self._sinks.values():
                sink.merge()
        self._lock.release()
        return spoilt

    def stop(self, reason: str) -> None:
        """Mark the run as one that cannot go on; the first reason stays."""
        self.failure = self.failure or reason

    def _fail(self, error: SinkFailed) -> None:
        self.stop(f"{error}; rows on disk are whole: mend that, then the same command continues")

    def _take(self) -> None:
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self._lock.acquire(timeout=LOCK_WAIT_S)
        except Timeout:
            raise UserError(TAKEN.format(self.path)) from None
        except OSError as error:
            raise UserError(
                f"{self.path}: cannot be written ({error.strerror}); choose another directory with --out"
            ) from error

    def _check(self, fresh: bool) -> None:
        if fresh:
            refuse_rows(self.path)
        for grid in self._plan.grids:
            folder = self.path / grid.sweep.name
            # The plan's own id counts too: a killed run may have written its first part while this one was planned.
            if known_rows(folder) not in (self._plan.known.get(grid.sweep.name, ""), planned_rows(grid)):
                raise UserError(f"{folder}: another run wrote there after this one was planned; give the command again")

    def _write_environments(self) -> None:
        for grid in self._plan.grids:
            folder = self.path / grid.sweep.name
            write_run_metadata(folder, self._plan.spec.name, grid, self._environments, self._command)
