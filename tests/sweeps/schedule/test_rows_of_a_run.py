"""When the coordinator writes rows, which rows a task has that is given up, and what counts when they cannot be."""

import math
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sweeps.planning import make_plan
from sweeps.schedule.coordinator import Coordinator
from sweeps.schedule.policy import Policy
from sweeps.schema import COLUMNS
from sweeps.store import run_directory
from sweeps.store.rows import failed_row, measured_row
from sweeps.task import Run, Task
from tests.fakes import Faulty, faulty_spec
from tests.sweeps.schedule.test_coordinator import SLOT, done, join, open_run, rows


@pytest.mark.parametrize("call", ["exchange", "deliver", "tick", "reject"])
def test_every_call_writes_rows_that_are_due(call: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    coordinator = open_run(tmp_path, faulty_spec(index=[0, 1]))
    answer = coordinator.exchange(join(coordinator), [])
    assert isinstance(answer, Run)
    monkeypatch.setattr(run_directory, "FLUSH_S", math.inf)
    coordinator.deliver("w", [done(answer.leases[0])])
    assert not list(tmp_path.glob("s/part-*"))
    monkeypatch.setattr(run_directory, "FLUSH_S", -1.0)
    match call:
        case "exchange":
            coordinator.exchange("w", [])
        case "deliver":
            coordinator.deliver("w", [])
        case "tick":
            coordinator.tick()
        case "reject":
            coordinator.reject(SLOT, "unavailable", "nobody has it")
    assert len(rows(tmp_path)) == (2 if call == "reject" else 1)


def test_a_run_that_is_asked_to_stop_writes_what_it_has(tmp_path: Path) -> None:
    coordinator = open_run(tmp_path, faulty_spec(index=[0, 1]))
    answer = coordinator.exchange(join(coordinator), [])
    assert isinstance(answer, Run)
    coordinator.deliver("w", [done(answer.leases[0])])
    coordinator.drain("asked to stop")
    assert len(rows(tmp_path)) == 1


def test_a_task_whose_row_cannot_be_written_counts_as_an_error(tmp_path: Path) -> None:
    coordinator = open_run(tmp_path, faulty_spec(index=[0, 1]))
    answer = coordinator.exchange(join(coordinator), [])
    while isinstance(answer, Run):
        outcome = done(answer.leases[0])
        wrong = {"neighbours": 2**40} if answer.leases[0].task.factors["index"] else {}
        answer = coordinator.exchange("w", [replace(outcome, rows=(outcome.rows[0] | wrong,))])
    status = coordinator.close()
    assert (status.counts, status.done) == ({"ok": 1, "error": 1}, 2)
    assert "it counts as an error" in status.warnings[0]
    assert Counter(row["status"] for row in rows(tmp_path)) == {"ok": 1, "error": 1}


def test_a_failed_task_with_such_a_row_counts_once(tmp_path: Path) -> None:
    coordinator = open_run(tmp_path, faulty_spec(index=[0]))
    answer = coordinator.exchange(join(coordinator), [])
    assert isinstance(answer, Run)
    lease = answer.leases[0]
    wrong = measured_row(lease, COLUMNS["noop"], 0, {"neighbours": 2**40}, {})
    failed = failed_row(lease, COLUMNS["noop"], 1, {}, "timeout", None, "too slow")
    coordinator.exchange("w", [replace(done(lease), rows=(wrong, failed))])
    assert {name: count for name, count in coordinator.close().counts.items() if count} == {"error": 1}


class _OfThreeTexts(Faulty):
    def row_identities(self, task: Task) -> list[dict[str, Any]]:
        return [{"iteration": number} for number in range(3)]


@pytest.mark.parametrize(("status", "expected"), [("unavailable", [0]), ("worker_lost", [0, 1, 2])])
def test_a_task_that_is_given_up_has_all_its_rows_one_that_was_never_tried_has_one(
    status: str, expected: list[int], tmp_path: Path
) -> None:
    registry: Any = {"noop": _OfThreeTexts()}
    coordinator = Coordinator(make_plan(faulty_spec(), registry, tmp_path), registry, Policy())
    coordinator.open()
    coordinator.reject(SLOT, status, "nobody has it")
    coordinator.close()
    assert [(row["iteration"], row["status"]) for row in rows(tmp_path)] == [(n, status) for n in expected]
