"""Workers share the tasks that are left, and a worker that leaves gives its tasks back."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sweeps.planning import make_plan
from sweeps.schedule.coordinator import Coordinator
from sweeps.schedule.policy import Policy
from sweeps.task import Allocation, Answer, Run, Slot, Stop, TaskShard
from tests.fakes import Faulty, faulty_spec
from tests.sweeps.schedule.test_coordinator import SLOT, done, join, open_run, work


def test_a_worker_that_left_holds_no_model_any_longer(tmp_path: Path) -> None:
    coordinator = open_run(tmp_path, faulty_spec(index=[0, 1]))
    answer = coordinator.exchange(join(coordinator), [])
    assert isinstance(answer, Run)
    coordinator.deliver("w", [done(answer.leases[0])])
    coordinator.leave("w")
    assert coordinator.tick().workers == ()
    assert coordinator.tick().warnings == ()
    assert coordinator.tick().demand == {SLOT: 1}
    assert work(coordinator, join(coordinator, "other")) == 1


def test_a_worker_that_leaves_with_a_task_in_hand_gives_it_back(tmp_path: Path) -> None:
    coordinator = open_run(tmp_path, faulty_spec(index=[0]))
    assert isinstance(coordinator.exchange(join(coordinator), []), Run)
    coordinator.leave("w")
    answer = coordinator.exchange(join(coordinator, "other"), [])
    assert isinstance(answer, Run)
    assert answer.leases[0].attempt == 2


@pytest.mark.parametrize(("workers", "expected"), [(1, 4), (2, 2), (4, 1)])
def test_of_the_last_small_tasks_every_worker_of_the_slot_gets_its_share(
    workers: int, expected: int, tmp_path: Path
) -> None:
    coordinator = open_run(tmp_path, faulty_spec(index=list(range(9))))
    answer = coordinator.exchange(join(coordinator), [])
    for number in range(1, workers):
        join(coordinator, f"idle-{number}")
    assert isinstance(answer, Run)
    answer = coordinator.exchange("w", [done(answer.leases[0], duration_s=0.001)])
    assert isinstance(answer, Run)
    assert len(answer.leases) == expected, "half of a fair share of the eight tasks that are left"


def test_the_last_task_goes_to_a_fast_newcomer_though_a_slow_one_would_not_get_it(tmp_path: Path) -> None:
    coordinator = open_run(tmp_path, faulty_spec(index=list(range(5)), device=["gpu"]))

    def ask(name: str, device_class: str, *durations_s: float) -> Answer:
        """Join, and run so many tasks, the first of them with a load."""
        coordinator.join(Allocation(name, Slot("gpu", 1, 1), "here", device_class, device_class), {}, "e")
        answer = coordinator.exchange(name, [])
        for number, duration_s in enumerate(durations_s):
            assert isinstance(answer, Run)
            outcome = replace(done(answer.leases[0], duration_s), loads=int(number == 0))
            answer = coordinator.exchange(name, [outcome])
        return answer

    assert isinstance(ask("slow", "tesla-k80", 21.0, 10.0), Run)
    assert isinstance(ask("fast", "gtx-1070", 3.0), Run)
    coordinator.lost("fast", "worker_lost", "its task, the last one, waits again")
    assert isinstance(ask("another slow one", "tesla-k80"), Stop)
    assert isinstance(ask("fast again", "gtx-1070"), Run)


class _WithTexts(Faulty):
    def fetch(self, shard: TaskShard) -> TaskShard:
        return replace(shard, content="the texts themselves")


def test_a_worker_that_cannot_see_a_corpus_gets_its_texts_from_where_the_run_was_started(tmp_path: Path) -> None:
    registry: Any = {"noop": _WithTexts()}
    plan = make_plan(faulty_spec(), registry, tmp_path)
    coordinator, task = Coordinator(plan, registry, Policy()), plan.task(0)
    shard = TaskShard("texts:0+3", "a path", frozenset("b"))
    assert coordinator.fetch(replace(task, shard=shard)) == replace(shard, content="the texts themselves")
    with pytest.raises(ValueError, match="without a shard has no data"):
        coordinator.fetch(task)
