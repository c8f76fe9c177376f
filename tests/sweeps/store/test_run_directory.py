"""Rows go to disk in time: what a killed run can lose is bounded, by seconds and by rows."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from sweeps.planning import make_plan
from sweeps.schema import COLUMNS
from sweeps.store import run_directory
from sweeps.store.finished import Again
from sweeps.store.rows import measured_row
from sweeps.store.run_directory import FLUSH_ROWS, FLUSH_S, RunDirectory
from sweeps.task import Lease, Row
from tests.fakes import REGISTRY, faulty_spec

PLAN = faulty_spec(index=[0, 1])


@dataclass
class Clock:
    """Stands in for the module `time`."""

    now_s: float = 100.0

    def monotonic(self) -> float:
        return self.now_s


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    stands = Clock()
    monkeypatch.setattr(run_directory, "time", stands)
    return stands


@pytest.fixture
def directory(clock: Clock, tmp_path: Path) -> RunDirectory:
    opened = RunDirectory(make_plan(PLAN, REGISTRY, tmp_path), REGISTRY)
    opened.open(fresh=False, warn=pytest.fail)
    return opened


def row(number: int = 0) -> Row:
    return measured_row(Lease(make_plan(PLAN, REGISTRY, Path("/nowhere")).task(number), 1), COLUMNS["noop"], 0, {}, {})


def parts(directory: RunDirectory) -> int:
    return len(list((directory.path / "s").glob("part-*")))


def test_rows_are_written_when_they_waited_some_seconds(directory: RunDirectory, clock: Clock) -> None:
    directory.add("s", [row()])
    clock.now_s += FLUSH_S - 0.1
    assert directory.flush_if_due() == []
    assert (parts(directory), directory.has_waiting) == (0, True)
    clock.now_s += 0.2
    assert directory.flush_if_due() == []
    assert (parts(directory), directory.has_waiting) == (1, False)
    directory.add("s", [row(1)])
    directory.flush_if_due()
    assert parts(directory) == 1, "the seconds count from the last time"


def test_rows_are_written_when_they_are_many(directory: RunDirectory) -> None:
    directory.add("s", [row()] * FLUSH_ROWS)
    directory.flush_if_due()
    assert parts(directory) == 0
    directory.add("s", [row(1)])
    directory.flush_if_due()
    assert parts(directory) == 1


def test_what_waits_is_written_at_the_end_and_the_directory_let_go(directory: RunDirectory) -> None:
    directory.add("s", [row()])
    assert run_directory.is_taken(directory.path)
    assert directory.close() == []
    assert parts(directory) == 1
    assert not run_directory.is_taken(directory.path)


def test_a_row_that_no_column_holds_is_written_as_an_error_and_told(directory: RunDirectory) -> None:
    directory.add("s", [row() | {"neighbours": 2**40}])
    (spoilt,) = directory.flush()
    assert (spoilt["status"], spoilt["task_id"]) == ("error", row()["task_id"])
    assert directory.finished(Again(), pytest.fail).statuses == {row()["task_id"]: "error"}


def test_the_first_reason_to_stop_stays(directory: RunDirectory) -> None:
    for reason in ("the disk is full", "and then it was gone"):
        directory.stop(reason)
    assert directory.failure == "the disk is full"
