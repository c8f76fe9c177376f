"""Queue and sink as one: every task's rows are on disk exactly once, whatever happens to workers and runs."""

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.dataset as ds
import pytest

from sweeps.errors import SpecChanged, UserError
from sweeps.plan.spec import Spec
from sweeps.planning import make_plan
from sweeps.run_layout import RunLayout
from sweeps.schedule import coordinator as coordinator_module
from sweeps.schedule.coordinator import Coordinator
from sweeps.schedule.policy import Policy
from sweeps.schema import COLUMNS
from sweeps.store import run_directory
from sweeps.store.finished import Again
from sweeps.store.rows import measured_row
from sweeps.task import Allocation, Lease, Outcome, Run, Slot, Stop, Wait
from tests.fakes import REGISTRY, faulty_spec

SLOT = Slot("cpu", 0, 1)


def open_run(directory: Path, spec: Spec, **policy: Any) -> Coordinator:
    coordinator = Coordinator(make_plan(spec, REGISTRY, directory), REGISTRY, Policy(**policy))
    coordinator.open()
    return coordinator


def join(coordinator: Coordinator, name: str = "w", host: str = "here") -> str:
    coordinator.join(Allocation(name, SLOT, host, "cpu", "a CPU"), {"host": host}, f"environment of {host}")
    return name


def done(lease: Lease, duration_s: float = 1.0) -> Outcome:
    rows = (measured_row(lease, COLUMNS["noop"], 0, {}, {}),)
    return Outcome(lease.task.task_id, lease.attempt, rows, loads=1, duration_s=duration_s)


def work(coordinator: Coordinator, worker: str, tasks: int = 1_000_000) -> int:
    """Pull and finish up to `tasks` tasks; how many it were."""
    answer = coordinator.exchange(worker, [])
    finished = 0
    while isinstance(answer, Run) and finished < tasks:
        finished += len(answer.leases)
        outcomes = list(map(done, answer.leases))
        if finished >= tasks:
            coordinator.deliver(worker, outcomes)
            break
        answer = coordinator.exchange(worker, outcomes)
    return finished


def rows(directory: Path) -> list[dict[str, Any]]:
    return ds.dataset(sorted(directory.glob("s/part-*.parquet"))).to_table().to_pylist()  # type: ignore[no-any-return]


def test_a_run_from_start_to_end(tmp_path: Path) -> None:
    coordinator = open_run(tmp_path, faulty_spec(index=list(range(7))))
    assert work(coordinator, join(coordinator)) == 7
    status = coordinator.close()
    assert (status.done, status.left, status.counts, status.loads) == (7, 0, {"ok": 7}, 7)
    assert sorted(row["index"] for row in rows(tmp_path)) == list(range(7))


def test_a_second_run_does_what_is_left(tmp_path: Path) -> None:
    spec = faulty_spec(index=list(range(7)))
    first = open_run(tmp_path, spec)
    work(first, join(first), tasks=3)
    first.close()
    second = open_run(tmp_path, spec)
    assert second.status().done_before == 3
    assert work(second, join(second)) == 4
    second.close()
    assert Counter(row["index"] for row in rows(tmp_path)) == Counter(range(7))


def test_rows_not_flushed_are_not_done(tmp_path: Path) -> None:
    spec = faulty_spec(index=[0, 1])
    first = open_run(tmp_path, spec)
    work(first, join(first), tasks=1)
    first._directory._lock.release()  # as if killed
    assert open_run(tmp_path, spec).status().done == 0


def test_added_cells_are_welcome_and_others_kept(tmp_path: Path) -> None:
    first = open_run(tmp_path, faulty_spec(index=[0, 1]))
    work(first, join(first))
    first.close()
    second = open_run(tmp_path, faulty_spec(index=[5, 1, 0]))
    assert work(second, join(second)) == 1


@pytest.mark.parametrize("change", [{"index": [0, 2]}, {"seed": 1}, {"iterations": 1}, {"thing": ["b"]}])
def test_a_changed_spec_is_refused_with_the_difference(change: dict[str, Any], tmp_path: Path) -> None:
    first = open_run(tmp_path, faulty_spec(index=[0, 1], iterations=2))
    work(first, join(first))
    first.close()
    with pytest.raises(SpecChanged) as caught:
        open_run(tmp_path, faulty_spec(**({"index": [0, 1], "iterations": 2} | change)))
    assert "this spec" in str(caught.value)
    assert next(iter(change)) in str(caught.value)


def test_a_spec_that_left_no_rows_may_change(tmp_path: Path) -> None:
    open_run(tmp_path, faulty_spec(index=[0])).close()
    open_run(tmp_path, faulty_spec(index=[9])).close()


def test_fresh_refuses_to_continue(tmp_path: Path) -> None:
    spec = faulty_spec(index=[0])
    first = open_run(tmp_path, spec, fresh=True)
    work(first, join(first))
    first.close()
    with pytest.raises(UserError, match="--fresh was asked for, but rows are there"):
        open_run(tmp_path, spec, fresh=True)


