"""From a task and what became of it to the columns of a row; the only place where rows are put together."""

import json
from collections.abc import Callable, Iterable
from functools import cache

from sweeps.errors import InputChanged, InputElsewhere, InputUnreached
from sweeps.schema import COMMON, FACTORS, IDENTITY, METRICS
from sweeps.task import Lease, Level, Row


def measured_row(lease: Lease, iteration: int, facts: Row, metrics: Row) -> Row:
    """A row with metrics: `ok`, unless `metrics` say otherwise of this row alone (a fragment that did not fit).

    Args:
        lease: the task and its attempt.
        iteration: from 0; for scoring, the fragment's place in its shard.
        facts: common columns that the worker knows (host, device, times …).
        metrics: columns of METRICS for the benchmark; absent ones become null.
    """
    row = _identity(lease) | facts | {"iteration": iteration, "status": "ok"} | metrics
    _refuse_unknown(row, lease.task.benchmark)
    return row


def failed_row(
    lease: Lease,
    iteration: int,
    facts: Row,
    status: str,
    error_type: str | None,
    error_message: str | None,
) -> Row:
    """A row of any other status: what was asked and what went wrong, every metric null."""
    row = _identity(lease) | facts
    row |= {
        "iteration": iteration,
        "status": status,
        "error_type": error_type,
        "error_message": error_message and error_message.encode(errors="backslashreplace").decode(),
    }
    _refuse_unknown(row, lease.task.benchmark)
    return row


def failed_rows(
    lease: Lease, pieces: Iterable[Row], facts: Row, status: str, error_type: str | None, error_message: str | None
) -> list[Row]:
    """The rows of a task that failed as a whole: one for each piece of it, so that none is without a row.

    Args:
        pieces: from the benchmark's declaration; where what the task is made of cannot be read, it has one row.

    Raises:
        InputChanged: they are other ones than when the run was planned.
        InputElsewhere: they cannot be seen here, where that is more than a hub that is not reached.
    """
    try:
        identities = list(pieces)
    except InputUnreached:
        identities = []
    except (InputChanged, InputElsewhere):
        raise
    except Exception:  # noqa: BLE001 - mostly the same reason for which the task failed, and that one is told
        identities = []
    return [
        failed_row(lease, iteration, facts | identity, status, error_type, error_message)
        for iteration, identity in enumerate(identities or [{}], start=lease.task.first_iteration)
    ]


def unwritable_row(row: Row, error: Exception, fits: Callable[[str, object], bool]) -> Row:
    """The row that stands for one with a value that its column cannot hold: what it is of, and what was wrong.

    Args:
        row: which cannot be written.
        error: what its writing raised.
        fits: whether a column can hold a value.
    """
    metrics = METRICS.get(row.get("benchmark", ""), {})
    kept = {name: value for name, value in row.items() if name not in metrics and fits(name, value)}
    return kept | {
        "status": "error" if row.get("status") == "ok" else row.get("status"),
        "error_type": type(error).__qualname__,
        "error_message": ascii(f"the row cannot be written: {error}")[1:-1][-2000:],
    }


def _identity(lease: Lease) -> Row:
    task = lease.task
    factors = _factor_columns(task.benchmark)
    levels = {name: _cell_value(level) for name, level in task.factors.items() if name in factors}
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


@cache
def _factor_columns(benchmark: str) -> frozenset[str]:
    return frozenset(COMMON) | frozenset(FACTORS[benchmark])


@cache
def _columns(benchmark: str) -> frozenset[str]:
    return _factor_columns(benchmark) | frozenset(IDENTITY.get(benchmark, ())) | frozenset(METRICS[benchmark])


def _refuse_unknown(row: Row, benchmark: str) -> None:
    """Arrow drops keys that the schema lacks without a word; a metric lost that way would be ours to find."""
    if unknown := row.keys() - _columns(benchmark):
        raise KeyError(f"benchmark {benchmark!r} gave columns that sweeps/schema.py lacks: {sorted(unknown)}")
