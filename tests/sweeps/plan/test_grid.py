"""A plan stands for the right tasks, in a seeded order, with stable ids."""

from dataclasses import replace

import pytest

from sweeps.errors import UserError
from sweeps.plan.spec import Spec
from tests.fakes import REGISTRY, faulty_spec, plan_of


def tasks(spec: Spec) -> list[tuple[int, str]]:
    return [(task.factors["index"], task.task_id) for _, task in plan_of(spec, REGISTRY).tasks()]  # type: ignore[misc]


def test_every_cell_once_a_round() -> None:
    spec = faulty_spec(index=list(range(5)), thing=["a", "b"])
    plan = plan_of(spec.model_copy(update={"sweep": [spec.sweep[0].model_copy(update={"rounds": 3})]}), REGISTRY)
    seen = [(task.round, task.factors["index"], task.factors["thing"]) for _, task in plan.tasks()]
    assert len(plan) == len(set(seen)) == 30
    assert len({task.task_id for _, task in plan.tasks()}) == 30
    assert len({task.cell_id for _, task in plan.tasks()}) == 10
    orders = [[number_and_thing for round_, *number_and_thing in seen if round_ == wanted] for wanted in range(3)]
    assert orders[0] != orders[1] != orders[2] != orders[0], "each round in a fresh order"
    assert [round_ for round_, _, _ in seen] == sorted(round_ for round_, _, _ in seen)


def test_order_is_shuffled_by_the_seed_and_recorded() -> None:
    levels = list(range(50))
    first, again, other = (tasks(faulty_spec(index=levels, seed=seed)) for seed in (1, 1, 2))
    assert first == again
    assert [index for index, _ in first] != levels
    assert [index for index, _ in first] != [index for index, _ in other]
    plan = plan_of(faulty_spec(index=levels), REGISTRY)
    assert [task.order_index for _, task in plan.tasks()] == levels


def test_identity_does_not_depend_on_order_or_on_other_cells() -> None:
    few = dict(tasks(faulty_spec(index=[3, 4])))
    many = dict(tasks(faulty_spec(index=[9, 4, 3, 1])))
    assert few.items() <= many.items()


def test_identity_changes_with_what_rows_mean() -> None:
    ids = {
        tasks(faulty_spec(**change))[0][1]  # type: ignore[arg-type]
        for change in ({}, {"seed": 1}, {"iterations": 2}, {"warmup": 1}, {"thing": ["b"]})
    }
    (one,) = faulty_spec().sweep
    other_name = Spec(name="other", sweep=[one.model_copy(update={"name": "t"})])
    same_sweep = Spec(name="other", sweep=[one])
    assert len(ids) == 5
    assert tasks(other_name)[0][1] not in ids
    assert tasks(same_sweep)[0][1] in ids, "the spec's name is that of a directory"
    (_, task), *_ = plan_of(faulty_spec(), REGISTRY).tasks()
    assert replace(task, benchmark="generation").task_id not in ids


def test_exclusions_are_left_out_and_counted() -> None:
    spec = faulty_spec(index=[0, 1, 2], thing=["a", "b"])
    rules = [{"index": [0, 1], "thing": "a"}, {"index": 2}]
    grid = plan_of(
        spec.model_copy(update={"sweep": [spec.sweep[0].model_copy(update={"exclude": rules})]}), REGISTRY
    ).grids[0]
    left = {(task.factors["index"], task.factors["thing"]) for task in map(grid.task, range(len(grid)))}
    assert left == {(0, "b"), (1, "b")}
    assert (len(grid.cells), grid.excluded) == (6, 4)


def test_numbers_run_through_all_sweeps() -> None:
    one = faulty_spec(index=[0, 1]).sweep[0]
    plan = plan_of(Spec(name="two", sweep=[one, one.model_copy(update={"name": "t"})]), REGISTRY)
    assert [(number, plan.task(number).sweep) for number in range(len(plan))] == [
        (0, "s"),
        (1, "s"),
        (2, "t"),
        (3, "t"),
    ]


def test_load_keys_differ_exactly_where_a_load_is_needed() -> None:
    plan = plan_of(faulty_spec(index=[0, 1], thing=["a", "b"]), REGISTRY)
    keys = {(task.load_key, task.factors["thing"]) for _, task in plan.tasks()}
    assert len(keys) == 2


def test_a_sweep_whose_rules_leave_nothing_is_refused() -> None:
    spec = faulty_spec(index=[0, 1])
    emptied = spec.sweep[0].model_copy(update={"exclude": [{"thing": "a"}]})
    with pytest.raises(UserError, match=r"leave none of its 2 cells.*--set s.exclude=\[\]"):
        plan_of(spec.model_copy(update={"sweep": [emptied]}), REGISTRY).check()