def test_two_runs_in_one_directory_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_directory, "LOCK_WAIT_S", 0.01)
    spec = faulty_spec()
    first = open_run(tmp_path, spec)
    assert RunLayout(tmp_path).is_being_written()
    with pytest.raises(UserError, match="another run is writing there"):
        open_run(tmp_path, spec)
    first.close()


def test_before_anything_starts_a_run_that_writes_there_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    run_directory.wait_until_free(tmp_path, told.append)
    assert told == []
    first = open_run(tmp_path, faulty_spec())
    run_directory.wait_until_free(tmp_path, lambda message: told.append(message) or first.close())
    assert "waiting for at most 30 s" in told[0]
    monkeypatch.setattr(run_directory, "LOCK_WAIT_S", 0.01)
    second = open_run(tmp_path, faulty_spec())
    with pytest.raises(UserError, match="another run is writing there"):
        run_directory.wait_until_free(tmp_path, told.append)
    second.close()


def test_retry_runs_those_again_and_replaces_their_rows(tmp_path: Path) -> None:
    spec = faulty_spec(index=[0, 1])
    first = open_run(tmp_path, spec)
    assert work(first, join(first), tasks=1) == 1
    for _ in range(3):
        join(first)
        assert isinstance(first.exchange("w", []), Run)
        first.lost("w", "worker_lost", "killed")
    first.close()
    assert sorted(row["status"] for row in rows(tmp_path)) == ["ok", "worker_lost"]
    second = open_run(tmp_path, spec, again=Again(("worker_lost",)))
    assert work(second, join(second)) == 1
    second.close()
    assert Counter(row["status"] for row in rows(tmp_path)) == {"ok": 2}


def test_a_task_that_kills_three_workers_becomes_a_row(tmp_path: Path) -> None:
    coordinator = open_run(tmp_path, faulty_spec(index=[4]))
    for attempt in (1, 2, 3):
        answer = coordinator.exchange(join(coordinator), [])
        assert isinstance(answer, Run)
        assert answer.leases[0].attempt == attempt
        assert coordinator.lost("w", "worker_lost", "process killed") == 1
    assert isinstance(coordinator.exchange(join(coordinator), []), Stop)
    coordinator.close()
    (row,) = rows(tmp_path)
    assert (row["status"], row["attempt"], row["index"]) == ("worker_lost", 3, 4)
    assert row["error_message"] == "process killed"
    assert coordinator.status().warnings == ("worker w is gone: process killed",) * 3


def test_a_late_answer_is_dropped(tmp_path: Path) -> None:
    coordinator = open_run(tmp_path, faulty_spec(index=[0]))
    slow = coordinator.exchange(join(coordinator, "slow"), [])
    assert isinstance(slow, Run)
    coordinator.lost("slow", "timeout", "over its limit")
    assert work(coordinator, join(coordinator, "other")) == 1
    assert isinstance(coordinator.exchange("slow", [done(slow.leases[0])]), Stop)
    coordinator.leave("slow")
    coordinator.close()
    assert len(rows(tmp_path)) == 1


def test_what_nobody_offers_becomes_unavailable_rows(tmp_path: Path) -> None:
    coordinator = open_run(tmp_path, faulty_spec(index=[0, 1], cpu_cores=[1, 64]))
    coordinator.reject(Slot("cpu", 0, 64), "unavailable", "no node has 64 cores")
    status = coordinator.status()
    assert (status.counts, status.untried) == ({"unavailable": 2}, 2)
    assert coordinator.tick().demand == {SLOT: 2}
    coordinator.close()
    assert {(row["status"], row["error_message"], row["cpu_cores"], row["attempt"]) for row in rows(tmp_path)} == {
        ("unavailable", "no node has 64 cores", 64, 1)
    }


def test_an_answer_that_got_lost_is_given_again(tmp_path: Path) -> None:
    coordinator = open_run(tmp_path, faulty_spec(index=[0, 1]))
    first = coordinator.exchange(join(coordinator), [])
    assert isinstance(first, Run)
    assert coordinator.exchange("w", []) == first
    outcomes = [done(first.leases[0])]
    second = coordinator.exchange("w", outcomes)
    assert coordinator.exchange("w", outcomes) == second, "and rows that come twice are taken once"
    assert isinstance(second, Run)
    coordinator.exchange("w", [done(second.leases[0])])
    coordinator.close()
    assert len(rows(tmp_path)) == 2


def test_after_drain_nobody_gets_a_task_but_rows_still_count(tmp_path: Path) -> None:
    coordinator = open_run(tmp_path, faulty_spec(index=[0, 1]))
    answer = coordinator.exchange(join(coordinator), [])
    assert isinstance(answer, Run)
    for _ in range(2):  # its answer may get lost
        coordinator.drain("enough")
        assert coordinator.tick().warnings == ("enough",)
    assert isinstance(coordinator.exchange("w", [done(answer.leases[0])]), Stop)
    assert coordinator.tick().demand == {}
    coordinator.close()
    assert len(rows(tmp_path)) == 1


