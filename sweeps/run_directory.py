"""The directory of a run: its lock, the sink of every sweep, the environments, and when rows go to disk.

Knows no queue and no worker. Invariant: one run at a time writes here, and only rows of one spec.
"""

import json
import time
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any, Final

from filelock import FileLock, Timeout

from sweeps.errors import SinkFailed, UserError
from sweeps.factors import Catalogue
from sweeps.plan import Plan
from sweeps.schema import schema_of
from sweeps.sink import Sink, write_atomically
from sweeps.stored import FILE, refuse_changed, storable, stored_spec
from sweeps.task import Row

LOCK: Final = ".lock"
FLUSH_S: Final = 3.0
"""Rows are on disk at most this long after the next exchange: what a killed run can lose."""
FLUSH_ROWS: Final = 5_000
LOCK_WAIT_S: Final = 30.0
"""A run that was killed needs some seconds until its last process lets go of the directory."""


def is_taken(path: Path) -> bool:
    """Whether a run writes into that directory now."""
    if not (path / LOCK).exists():
        return False
    try:
        with FileLock(path / LOCK, timeout=0):
            return False
    except Timeout:
        return True
    except OSError:  # opening it tells better
        return False


def refuse_rows(path: Path) -> None:
    """What `--fresh` asks for.

    Raises:
        UserError: there are rows.
    """
    if any(path.glob("*/part-*.parquet")):
        raise UserError(
            f"{path}: --fresh was asked for, but rows are there; move them away, choose another "
            "--out, or leave --fresh out to continue"
        )


class RunDirectory:
    """`<out>/<spec name>`, and everything that is written there while a run goes on."""

    def __init__(self, path: Path, plan: Plan, catalogue: Catalogue) -> None:
        """Nothing is touched before `open`."""
        self.path = path
        self.failure: str | None = None
        """Why rows cannot be written any more, if they cannot."""
        self._plan = plan
        self._catalogue = catalogue
        self._lock = FileLock(path / LOCK)
        self._sinks: dict[str, Sink] = {}
        self._environments: dict[str, dict[str, Any]] = {}
        self._flushed_at_s = time.monotonic()

    def open(self, *, fresh: bool) -> None:
        """Lock it, check that its rows are of this spec, write down what will be measured.

        Raises:
            UserError: not writable, in use, not empty though `fresh`, or of another spec (SpecChanged).
        """
        self._take()
        try:
            self._check(fresh)
        except UserError:
            self._lock.release()
            raise
        for grid in self._plan.grids:
            folder = self.path / grid.sweep.name
            self._sinks[grid.sweep.name] = Sink(folder, schema_of(grid.sweep.benchmark))
            self._environments |= stored_spec(folder).environments
        self._write_environments()

    def ended(self, retry: Collection[str], warn: Callable[[str], None]) -> dict[str, str]:
        """Tasks that are on disk with how each ended, less those of the statuses `retry`, which are taken out."""
        ended: dict[str, str] = {}
        for sink in self._sinks.values():
            on_disk = sink.finished(warn)
            if sink.forget(retry):
                on_disk = sink.finished(warn)
            ended |= on_disk
        return ended

    def add_environment(self, environment_id: str, content: dict[str, Any]) -> None:
        """Write down what an id in the rows stands for; where that fails, `failure` says why."""
        if environment_id not in self._environments:
            self._environments[environment_id] = content
            try:
                self._write_environments()
            except SinkFailed as error:
                self._fail(error)

    def add(self, sweep: str, rows: Sequence[Row]) -> None:
        """Keep a finished task's rows; they become visible together with the next flush."""
        self._sinks[sweep].add(rows)

    def flush_if_due(self) -> None:
        """Write what waits if it waits long enough or is much."""
        waiting = sum(map(len, self._sinks.values()))
        due = time.monotonic() - self._flushed_at_s > FLUSH_S or waiting > FLUSH_ROWS
        if waiting and due:
            self.flush()

    def flush(self) -> None:
        """Write what waits; where that fails, `failure` says why and the rows are kept."""
        try:
            for sink in self._sinks.values():
                sink.flush()
        except SinkFailed as error:
            self._fail(error)
        self._flushed_at_s = time.monotonic()

    def close(self) -> None:
        """Write what waits and let the directory go."""
        self.flush()
        self._lock.release()

    def _fail(self, error: SinkFailed) -> None:
        self.failure = f"{error}; rows on disk are whole: mend that, then the same command carries on"

    def _take(self) -> None:
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self._lock.acquire(timeout=LOCK_WAIT_S)
        except Timeout:
            raise UserError(f"{self.path}: another run is writing there; let it end, or choose another --out") from None
        except OSError as error:
            raise UserError(
                f"{self.path}: cannot be written ({error.strerror}); choose another directory with --out"
            ) from error

    def _check(self, fresh: bool) -> None:
        if fresh:
            refuse_rows(self.path)
        refuse_changed(self._plan, self.path, self._catalogue)

    def _write_environments(self) -> None:
        for grid in self._plan.grids:
            content = {"spec": storable(self._plan.spec.name, grid.sweep), "environments": self._environments}
            text = json.dumps(content, indent=2, ensure_ascii=False) + "\n"
            write_atomically(self.path / grid.sweep.name / FILE, text)
