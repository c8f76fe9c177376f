"""Tasks leased at once: more where workers are many, never more than a worker's share, none kept in vain."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from actors.devices.nodes import Node
from bench.many_workers import leased_by_time_alone, metered
from bench.simulation import Costs, simulate
from sweeps.schedule.coordinator import Coordinator
from sweeps.schedule.lease_size import LEASE_S, MAX_LEASED, OVERRUN
from sweeps.schedule.queue import TaskQueue
from sweeps.task import Allocation, Run, Stop, Task
from tests.fakes import REGISTRY, faulty_spec
from tests.sweeps.schedule.test_coordinator import done, join, open_run, rows


def leased(coordinator: Coordinator, worker: str, task_s: float, times: int = 20) -> int:
    """Have a worker do tasks of that length; return how many it then gets at once."""
    answer = coordinator.exchange(worker, [])
    for _ in range(times):
        assert isinstance(answer, Run)
        answer = coordinator.exchange(worker, [done(lease, task_s) for lease in answer.leases])
    assert isinstance(answer, Run)
    return len(answer.leases)


def test_few_workers_get_what_lasts_a_moment(tmp_path: Path) -> None:
    coordinator = open_run(tmp_path, faulty_spec(index=list(range(3000))))
    assert leased(coordinator, join(coordinator, "quick"), 0.05) == int(LEASE_S / 0.05)
    assert leased(coordinator, join(coordinator, "slow"), 10.0) == 1
    coordinator.close()


def test_many_workers_get_more_at_once_by_how_long_a_task_takes(tmp_path: Path) -> None:
    coordinator = open_run(tmp_path, faulty_spec(index=list(range(60_000))))
    for number in range(1000):
        join(coordinator, f"idle {number}")
    second, tenth, hour = (
        leased(coordinator, join(coordinator, name), s) for name, s in (("a", 1), ("b", 0.1), ("c", 3600))
    )
    assert 5 < second < tenth <= MAX_LEASED
    assert hour == 1
    coordinator.close()


def test_a_worker_that_hands_in_early_keeps_its_share_and_others_get_the_rest(tmp_path: Path) -> None:
    coordinator = open_run(tmp_path, faulty_spec(index=list(range(400))))
    worker = join(coordinator)
    assert leased(coordinator, worker, 0.001, times=5) > 1
    answer = coordinator.exchange(worker, [])
    assert isinstance(answer, Run)
    assert answer.budget_s == pytest.approx(OVERRUN * LEASE_S)
    first, *rest = answer.leases
    kept = coordinator.exchange(worker, [done(first, 600.0)])
    assert isinstance(kept, Run)
    assert kept.leases == tuple(rest[:1]), "ten minutes a task: one at a time"
    other = coordinator.exchange(join(coordinator, "other"), [])
    assert isinstance(other, Run)
    assert other.leases[0] == rest[1], "what was given back comes first, as the same attempt"
    coordinator.close()


@pytest.mark.parametrize("ends", ["asked to stop", "input changed"])
def test_a_worker_that_hands_in_early_when_the_run_ends_leaves_in_good_order(ends: str, tmp_path: Path) -> None:
    coordinator = open_run(tmp_path, faulty_spec(index=list(range(400))))
    worker = join(coordinator)
    assert leased(coordinator, worker, 0.001, times=5) > 1
    answer = coordinator.exchange(worker, [])
    assert isinstance(answer, Run)
    first, *rest = answer.leases
    assert rest
    outcome = done(first, 600.0)
    if ends == "asked to stop":
        coordinator.drain("asked to stop")
    else:
        outcome = replace(outcome, rows=(), changed="an input changed")
    assert isinstance(coordinator.exchange(worker, [outcome]), Stop)
    coordinator.leave(worker)
    assert not any("is gone" in warning for warning in coordinator.close().warnings)


def test_an_answer_that_got_lost_is_the_same_again(tmp_path: Path) -> None:
    coordinator = open_run(tmp_path, faulty_spec(index=list(range(64))))
    worker = join(coordinator)
    leased(coordinator, worker, 0.001, times=5)
    assert coordinator.exchange(worker, []) == coordinator.exchange(worker, [])
    coordinator.close()


def test_every_task_is_done_once_however_early_workers_hand_in(tmp_path: Path) -> None:
    coordinator = open_run(tmp_path, faulty_spec(index=list(range(200))))
    workers = [join(coordinator, name) for name in ("a", "b", "c")]
    answers = {worker: coordinator.exchange(worker, []) for worker in workers}
    turn = 0
    while any(isinstance(answer, Run) for answer in answers.values()):
        for worker, answer in answers.items():
            turn += 1
            if isinstance(answer, Run):
                some = answer.leases[: 1 + turn % 3]
                answers[worker] = coordinator.exchange(
                    worker, [done(lease, 0.001 * 10 ** (turn % 4)) for lease in some]
                )
    coordinator.close()
    assert Counter(row["index"] for row in rows(tmp_path)) == Counter(range(200))


def test_the_time_limit_of_leases_starts_anew_when_some_are_handed_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    coordinator = open_run(tmp_path, faulty_spec(index=list(range(400))), timeout_s=100.0)
    worker = join(coordinator)
    leased(coordinator, worker, 0.001, times=5)
    now_s = [1e6]
    monkeypatch.setattr("sweeps.schedule.coordinator.time.monotonic", lambda: now_s[0])
    answer = coordinator.exchange(worker, [])
    assert isinstance(answer, Run)
    now_s[0] += 150.0
    kept = coordinator.exchange(worker, [done(answer.leases[0], 150.0)])
    assert isinstance(kept, Run)
    assert len(kept.leases) == 1
    now_s[0] += 90.0
    assert coordinator.overdue() == []
    now_s[0] += 20.0
    assert coordinator.overdue() == [worker]
    coordinator.close()


def test_what_is_given_back_keeps_the_attempts_of_earlier_workers() -> None:
    queue: TaskQueue[str] = TaskQueue({("cpu", "m"): [1]})
    queue.lease("killed", "cpu")
    queue.reclaim("killed", {1: ("cpu", "m")})
    assert queue.lease("w", "cpu") == [(1, 2)]
    queue.give_back("w", {1: ("cpu", "m")})
    assert queue.lease("w", "cpu") == [(1, 2)]


def test_what_is_given_back_has_used_up_no_attempt() -> None:
    queue: TaskQueue[str] = TaskQueue({("cpu", "m"): [1, 2, 3]})
    assert queue.lease("w", "cpu", 3) == [(1, 1), (2, 1), (3, 1)]
    queue.give_back("w", {2: ("cpu", "m"), 3: ("cpu", "m")})
    assert queue.leases("w") == {1: 1}
    assert queue.lease("v", "cpu", 3, lambda group: group.pending) == [(2, 1), (3, 1)]


@pytest.mark.slow
@pytest.mark.parametrize("task_s", [1.0, 60.0])
def test_unlike_workers_end_together_and_ask_less_often(task_s: float, tmp_path: Path) -> None:
    """300 workers, every third of them twice as fast."""
    workers = 300
    spec = faulty_spec(index=list(range(int(12_000 / task_s) + 900)))
    node = Node("n", "here", "a place to wait", tuple(range(workers)))

    def speed(allocation: Allocation) -> float:
        return 2.0 if int(allocation.worker_id.rpartition("-")[2]) % 3 == 0 else 1.0

    def duration_s(_task: Task, allocation: Allocation) -> float:
        return task_s / speed(allocation)

    costs = Costs(task_s=duration_s, load_s=lambda _task, _allocation: 0.0)
    with metered() as meter:
        run = simulate(spec, REGISTRY, [node], costs, tmp_path / "after")
    with leased_by_time_alone(), metered() as alone:
        simulate(spec, REGISTRY, [node], costs, tmp_path / "before")
    tasks = run.counts["ok"]
    longest_s = task_s  # nobody can end earlier than the last task of a slow worker lets it
    assert run.makespan_s <= 1.1 * tasks * task_s / (workers * 4 / 3) + longest_s
    assert meter.calls < alone.calls if task_s == 1.0 else meter.calls == alone.calls
