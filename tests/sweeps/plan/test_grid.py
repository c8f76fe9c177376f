"""A plan stands for the right tasks, in a seeded order, with stable ids."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import pytest
from pydantic import Field

from actors.benchmarks import BENCHMARKS
from sweeps.errors import UserError
from sweeps.plan.declaration import ADDED_LATER, Factors
from sweeps.plan.spec import Spec, Sweep
from sweeps.task import NO_LOAD, TaskShard
from tests.fakes import REGISTRY, Faulty, FaultyFactors, faulty_spec, plan_of


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


def test_shards_of_texts_are_leased_in_the_order_of_their_corpus(tmp_path: Path) -> None:
    path = tmp_path / "texts.jsonl"
    path.write_text("".join(json.dumps({"text": f"text {number}"}) + "\n" for number in range(40)))
    levels = BENCHMARKS["binoculars"].factors(  # type: ignore[call-arg]
        pair=["a", "b"], corpus={"path": str(path), "text": "text"}, shard_records=2, device="cpu", cpu_cores=1
    )
    factors = {name: [level] for name, level in levels.model_dump().items()}
    sweep = Sweep(name="s", benchmark="binoculars", iterations=1, warmup=0, factors=factors)
    plan = plan_of(Spec(name="texts", sweep=[sweep]), BENCHMARKS)
    names = [task.shard.name for _, task in plan.tasks() if task.shard is not None]
    assert len(names) == 20
    assert names == sorted(names, key=lambda name: int(re.findall(r":(\d+)\+", name)[0]))


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


def test_identity_of_a_shard_is_its_name_wherever_the_data_lie() -> None:
    (_, task), *_ = plan_of(faulty_spec(), REGISTRY).tasks()
    shards = [
        TaskShard("texts:0+3", "/here"),
        TaskShard("texts:0+3", "/there", frozenset("b")),
        TaskShard("x", "/here"),
    ]
    here, there, other = (replace(task, shard=shard).task_id for shard in shards)
    assert here == there
    assert len({task.task_id, here, other}) == 3


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
    assert len(keys) == len({load_key for load_key, _ in keys}) == 2
    assert all(task.loads for _, task in plan.tasks())


def test_what_needs_nothing_in_memory_has_no_load_key() -> None:
    levels: dict[str, list[Any]] = {"device": ["cpu"], "cpu_cores": [1], "index": [0, 1], "wait_s": [0.0]}
    plan = plan_of(Spec(name="idle", sweep=[Sweep(name="s", benchmark="noop", factors=levels)]), BENCHMARKS)
    assert {(task.load_key, task.loads) for _, task in plan.tasks()} == {(NO_LOAD, False)}


def test_the_label_of_a_task_shows_the_factors_that_vary() -> None:
    plan = plan_of(faulty_spec(index=[0, 1], thing=["a", "b"]), REGISTRY)
    assert sorted(task.label for _, task in plan.tasks()) == [
        f"s index={index} thing={thing}" for index in (0, 1) for thing in ("a", "b")
    ]


class _GrownFactors(FaultyFactors):
    added: int = Field(default=0, json_schema_extra=ADDED_LATER)


class _Grown(Faulty):
    factors: ClassVar[type[Factors]] = _GrownFactors


def test_rows_from_before_a_factor_existed_are_those_of_its_default() -> None:
    before = dict(tasks(faulty_spec(index=[0, 1])))
    plan = plan_of(faulty_spec(index=[0, 1], added=[0, 1]), {"noop": _Grown()})
    after = {(task.factors["index"], task.factors["added"]): task.task_id for _, task in plan.tasks()}
    assert {index: after[index, 0] for index in (0, 1)} == before
    assert len(set(after.values())) == 4


def test_a_sweep_whose_rules_leave_nothing_is_refused() -> None:
    spec = faulty_spec(index=[0, 1])
    emptied = spec.sweep[0].model_copy(update={"exclude": [{"thing": "a"}]})
    with pytest.raises(UserError, match=r"leave none of its 2 cells.*--set s.exclude=\[\]"):
        plan_of(spec.model_copy(update={"sweep": [emptied]}), REGISTRY).check()


def test_more_tasks_than_numbers_are_kept_for_are_refused() -> None:
    (one,) = faulty_spec(index=list(range(51))).sweep
    with pytest.raises(UserError, match="more than 50,000,000 tasks"):
        plan_of(Spec(name="much", sweep=[one.model_copy(update={"rounds": 1_000_000})]), REGISTRY)


def test_more_cells_than_fit_are_refused() -> None:
    levels = list(range(2_237))
    with pytest.raises(UserError, match="5,004,169 cells; at most 5,000,000 fit in one sweep"):
        plan_of(faulty_spec(index=levels, thing=list(map(str, levels))), REGISTRY)