def test_node_isolation_runs_one_task_a_host_at_a_time(tmp_path: Path) -> None:
    coordinator = open_run(tmp_path, faulty_spec(index=list(range(9))), isolation="node")
    first = coordinator.exchange(join(coordinator, "a"), [])
    assert isinstance(first, Run)
    assert isinstance(coordinator.exchange(join(coordinator, "b"), []), Wait)
    assert isinstance(coordinator.exchange(join(coordinator, "far", host="there"), []), Run)
    coordinator.deliver("a", [done(first.leases[0])])
    assert isinstance(coordinator.exchange("b", []), Run)


def test_neighbours_are_the_busy_workers_of_the_host(tmp_path: Path) -> None:
    coordinator = open_run(tmp_path, faulty_spec(index=list(range(9))))
    answers = [coordinator.exchange(join(coordinator, name, host), []) for name, host in zip("abc", "xxy", strict=True)]
    assert [answer.neighbours for answer in answers if isinstance(answer, Run)] == [0, 1, 0]


def test_small_tasks_are_leased_together_slow_ones_alone(tmp_path: Path) -> None:
    coordinator = open_run(tmp_path, faulty_spec(index=list(range(400))))
    answer = coordinator.exchange(join(coordinator), [])
    sizes = []
    for duration_s in (0.001, 0.001, 10.0, 10.0, 10.0):
        assert isinstance(answer, Run)
        sizes.append(len(answer.leases))
        answer = coordinator.exchange("w", [done(lease, duration_s) for lease in answer.leases])
    assert sizes[0] == 1, "nothing is known yet"
    assert sizes[1] > 10
    assert isinstance(answer, Run)
    assert len(answer.leases) == 1


def test_overdue_counts_all_leased_tasks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    coordinator = open_run(tmp_path, faulty_spec(index=list(range(9))), timeout_s=10.0)
    now_s = [100.0]
    monkeypatch.setattr(coordinator_module.time, "monotonic", lambda: now_s[0])
    answer = coordinator.exchange(join(coordinator), [])
    join(coordinator, "idle")
    now_s[0] = 109.0
    assert coordinator.overdue() == []
    now_s[0] = 111.0
    assert coordinator.overdue() == ["w"]
    assert isinstance(answer, Run)
    answer = coordinator.exchange("w", [done(answer.leases[0], duration_s=0.1)])
    assert isinstance(answer, Run)
    assert len(answer.leases) == 2
    now_s[0] += 19.0
    assert coordinator.overdue() == []
    now_s[0] += 2.0
    assert coordinator.overdue() == ["w"], "and an idle worker never is"


def test_a_disk_that_is_full_stops_the_run_and_loses_nothing_that_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = faulty_spec(index=list(range(4)))
    coordinator = open_run(tmp_path, spec)
    work(coordinator, join(coordinator), tasks=1)
    coordinator.drain("enough")
    coordinator.close()
    second = open_run(tmp_path, spec)
    monkeypatch.setattr("sweeps.atomic_write.os.fsync", _full_disk)
    answer = second.exchange(join(second), [])
    assert isinstance(answer, Run)
    second.deliver("w", [done(answer.leases[0])])
    second._directory.flush()
    assert "No space left" in str(second.status().failure)
    assert second.status().demand == {}
    assert isinstance(second.exchange("w", []), Stop)
    monkeypatch.undo()
    second.close()
    assert len(rows(tmp_path)) == 2, "space came back before the end: the waiting row was written after all"


def _full_disk(_descriptor: int) -> None:
    raise OSError(28, "No space left on device")


def test_a_run_counts_the_time_from_its_first_worker(tmp_path: Path) -> None:
    coordinator = open_run(tmp_path, faulty_spec())
    assert coordinator.status().elapsed_s == 0.0
    join(coordinator)
    assert coordinator.status().elapsed_s > 0.0


def test_what_a_run_waits_for_is_part_of_its_status(tmp_path: Path) -> None:
    coordinator = open_run(tmp_path, faulty_spec())
    coordinator.wait_for("another run has the GPU")
    assert coordinator.status().waiting_for == "another run has the GPU"
    assert coordinator.status().waiting == {SLOT: 1}


def test_environments_are_kept_apart(tmp_path: Path) -> None:
    spec = faulty_spec(index=[0])
    first = open_run(tmp_path, spec)
    join(first, host="one")
    first.close()
    second = open_run(tmp_path, spec)
    join(second, host="two")
    stored = (tmp_path / "s" / "_environment.json").read_text()
    assert "environment of one" in stored
    assert "environment of two" in stored


def test_an_outcome_for_another_attempt_is_not_taken(tmp_path: Path) -> None:
    coordinator = open_run(tmp_path, faulty_spec(index=[0]))
    answer = coordinator.exchange(join(coordinator), [])
    assert isinstance(answer, Run)
    coordinator.deliver("w", [replace(done(answer.leases[0]), attempt=2)])
    assert coordinator.status().done == 0
