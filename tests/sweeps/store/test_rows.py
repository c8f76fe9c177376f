"""Rows say which task they are of; a task that failed as a whole has the rows that it would have had."""

from collections.abc import Iterator
from typing import Any

import pytest

from sweeps.errors import InputChanged, InputElsewhere, InputUnreached
from sweeps.schema import COLUMNS
from sweeps.store.rows import failed_row, failed_rows, measured_row
from sweeps.task import Lease, Row
from tests.fakes import REGISTRY, faulty_spec, plan_of

NOOP = COLUMNS["noop"]
((_, TASK),) = plan_of(faulty_spec(index=[7]), REGISTRY).tasks()
LEASE = Lease(TASK, 2)


def test_a_row_says_of_which_task_and_attempt_it_is() -> None:
    for row in (
        measured_row(LEASE, NOOP, 3, {"host": "here"}, {}),
        failed_row(LEASE, NOOP, 3, {"host": "here"}, "error", "Why", "because"),
    ):
        assert (row["task_id"], row["cell_id"], row["attempt"]) == (TASK.task_id, TASK.cell_id, 2)
        assert (row["sweep"], row["benchmark"], row["round"], row["order_index"]) == ("s", "noop", 0, 0)
        assert (row["index"], row["device"], row["cpu_cores"], row["iteration"], row["host"]) == (
            7,
            "cpu",
            1,
            3,
            "here",
        )


@pytest.mark.parametrize("facts", [{"hots": "a slip"}, {"score": 1.0}])
def test_a_column_that_nobody_declared_is_refused_not_dropped(facts: Row) -> None:
    with pytest.raises(KeyError, match="'noop' gave columns that its Columns lack"):
        measured_row(LEASE, NOOP, 0, {}, facts)
    with pytest.raises(KeyError, match="'noop' gave columns that its Columns lack"):
        failed_row(LEASE, NOOP, 0, facts, "error", None, None)


def identities(error: Exception | None = None, rows: int = 2) -> Iterator[Row]:
    for _ in range(rows):
        yield {"model": "of this row"}
    if error is not None:
        raise error


def failed(read: Iterator[Row]) -> list[Any]:
    rows = failed_rows(LEASE, NOOP, read, {"host": "here"}, "timeout", None, "too slow")
    assert {(row["status"], row["error_message"], row["host"]) for row in rows} == {("timeout", "too slow", "here")}
    return [(row["iteration"], row.get("model")) for row in rows]


def test_a_task_that_failed_as_a_whole_has_all_its_rows() -> None:
    assert failed(identities()) == [(0, "of this row"), (1, "of this row")]
    assert failed(identities(rows=0)) == [(0, None)]


@pytest.mark.parametrize("error", [InputUnreached("no hub"), ValueError("the same that failed the task")])
def test_it_has_one_row_where_nobody_can_say_which_they_would_have_been(error: Exception) -> None:
    assert failed(identities(error)) == [(0, None)]


@pytest.mark.parametrize("error", [InputChanged("texts.jsonl"), InputElsewhere("texts.jsonl")])
def test_it_has_none_where_its_input_is_another_one_or_elsewhere(error: Exception) -> None:
    with pytest.raises(type(error)):
        failed(identities(error))


def test_a_message_that_is_no_text_is_written_all_the_same() -> None:
    assert failed_row(LEASE, NOOP, 0, {}, "error", "Why", "half a \ud83d")["error_message"] == "half a \\ud83d"
    assert failed_row(LEASE, NOOP, 0, {}, "error", None, None)["error_message"] is None
