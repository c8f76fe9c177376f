"""Rows go to disk in time: what a killed run can lose is bounded, by seconds and by rows."""

import errno
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from sweeps.errors import SinkFailed, UserError
from sweeps.planning import make_plan
from sweeps.run_layout import RunLayout
from sweeps.schema import COLUMNS
from sweeps.store import run_directory
from sweeps.store.finished import Again
from sweeps.store.rows import measured_row
from sweeps.store.run_directory import FLUSH_ROWS, FLUSH_S, LOCK_WAIT_S, RunDirectory, wait_until_free
from sweeps.task import Lease, Row
from tests.fakes import REGISTRY, faulty_spec

PLAN = faulty_spec(index=[0, 1])


@dataclass
class Clock:
    """Stands in for the module `time`."""

    now_s: float = 100.0

    asleep: Callable[[], object] = lambda: None

    def monotonic(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds
        self.asleep()


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
    assert RunLayout(directory.path).is_being_written()
    RunLayout(directory.path).lock.chmod(0o444)  # root may write it nevertheless; others see a run of somebody else
    before = RunLayout(directory.path).lock.stat()
    assert RunLayout(directory.path).is_being_written()
    assert RunLayout(directory.path).lock.stat() == before
    assert directory.close() == []
    assert parts(directory) == 1
    assert not RunLayout(directory.path).is_being_written()


def test_a_row_that_no_column_holds_is_written_as_an_error_and_told(directory: RunDirectory) -> None:
    directory.add("s", [row() | {"neighbours": 2**40}])
    (spoilt,) = directory.flush()
    assert (spoilt["status"], spoilt["task_id"]) == ("error", row()["task_id"])
    assert directory.finished(Again(), pytest.fail).statuses == {row()["task_id"]: "error"}


def test_a_run_that_writes_there_is_waited_for_until_it_lets_go(directory: RunDirectory, clock: Clock) -> None:
    clock.asleep = lambda: clock.now_s > 105.0 and directory.close()
    told: list[str] = []
    wait_until_free(directory.path, told.append)
    assert 105.0 < clock.now_s < 106.0
    assert len(told) == 1


def test_and_no_longer_than_it_takes_a_killed_run_to_let_go(directory: RunDirectory, clock: Clock) -> None:
    with pytest.raises(UserError, match="another run is writing there"):
        wait_until_free(directory.path, lambda _: None)
    assert clock.now_s == pytest.approx(100.0 + LOCK_WAIT_S, abs=1.0)


def test_a_directory_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    unmade = RunDirectory(make_plan(PLAN, REGISTRY, tmp_path / "file" / "run"), REGISTRY)
    with pytest.raises(UserError, match=r"cannot be written .*; choose another directory with --out"):
        unmade.open(fresh=False, warn=pytest.fail)


def test_a_disk_that_is_full_from_the_start_is_told_and_the_directory_let_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    refused = RunDirectory(make_plan(PLAN, REGISTRY, tmp_path), REGISTRY)
    with monkeypatch.context() as patch:
        patch.setattr("sweeps.atomic_write.os.fsync", full)
        with pytest.raises(SinkFailed, match="No space left"):
            refused.open(fresh=False, warn=pytest.fail)
    assert not RunLayout(tmp_path).is_being_written()


def test_a_part_that_is_damaged_is_set_aside_before_its_tasks_are_asked_for(
    directory: RunDirectory, tmp_path: Path
) -> None:
    directory.add("s", [row()])
    directory.close()
    (part,) = (directory.path / "s").glob("part-*")
    part.write_bytes(part.read_bytes()[:-20])
    told: list[str] = []
    again = RunDirectory(make_plan(PLAN, REGISTRY, tmp_path), REGISTRY)
    again.open(fresh=False, warn=told.append)
    assert "kept as _part-000000.parquet.damaged, its tasks run again" in told[0]
    assert again.finished(Again(), pytest.fail).statuses == {}


def test_tasks_with_a_measurement_and_those_in_two_parts_are_counted(directory: RunDirectory) -> None:
    directory.add("s", [row(0), row(1) | {"status": "error"}])
    directory.flush()
    finished = directory.finished(Again(), pytest.fail)
    assert (finished.measured, finished.repeated) == (1, 0)
    assert finished.counts == {"s": {"ok": 1, "error": 1}}
    assert finished.left_failed == {"error": 1}
    (part,) = (directory.path / "s").glob("part-*")
    copy = part.with_name("part-000007.parquet")
    copy.write_bytes(part.read_bytes())
    assert directory.finished(Again(), pytest.fail).repeated == 2
    copy.unlink()
    finished = directory.finished(Again(("ok",)), pytest.fail)
    assert (finished.measured, finished.again, finished.statuses.keys()) == (
        0,
        {row(0)["task_id"]},
        {row(1)["task_id"]},
    )


def test_the_first_reason_to_stop_stays(directory: RunDirectory) -> None:
    for reason in ("the disk is full", "and then it was gone"):
        directory.stop(reason)
    assert directory.failure == "the disk is full"
