"""The queue alone: affinity, leases, attempts, and that no task is ever lost or done twice."""

import itertools
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sweeps.schedule.queue import TaskQueue

SLOT = "cpu"


def queue_of(**groups: list[int]) -> TaskQueue[str]:
    return TaskQueue({(SLOT, key): tasks for key, tasks in groups.items()})


def groups_of(queue_groups: dict[str, list[int]]) -> dict[int, tuple[str, str]]:
    return {task: (SLOT, key) for key, tasks in queue_groups.items() for task in tasks}


def test_tasks_of_a_group_come_in_the_order_given() -> None:
    queue = queue_of(m=[3, 1, 2])
    assert [queue.lease("w", SLOT) for _ in range(4)] == [[(3, 1)], [(1, 1)], [(2, 1)], []]


def test_a_worker_stays_with_the_model_it_holds() -> None:
    queue = queue_of(small=[1, 2], large=[10, 11, 12])
    taken = [queue.lease("w", SLOT)[0][0] for _ in range(5)]
    assert taken == [10, 11, 12, 1, 2]


def test_a_second_worker_starts_on_another_model_until_sharing_pays() -> None:
    queue = queue_of(a=[1, 2, 3, 4], b=[5, 6])
    assert queue.lease("first", SLOT) == [(1, 1)]
    assert queue.lease("second", SLOT) == [(5, 1)], "three tasks shared by two are fewer than two for one"
    assert queue.lease("third", SLOT) == [(2, 1)]


def test_slots_do_not_mix() -> None:
    queue: TaskQueue[str] = TaskQueue({("cpu", "m"): [1], ("gpu", "m"): [2]})
    assert queue.lease("w", "gpu") == [(2, 1)]
    assert queue.lease("w", "gpu") == []
    assert queue.demand() == {"cpu": 1}


def test_several_are_leased_from_one_group_only() -> None:
    queue = queue_of(a=[1, 2, 3], b=[4])
    assert queue.lease("w", SLOT, limit=10) == [(1, 1), (2, 1), (3, 1)]


def test_a_task_that_kills_its_worker_runs_three_times() -> None:
    queue = queue_of(m=[1])
    for attempt in (1, 2):
        assert queue.lease("w", SLOT) == [(1, attempt)]
        assert queue.reclaim("w", {1: (SLOT, "m")}).requeued == (1,)
    assert queue.lease("w", SLOT) == [(1, 3)]
    assert queue.reclaim("w", {1: (SLOT, "m")}).given_up == ((1, 3),)
    assert queue.lease("w", SLOT) == []


def test_tasks_lost_together_are_not_charged_and_run_alone_afterwards() -> None:
    queue = queue_of(m=[1, 2, 3])
    assert len(queue.lease("w", SLOT, limit=3)) == 3
    assert set(queue.reclaim("w", groups_of({"m": [1, 2, 3]})).requeued) == {1, 2, 3}
    for _ in range(3):
        lease = queue.lease("w2", SLOT, limit=3)
        assert [attempt for _, attempt in lease] == [1]
        assert queue.finish("w2", *lease[0])


def test_a_late_answer_is_refused() -> None:
    queue = queue_of(m=[1])
    queue.lease("slow", SLOT)
    queue.reclaim("slow", {1: (SLOT, "m")})
    assert not queue.finish("slow", 1, 1)
    assert queue.lease("other", SLOT) == [(1, 2)]
    assert not queue.finish("slow", 1, 1)
    assert queue.finish("other", 1, 2)
    assert not queue.finish("other", 1, 2), "twice is late too"


def test_what_killed_a_worker_goes_behind_the_rest() -> None:
    queue = queue_of(m=[1, 2])
    queue.lease("w", SLOT)
    queue.reclaim("w", {1: (SLOT, "m")})
    assert queue.lease("w2", SLOT) == [(2, 1)]


def test_what_may_have_killed_a_worker_is_leased_neither_behind_others_nor_before_them() -> None:
    queue = queue_of(m=[1, 2, 3])
    queue.lease("w", SLOT)
    queue.reclaim("w", {1: (SLOT, "m")})
    queue.requeue(9, SLOT, "m")
    assert queue.lease("w2", SLOT, limit=4) == [(2, 1), (3, 1)]
    assert queue.lease("w3", SLOT, limit=4) == [(1, 2)]
    assert queue.lease("w3", SLOT, limit=4) == [(9, 1)]


