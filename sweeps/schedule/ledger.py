"""Counts of a run: how its tasks ended, its rows and loads, and the warnings that a person should see.

Knows no queue and no worker; the coordinator records here what happened, and reads the run's status.
"""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

from sweeps.schedule.run_status import Status, SweepStatus
from sweeps.store.finished import Finished
from sweeps.task import Outcome, Row, Task
from sweeps.task_status import TaskStatus

MAX_REASONS: Final = 20
"""Largest number of reasons that become warnings, of unsupported and unavailable tasks; the rows have all reasons."""


class Ledger:
    """The counts of one run."""

    def __init__(self, totals: Mapping[str, int]) -> None:
        """
        Args:
            totals: number of tasks of each sweep, in the order of the spec.
        """
        self.warnings: list[str] = []
        self._totals = totals
        self._counts: dict[str, Counter[str]] = {sweep: Counter() for sweep in totals}
        self._unflushed: dict[str, str] = {}
        """Status of every finished task whose rows are not on disk yet."""
        self._began_s: float | None = None
        self._done_before = self._untried = self._rows = self._measured = self._loads = self._loads_naive = 0
        self._summary_counts: Counter[str] = Counter()
        self._reasons: set[str] = set()

    def count_finished(self, finished: Finished) -> None:
        """Count the tasks that earlier runs finished."""
        for sweep, counts in finished.counts.items():
            self._counts[sweep].update(counts)
        self._done_before = len(finished.statuses)
        self._measured = finished.measured

    def start_clock(self) -> None:
        """Start the session's clock, with its first worker."""
        self._began_s = time.monotonic() if self._began_s is None else self._began_s

    def count_loads(self, task: Task, outcome: Outcome) -> None:
        """Count the loads of an outcome, and the load that a runner would make that loads for every task."""
        self._loads += outcome.loads
        self._loads_naive += task.loads

    def count_untried(self) -> None:
        """Count a task that gets its rows without being run."""
        self._untried += 1

    def complete(self, task: Task, rows: Sequence[Row], measure: str | None, summary_counts: Mapping[str, int]) -> None:
        """Count a task that has all its rows.

        Args:
            task: that is done.
            rows: all of them; the last one says how the task ended.
            measure: column that an `ok` row must have to hold a measurement; None: every `ok` row does.
            summary_counts: of its rows, by name, from the benchmark.
        """
        last = rows[-1]
        status = TaskStatus(last["status"])
        self._rows += len(rows)
        self._measured += any(row["status"] == "ok" and row.get(measure or "status") is not None for row in rows)
        self._summary_counts.update(summary_counts)
        self._counts[task.sweep][status] += 1
        self._unflushed[task.task_id] = status
        if status in (TaskStatus.UNSUPPORTED, TaskStatus.UNAVAILABLE):
            self._warn_once(f"{status}: {last['error_message']}")

    def count_unwritable(self, rows: Sequence[Row]) -> None:
        """Count tasks as errors whose rows could not be written as they were."""
        for row in {row["task_id"]: row for row in rows}.values():
            self._counts[row["sweep"]].subtract([self._unflushed.get(row["task_id"], "ok")])
            self._counts[row["sweep"]]["error"] += 1
            self.warnings.append(f"task {row['task_id']}: {row['error_message']}; it counts as an error")

    def all_flushed(self) -> None:
        """Forget which tasks were not on disk yet: all of them are now."""
        self._unflushed.clear()

    def status(self, **live: Any) -> Status:
        """Return the run's status.

        Args:
            live: fields of Status that the ledger does not keep: demand, workers, failure, waiting, waiting_for.
        """
        counts = sum(self._counts.values(), Counter[str]())
        return Status(
            total=sum(self._totals.values()),
            done=counts.total(),
            done_before=self._done_before,
            untried=self._untried,
            rows=self._rows,
            measured=self._measured,
            counts=dict(counts),
            sweeps=tuple(self._sweep_status(sweep, total) for sweep, total in self._totals.items()),
            loads=self._loads,
            loads_naive=self._loads_naive,
            warnings=tuple(self.warnings),
            summary_counts=dict(self._summary_counts),
            elapsed_s=0.0 if self._began_s is None else time.monotonic() - self._began_s,
            **live,
        )

    def _sweep_status(self, sweep: str, total: int) -> SweepStatus:
        counts = self._counts[sweep]
        failed = sum(counts[status] for status in TaskStatus if status.is_failure)
        return SweepStatus(sweep, total, counts.total(), failed)

    def _warn_once(self, reason: str) -> None:
        """Warn of a reason when it first comes up: a card that lacks something lacks it for hours of the run."""
        if reason not in self._reasons and len(self._reasons) < MAX_REASONS:
            self._reasons.add(reason)
            self.warnings.append(reason)
