"""The same command again, and a changed one: what counts, what runs, what is refused."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.dataset as ds
import pytest

from sweeps.errors import InputChanged, SpecChanged, UserError
from sweeps.plan.spec import Spec
from sweeps.planning import make_plan, prepare
from sweeps.run_layout import RunLayout
from sweeps.schedule.coordinator import Coordinator
from sweeps.schedule.policy import Policy
from sweeps.schema import COLUMNS
from sweeps.store.finished import Again
from sweeps.store.rows import failed_row, measured_row
from sweeps.store.sink import Sink
from sweeps.task import Allocation, Lease, Outcome, Run, Slot, Stop
from tests.fakes import REGISTRY, Faulty, faulty_spec

SLOT = Slot("cpu", 0, 1)
HERE = Again(environments=frozenset({"here"}))


def run_all(directory: Path, spec: Spec, status: str = "ok", policy: Policy | None = None) -> int:
    """Run what is left, every task ending as `status`; how many tasks that were."""
    coordinator = Coordinator(make_plan(spec, REGISTRY, directory), REGISTRY, policy or Policy())
    coordinator.open()
    coordinator.join(Allocation("w", SLOT, "box", "cpu", "a CPU"), {}, "here")
    answer, ran = coordinator.exchange("w", []), 0
    while isinstance(answer, Run):
        ran += len(answer.leases)
        answer = coordinator.exchange("w", [ended(lease, status) for lease in answer.leases])
    coordinator.close()
    return ran


def ended(lease: Lease, status: str) -> Outcome:
    first, facts = lease.task.first_iteration, {"environment_id": "here"}
    if status != "ok":
        rows = [failed_row(lease, COLUMNS["noop"], first, facts, status, "Why", "because")]
    else:
        rows = [
            measured_row(lease, COLUMNS["noop"], first + index, facts, {}) for index in range(lease.task.iterations)
        ]
    return Outcome(lease.task.task_id, lease.attempt, tuple(rows), duration_s=1.0)


def rows(directory: Path) -> pd.DataFrame:
    return pd.read_parquet(directory / "s")


def with_rounds(spec: Spec, rounds: int) -> Spec:
    return spec.model_copy(update={"sweep": [spec.sweep[0].model_copy(update={"rounds": rounds})]})


def test_iterations_added_later_extend_every_cell(tmp_path: Path) -> None:
    assert run_all(tmp_path, faulty_spec(index=[0, 1], iterations=2)) == 2
    for iterations in (5, 5, 6):
        run_all(tmp_path, faulty_spec(index=[0, 1], iterations=iterations))
    table = rows(tmp_path)
    assert Counter(zip(table["index"], table["iteration"], strict=True)) == Counter(
        (index, iteration) for index in (0, 1) for iteration in range(6)
    )
    assert table.groupby("index")["cell_id"].nunique().eq(1).all(), "one cell, with a larger n"


def test_iterations_and_rounds_added_together_and_cells_too(tmp_path: Path) -> None:
    run_all(tmp_path, with_rounds(faulty_spec(index=[0], iterations=1), 1))
    run_all(tmp_path, with_rounds(faulty_spec(index=[0, 1], iterations=3), 2))
    assert run_all(tmp_path, with_rounds(faulty_spec(index=[0, 1], iterations=3), 2)) == 0
    table = rows(tmp_path)
    seen = Counter(zip(table["index"], table["round"], table["iteration"], strict=True))
    assert seen == Counter(
        (index, round_, iteration) for index in (0, 1) for round_ in (0, 1) for iteration in range(3)
    )


def test_an_extension_that_was_killed_goes_on(tmp_path: Path) -> None:
    run_all(tmp_path, faulty_spec(index=[0, 1, 2], iterations=1))
    coordinator = Coordinator(
        make_plan(faulty_spec(index=[0, 1, 2], iterations=2), REGISTRY, tmp_path), REGISTRY, Policy()
    )
    coordinator.open()
    coordinator.join(Allocation("w", SLOT, "box", "cpu", "a CPU"), {}, "here")
    answer = coordinator.exchange("w", [])
    assert isinstance(answer, Run)
    coordinator.deliver("w", [ended(lease, "ok") for lease in answer.leases])
    coordinator.close()
    assert run_all(tmp_path, faulty_spec(index=[0, 1, 2], iterations=2)) == 3 - len(answer.leases)
    assert Counter(rows(tmp_path)["iteration"]) == {0: 3, 1: 3}


@pytest.mark.parametrize("less", [{"iterations": 1}, {"rounds": 1}])
def test_less_than_was_measured_is_another_spec(less: dict[str, int], tmp_path: Path) -> None:
    spec = with_rounds(faulty_spec(index=[0], iterations=2), 2)
    run_all(tmp_path, spec)
    changed = spec.model_copy(update={"sweep": [spec.sweep[0].model_copy(update=less)]})
    with pytest.raises(SpecChanged, match=next(iter(less))):
        make_plan(changed, REGISTRY, tmp_path)


def test_what_was_unavailable_is_tried_again_by_every_run(tmp_path: Path) -> None:
    spec = faulty_spec(index=[0, 1])
    assert run_all(tmp_path, spec, "unavailable") == 2
    assert run_all(tmp_path, spec, "unavailable") == 2
    assert Counter(rows(tmp_path)["status"]) == {"unavailable": 2}, "not four: the old rows went"
    assert run_all(tmp_path, spec) == 2
    assert Counter(rows(tmp_path)["status"]) == {"ok": 2}


def test_a_slip_that_made_everything_unavailable_may_be_mended(tmp_path: Path) -> None:
    run_all(tmp_path, faulty_spec(thing=["slip"]), "unavailable")
    assert run_all(tmp_path, faulty_spec(thing=["right"])) == 1
    assert list(rows(tmp_path)["status"]) == ["ok"]


def test_a_level_that_was_never_tried_may_be_taken_back(tmp_path: Path) -> None:
    run_all(tmp_path, faulty_spec(index=[0]))
    run_all(tmp_path, faulty_spec(index=[0, 1]), "unavailable")  # a slip
    assert run_all(tmp_path, faulty_spec(index=[0, 2])) == 1
    assert sorted(rows(tmp_path)["index"]) == [0, 2]


def test_iterations_that_never_ran_may_be_taken_back(tmp_path: Path) -> None:
    run_all(tmp_path, faulty_spec(index=[0], iterations=2))
    coordinator = Coordinator(make_plan(faulty_spec(index=[0], iterations=9), REGISTRY, tmp_path), REGISTRY, Policy())
    coordinator.open()
    coordinator.close()
    assert run_all(tmp_path, faulty_spec(index=[0], iterations=3)) == 1
    assert sorted(rows(tmp_path)["iteration"]) == [0, 1, 2]


def test_what_stands_in_the_way_of_a_sweep_is_told_and_the_directory_let_go(tmp_path: Path) -> None:
    plan = make_plan(faulty_spec(), REGISTRY, tmp_path)
    (tmp_path / "s").write_text("a file")
    with pytest.raises(UserError, match="s: cannot be used"):
        Coordinator(plan, REGISTRY, Policy()).open()
    (tmp_path / "s").unlink()
    assert run_all(tmp_path, faulty_spec()) == 1


@pytest.mark.parametrize("status", ["error", "timeout", "worker_lost", "oom_gpu", "skipped_oom", "ok"])
def test_what_was_tried_is_not_run_again_unless_asked_for(status: str, tmp_path: Path) -> None:
    spec = faulty_spec(index=[0, 1])
    run_all(tmp_path, spec, status)
    assert run_all(tmp_path, spec, policy=Policy(again=HERE)) == 0
    expected = 0 if status == "ok" else 2
    again = Again((status,) if status != "ok" else (), HERE.environments)
    assert run_all(tmp_path, spec, policy=Policy(again=again)) == expected


def test_what_is_unsupported_is_tried_again_in_another_environment_only(tmp_path: Path) -> None:
    spec = faulty_spec(index=[0])
    run_all(tmp_path, spec, "unsupported")
    assert run_all(tmp_path, spec, policy=Policy(again=HERE)) == 0
    assert run_all(tmp_path, spec) == 0, "nor where environments are not known"
    assert run_all(tmp_path, spec, policy=Policy(again=Again(environments=frozenset({"there"})))) == 1
    assert list(rows(tmp_path)["status"]) == ["ok"]


def test_rows_of_unknown_settings_are_refused(tmp_path: Path) -> None:
    run_all(tmp_path, faulty_spec())
    before = {path.name: path.read_bytes() for path in (tmp_path / "s").glob("part-*")}
    (tmp_path / "s" / "_environment.json").unlink()
    with pytest.raises(SpecChanged, match=r"_environment.json: is missing"):
        make_plan(faulty_spec(), REGISTRY, tmp_path)
    assert before == {path.name: path.read_bytes() for path in (tmp_path / "s").glob("part-*")}


@pytest.mark.parametrize(
    "content",
    [
        *("", "[]", "null", "{}", '{"spec": 1}', '{"version": 3}'),
        '{"spec": {"sweep": {"name": "s"}}, "environments": {}}',
        '{"spec": {"sweep": {"name": "s", "benchmark": 3, "iterations": 1}}, "environments": {}}',
    ],
)
def test_an_environment_file_that_says_nothing_is_refused(content: str, tmp_path: Path) -> None:
    run_all(tmp_path, faulty_spec())
    (tmp_path / "s" / "_environment.json").write_text(content)
    with pytest.raises(SpecChanged, match="cannot be read"):
        make_plan(faulty_spec(), REGISTRY, tmp_path)


@pytest.mark.parametrize("change", [{"version": 3}, {"iterations": [1, 5]}, {"iterations": [1, 1]}, {"inputs": []}])
def test_an_environment_file_of_a_newer_version_or_with_a_contradiction_is_refused(
    change: dict[str, Any], tmp_path: Path
) -> None:
    run_all(tmp_path, faulty_spec())
    path = tmp_path / "s" / "_environment.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(SpecChanged, match="cannot be read"):
        make_plan(faulty_spec(), REGISTRY, tmp_path)


def test_a_directory_of_an_older_version_goes_on(tmp_path: Path) -> None:
    spec = faulty_spec(index=[0, 1])
    run_all(tmp_path, faulty_spec(index=[0]))
    new, old = tmp_path / "s" / "_environment.json", tmp_path / "s" / "environment.json"
    document = json.loads(new.read_text())
    old.write_text(json.dumps({"spec": document["spec"], "environments": document["environments"]}))
    new.unlink()
    assert run_all(tmp_path, spec) == 1
    assert new.exists()
    assert not old.exists(), "or pandas could not read the directory in one line"
    assert len(rows(tmp_path)) == ds.dataset(tmp_path / "s").count_rows() == 2
    assert "here" in json.loads(new.read_text())["environments"]


def test_the_file_says_what_was_planned_and_how_to_go_on(tmp_path: Path) -> None:
    run_all(tmp_path, faulty_spec(index=[0, 1]), policy=Policy(command="cd /x && python -m sweeps.run y.toml"))
    document = json.loads((tmp_path / "s" / "_environment.json").read_text())
    assert (document["version"], document["tasks"]) == (2, 2)
    assert document["command"] == "cd /x && python -m sweeps.run y.toml"
    columns = {"factors": {"index": "int64", "wait_s": "double"}, "metrics": {}, "identity": {}}
    assert document["columns"] == columns | {"headlines": [], "measure": None}


def test_rows_of_tasks_that_are_not_of_the_plan_are_never_counted(tmp_path: Path) -> None:
    run_all(tmp_path, faulty_spec(index=[0]))
    table = ds.dataset(tmp_path / "s").to_table().to_pandas()
    table["task_id"] = "0123456789abcdef"
    table.to_parquet(tmp_path / "s" / "part-000007.parquet", schema=ds.dataset(tmp_path / "s").schema)
    with pytest.raises(SpecChanged, match="1 of 2 tasks on disk are not of this plan"):
        run_all(tmp_path, faulty_spec(index=[0]))
    assert not RunLayout(tmp_path).is_being_written()


def test_to_plan_touches_no_file_not_even_a_damaged_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Sink, "merge", lambda _: None)
    spec = faulty_spec(index=[0, 1])
    run_all(tmp_path, faulty_spec(index=[0]))
    run_all(tmp_path, spec)
    whole, damaged = sorted((tmp_path / "s").glob("part-*"))
    damaged.write_bytes(damaged.read_bytes()[:-20])
    before = {path: path.read_bytes() for path in (tmp_path / "s").iterdir()}
    prepared = prepare(spec, REGISTRY, tmp_path, Again(("ok",)), lambda _: None)
    assert len(prepared.finished.again) == 1, "of the whole part, and the other one's task is not there"
    assert {path: path.read_bytes() for path in (tmp_path / "s").iterdir()} == before
    assert whole in before


def test_another_run_in_between_is_noticed(tmp_path: Path) -> None:
    plan = make_plan(faulty_spec(index=[0]), REGISTRY, tmp_path)
    run_all(tmp_path, faulty_spec(index=[1]))
    with pytest.raises(UserError, match="give the command again"):
        Coordinator(plan, REGISTRY, Policy()).open()
    run_all(tmp_path, faulty_spec(index=[1]))  # and the directory was let go


def test_the_same_run_in_between_is_gone_on_with(tmp_path: Path) -> None:
    plan = make_plan(faulty_spec(index=[0]), REGISTRY, tmp_path)
    run_all(tmp_path, faulty_spec(index=[0]))  # killed while this one was planned, and its first part came after
    coordinator = Coordinator(plan, REGISTRY, Policy())
    coordinator.open()
    assert coordinator.close().left == 0


def test_an_input_that_changed_stops_the_run_and_its_task_stays_to_be_done(tmp_path: Path) -> None:
    coordinator = Coordinator(make_plan(faulty_spec(index=[0, 1]), REGISTRY, tmp_path), REGISTRY, Policy())
    coordinator.open()
    coordinator.join(Allocation("w", SLOT, "box", "cpu", "a CPU"), {}, "here")
    answer = coordinator.exchange("w", [])
    assert isinstance(answer, Run)
    task_id = answer.leases[0].task.task_id
    outcome = Outcome(task_id, 1, (), changed="texts.jsonl: changed since the run was planned")
    assert isinstance(coordinator.exchange("w", [outcome]), Stop)
    status = coordinator.close()
    assert status.failure is not None
    assert status.failure.startswith("texts.jsonl: changed since")
    assert (status.done, status.left) == (0, 2)
    assert not any((tmp_path / "s").glob("part-*"))


class _Changing(Faulty):
    """Its task's input is another one than when the run was planned."""

    def row_identities(self, task: Any) -> Any:
        raise InputChanged("texts.jsonl: changed")


def test_rows_of_a_changed_input_are_not_made_up_for_a_task_that_is_given_up(tmp_path: Path) -> None:
    registry: Any = {"noop": _Changing()}
    coordinator = Coordinator(make_plan(faulty_spec(), registry, tmp_path), registry, Policy())
    coordinator.open()
    coordinator.reject(SLOT, "worker_lost", "nobody offers it any more")
    status = coordinator.close()
    assert (status.done, status.failure is not None) == (0, True)