def test_a_finished_task_that_comes_back_starts_afresh() -> None:
    """The rest of the task runs on another slot, where it has killed no worker yet."""
    queue = queue_of(m=[1])
    queue.lease("w", SLOT)
    queue.reclaim("w", {1: (SLOT, "m")})
    assert queue.finish("w2", *queue.lease("w2", SLOT)[0])
    for task in (1, 2):
        queue.requeue(task, "larger", "m")
    assert queue.lease("w3", "larger", limit=2) == [(1, 1), (2, 1)]


def test_a_model_that_nobody_holds_goes_before_a_larger_one_that_is_held() -> None:
    queue = queue_of(a=list(range(1, 10)), b=[20])
    queue.lease("first", SLOT)
    assert queue.lease("second", SLOT, extra_workers=lambda group: 9) == [(20, 1)]
    assert queue_of(a=[1]).lease("w", SLOT, extra_workers=lambda group: 0) == [(1, 1)], "nobody else would"


def test_a_held_model_is_shared_where_most_tasks_are_left_for_each_worker() -> None:
    queue = queue_of(a=list(range(6)), b=list(range(10, 19)))
    assert queue.lease("b1", SLOT) == [(10, 1)]
    assert queue.lease("a1", SLOT) == [(0, 1)]
    assert queue.lease("b2", SLOT) == [(11, 1)], "eight tasks for two"
    assert queue.lease("a2", SLOT) == [(1, 1)], "five for two are more than seven for three"


def test_demand_is_one_worker_for_a_model_that_nobody_holds_and_what_pays_for_others() -> None:
    queue = queue_of(a=[1, 2, 3])
    assert queue.demand(lambda group: 0) == {SLOT: 1}
    queue.lease("w", SLOT)
    assert queue.demand(lambda group: 0) == {}
    assert queue.demand(lambda group: group.pending + group.leased + len(group.holders)) == {SLOT: 2 + 1 + 1}


def test_a_slot_is_unheld_while_some_model_of_its_pending_tasks_is_held_by_nobody() -> None:
    queue: TaskQueue[str] = TaskQueue({("cpu", "a"): [1, 2], ("cpu", "b"): [3], ("gpu", "a"): [4]})
    assert queue.unheld_slots() == ["cpu", "gpu"]
    queue.lease("w", "cpu")
    assert queue.unheld_slots() == ["cpu", "gpu"], "b"
    queue.lease("v", "cpu")
    queue.lease("u", "gpu")
    assert queue.unheld_slots() == []
    assert queue.pending_by_slot() == {"cpu": 1}
    for worker in ("w", "u"):
        queue.forget(worker)
    assert queue.unheld_slots() == ["cpu"], "of the other one nothing is pending"


def test_dropping_a_slot_gives_its_tasks_in_order() -> None:
    queue = queue_of(a=[5, 6], b=[7])
    assert queue.cancel_slot(SLOT) == [5, 6, 7]
    assert queue.demand() == {}


@given(
    sizes=st.lists(st.integers(0, 8), min_size=1, max_size=4),
    workers=st.integers(1, 4),
    limit=st.integers(1, 5),
    seed=st.integers(0, 10_000),
)
@settings(max_examples=150, deadline=None)
def test_every_task_ends_exactly_once_whatever_dies(sizes: list[int], workers: int, limit: int, seed: int) -> None:
    names = iter(range(1000))
    groups = {f"m{i}": [next(names) for _ in range(size)] for i, size in enumerate(sizes)}
    everything, group_of = groups_of(groups).keys(), groups_of(groups)
    queue = TaskQueue({(SLOT, key): tasks for key, tasks in groups.items()})
    chance = random.Random(seed)
    ended: list[int] = []
    while queue.demand() or queue.busy():
        worker = f"w{chance.randrange(workers)}"
        leases = queue.leases(worker)
        if leases and chance.random() < 0.4:
            ended += [task for task, _ in queue.reclaim(worker, group_of).given_up]
        elif leases:
            task, attempt = chance.choice(sorted(leases.items()))
            assert queue.finish(worker, task, attempt)
            ended.append(task)
        else:
            assert all(1 <= attempt <= 3 for _, attempt in queue.lease(worker, SLOT, limit))
    assert sorted(ended) == sorted(everything)


@pytest.mark.parametrize("models", [2, 5])
def test_loads_are_as_few_as_models_for_one_worker(models: int) -> None:
    queue = queue_of(**{f"m{i}": list(range(10 * i, 10 * i + 10)) for i in range(models)})
    seen = [task // 10 for _ in range(10 * models) for task, _ in queue.lease("w", SLOT)]
    changes = sum(a != b for a, b in itertools.pairwise(seen))
    assert changes == models - 1
