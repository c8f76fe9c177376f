"""Exports of a run to Prometheus, seen through instruments that only add up."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from actors.worker import Worker
from sweeps.plan.spec import Spec
from sweeps.planning import make_plan
from sweeps.schedule.coordinator import Coordinator
from sweeps.schedule.policy import Policy
from sweeps.task import Allocation, Row, Run, Slot
from sweeps.view.prometheus import COUNTERS, GAUGES, Metrics, tokens_per_s
from tests.fakes import REGISTRY, faulty_spec

ALLOCATION = Allocation("cpu-0", Slot("cpu", 0, 1), "here", "cpu", "a CPU")
ENVIRONMENT: tuple[dict[str, Any], str] = ({}, "an environment")


@dataclass
class Instrument:
    keys: Sequence[str]
    values: dict[tuple[str, ...], float] = field(default_factory=lambda: defaultdict(float))

    def inc(self, value: float, tags: dict[str, str]) -> None:
        assert value > 0, "Ray refuses anything else"
        self.values[self._labels(tags)] += value

    def set(self, value: float, tags: dict[str, str]) -> None:
        self.values[self._labels(tags)] = value

    def _labels(self, tags: dict[str, str]) -> tuple[str, ...]:
        assert set(tags) == set(self.keys)
        assert all(isinstance(value, str) for value in tags.values())
        return tuple(tags[key] for key in self.keys)


class Meters(dict[str, Instrument]):
    """Stands in for ray.util.metrics: an instrument by its name."""

    def Counter(self, name: str, description: str, tag_keys: Sequence[str]) -> Instrument:
        assert description
        return self.setdefault(name, Instrument(tag_keys))

    Gauge = Counter

    def __call__(self, name: str) -> dict[tuple[str, ...], float]:
        """Return the values of an instrument, zeros left out."""
        return {labels: value for labels, value in self[name].values.items() if value}


def observed(directory: Path, spec: Spec, meters: Meters) -> Coordinator:
    coordinator = Coordinator(make_plan(spec, REGISTRY, directory), REGISTRY, Policy(), (), Metrics(spec.name, meters))
    coordinator.open()
    return coordinator


def test_what_is_counted_is_what_the_run_says_of_itself(tmp_path: Path) -> None:
    meters = Meters()
    spec = faulty_spec(index=[0, 1, 2], thing=["a", "b"], fault=["none", "raise", "oom_host", "oom_gpu"], iterations=2)
    coordinator = observed(tmp_path, spec, meters)
    Worker(ALLOCATION, REGISTRY, ENVIRONMENT).work(coordinator)
    status = coordinator.close()

    def where(name: str, label: str) -> dict[str, float]:
        at, sums = meters[name].keys.index(label), defaultdict[str, float](float)
        for labels, value in meters(name).items():
            sums[labels[at]] += value
        return dict(sums)

    assert where("sweeps_tasks", "status") == status.counts == {"ok": 6, "error": 6, "oom_host": 6, "oom_gpu": 6}
    assert where("sweeps_tasks", "run") == {"faulty": 24}
    assert sum(where("sweeps_rows", "status").values()) == status.rows
    assert where("sweeps_rows", "status")["ok"] == 12 + 6, "a task that raises has a row before that"
    assert where("sweeps_model_loads", "worker") == {"cpu-0": status.loads}
    assert where("sweeps_out_of_memory", "kind") == {"oom_host": 6, "oom_gpu": 6}


def test_nothing_is_counted_twice_however_often_the_coordinator_ticks(tmp_path: Path) -> None:
    meters = Meters()
    coordinator = observed(tmp_path, faulty_spec(index=[0, 1]), meters)
    Worker(ALLOCATION, REGISTRY, ENVIRONMENT).work(coordinator)
    coordinator.tick()
    coordinator.tick()
    coordinator.close()
    assert list(meters("sweeps_tasks").values()) == [2]


def test_gauges_follow_the_queue_and_the_workers_down_to_zero(tmp_path: Path) -> None:
    meters = Meters()
    coordinator = observed(tmp_path, faulty_spec(index=[0, 1, 2]), meters)
    coordinator.join(ALLOCATION, *ENVIRONMENT)
    assert isinstance(coordinator.exchange("cpu-0", ()), Run)
    coordinator.tick()
    slot = str(ALLOCATION.slot)
    assert meters("sweeps_queue_depth") == {("faulty", slot): 2}, "what is in hand waits no more"
    assert meters("sweeps_workers") == {("faulty", slot): 1}
    coordinator.lost("cpu-0", "oom_host", "killed")
    coordinator.reject(ALLOCATION.slot, "unsupported", "nobody")
    coordinator.close()
    assert meters("sweeps_queue_depth") == meters("sweeps_workers") == {}
    assert meters("sweeps_workers_lost") == {("faulty", "oom_host", "cpu"): 1}
    assert meters("sweeps_out_of_memory") == {("faulty", "cpu-0", "cpu", "oom_host"): 1}
    assert meters("sweeps_tasks") == {("faulty", "noop", "unsupported", "none"): 3}


def row(**columns: Any) -> Row:
    return {"status": "ok"} | columns


RATES: dict[str, tuple[list[Row], float | None]] = {
    "mean over ok rows": (
        [row(generation_rate_tokens_per_s=10.0), row(generation_rate_tokens_per_s=20.0), row(status="error")],
        15.0,
    ),
    "logits have their own": ([row(calculation_rate_tokens_per_s=7.0)], 7.0),
    "encoding has its own": ([row(encoding_rate_tokens_per_s=8.0)], 8.0),
    "scoring counts tokens": (
        [row(length_tokens=30, duration_s=2.0), row(length_tokens=None, duration_s=1.0)],
        10.0,
    ),
    "nothing measured": ([row(status="oom_gpu")], None),
    "nothing to count": ([row(duration_s=1.0)], None),
}


@pytest.mark.parametrize("case", RATES)
def test_tokens_per_second(case: str) -> None:
    rows, expected = RATES[case]
    assert tokens_per_s(rows) == expected


def test_names_are_such_that_ray_takes_them() -> None:
    import ray.util.metrics

    Metrics("any", ray.util.metrics)  # a name that Ray would drop is a warning, and warnings are errors here
    names = [instrument.name for instrument in (*COUNTERS, *GAUGES)]
    assert len(names) == len(set(names))
