"""Puts rows together from a task and its outcome; the only place that does."""

import json
from collections.abc import Callable, Iterable

from sweeps.errors import InputChanged, InputElsewhere, InputUnreached
from sweeps.plan.declaration import Factors, levels_before
from sweeps.schema import COMMON, Columns
from sweeps.task import Allocation, Lease, Level, Row
from sweeps.task_status import TaskStatus


def measured_row(lease: Lease, columns: Columns, iteration: int, facts: Row, metrics: Row) -> Row:
    """Return a row with metrics: `ok`, unless `metrics` hold another status (of a text that did not fit).

    Args:
        lease: the task and its attempt.
        columns: of the benchmark.
        iteration: from 0; for scoring, the fragment's place in its shard.
        facts: common columns that the worker knows (host, device, times …).
        metrics: the benchmark's metrics, and identity where a row has one; absent ones become null.

    Raises:
        KeyError: a column that neither the benchmark nor the common ones have.
        ValueError: a status that there is not.
    """
    row = _asked(lease, columns) | facts | {"iteration": iteration, "status": "ok"} | metrics
    _refuse_unknown(row, lease.task.benchmark, columns)
    TaskStatus(row["status"])
    return row


def failed_row(
    lease: Lease,
    columns: Columns,
    iteration: int,
    facts: Row,
    status: str,
    error_type: str | None,
    error_message: str | None,
) -> Row:
    """Return a row of any other status: the task, and the reason why it failed; every metric is null."""
    row = _asked(lease, columns) | facts
    row |= {
        "iteration": iteration,
        "status": status,
        "error_type": error_type,
        "error_message": error_message and error_message.encode(errors="backslashreplace").decode(),
    }
    _refuse_unknown(row, lease.task.benchmark, columns)
    return row


def failed_rows(
    lease: Lease,
    columns: Columns,
    identities: Iterable[Row],
    facts: Row,
    status: str,
    error_type: str | None,
    error_message: str | None,
) -> list[Row]:
    """Return the rows of a task that failed as a whole: one for each row that it would have had.

    Args:
        lease: the task and its attempt.
        columns: of the benchmark.
        identities: identity columns of these rows, from the benchmark; where they cannot be read, the task has one row.
        facts: common columns that are known.
        status: of every row.
        error_type: of every row.
        error_message: of every row.

    Raises:
        InputChanged: the task's input is not what it was when the run was planned.
        InputElsewhere: the task's input cannot be seen here, where that is more than a hub that is not reached.
    """
    try:
        known = list(identities)
    except InputUnreached:
        known = []
    except (InputChanged, InputElsewhere):
        raise
    except Exception:  # noqa: BLE001 - mostly the reason for which the task failed, which its row has
        known = []
    return [
        failed_row(lease, columns, iteration, facts | identity, status, error_type, error_message)
        for iteration, identity in enumerate(known or [{}], start=lease.task.first_iteration)
    ]


def unwritable_row(row: Row, columns: Columns, error: Exception, fits: Callable[[str, object], bool]) -> Row:
    """Return the error row in place of a row with a value that its column cannot hold.

    Args:
        row: that cannot be written.
        columns: of its benchmark.
        error: raised when it was written.
        fits: tells whether a column can hold a value.
    """
    kept = {name: value for name, value in row.items() if name not in columns.metrics and fits(name, value)}
    return kept | {
        "status": "error" if row.get("status") == "ok" else row.get("status"),
        "error_type": type(error).__qualname__,
        "error_message": ascii(f"the row cannot be written: {error}")[1:-1][-2000:],
    }


def device_columns(allocation: Allocation) -> Row:
    """Return the common columns that name a worker and its devices."""
    return {
        "host": allocation.host,
        "device_class": allocation.device_class,
        "device_name": allocation.device_name,
        "worker_id": allocation.worker_id,
    }


def levels_of_older_rows(factors: type[Factors]) -> Row:
    """Return the level of rows that are older than a factor, as its column holds it: mostly the factor's default."""
    fields = {name: field for name, field in factors.model_fields.items() if not field.is_required()}
    levels = {name: field.get_default(call_default_factory=True) for name, field in fields.items()}
    return {name: _cell_value(level) for name, level in (levels | levels_before(factors)).items()}


def _asked(lease: Lease, columns: Columns) -> Row:
    """Return the columns that say which task a row is of, and what the spec asked for."""
    task = lease.task
    levels = {
        name: _cell_value(level) for name, level in task.factors.items() if name in COMMON or name in columns.factors
    }
    return levels | {
        "sweep": task.sweep,
        "benchmark": task.benchmark,
        "task_id": task.task_id,
        "cell_id": task.cell_id,
        "round": task.round,
        "order_index": task.order_index,
        "attempt": lease.attempt,
    }


def _cell_value(level: Level) -> str | int | float | bool:
    return json.dumps(level) if isinstance(level, list | dict) else level


def _refuse_unknown(row: Row, benchmark: str, columns: Columns) -> None:
    """Refuse columns that the schema lacks: Arrow would drop them without a word."""
    if unknown := row.keys() - columns.names:
        raise KeyError(f"benchmark {benchmark!r} gave columns that its Columns lack: {sorted(unknown)}")
