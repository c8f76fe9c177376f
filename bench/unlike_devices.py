"""Makespan of a sweep on devices of different speed, beside the ideal makespan."""

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import pyarrow.dataset as ds

from actors.benchmarks.base import timed_rows
from actors.benchmarks.noop import Noop, NoopFactors
from actors.ray_pool.client import RayCoordinator
from bench.waiting_tasks import SLOT, waiting_spec
from bench.worker_hosts import Placement, WorkerHostPool, start_worker_hosts
from sweeps.planning import make_plan
from sweeps.schedule.policy import Policy
from sweeps.schedule.supervisor import Interrupts, Supervisor
from sweeps.task import Allocation, Row, Task

SPEEDS: dict[str, float] = {"slow-0": 1.0, "slow-1": 1.0, "fast": 2.0}


class PacedNoop(Noop):
    """A no-op that waits `wait_s` divided by the device's speed; `index` stands for the model, whose load waits too."""

    resource_kind: ClassVar[str | None] = "model"
    load_factors: ClassVar[tuple[str, ...]] = ("index",)

    def __init__(self, speed: float, load_s: float) -> None:
        self._speed = speed
        self._load_s = load_s

    def load(self, factors: NoopFactors, devices: tuple[str, ...]) -> None:  # noqa: ARG002 - the protocol's
        """Wait equally long on every device: the drive limits a load, not the device."""
        time.sleep(self._load_s)

    def rows(self, held: None, task: Task, factors: NoopFactors) -> Iterator[Row]:  # noqa: ARG002 - the protocol's
        """Yield rows without metrics."""
        return timed_rows(task, lambda _: self._wait(factors.wait_s))

    def _wait(self, wait_s: float) -> Row:
        time.sleep(wait_s / self._speed)
        return {}


def run_on_unlike_devices(tasks: int, models: int, load_s: float, mean_s: float) -> None:
    """Run `tasks` tasks of each model on the devices of SPEEDS, and print the makespan beside the ideal one.

    Args:
        tasks: of each model; their times spread evenly from half to one and a half of `mean_s`.
        models: number of models, each of which every device may load.
        load_s: time of a load.
        mean_s: mean time of a task on a device of speed 1.
    """
    waits_s = [mean_s * (0.5 + (index + 0.5) / tasks) for index in range(tasks)]
    with tempfile.TemporaryDirectory() as directory:
        registry = {"noop": PacedNoop(1.0, load_s)}
        spec = waiting_spec(index=list(range(models)), wait_s=waits_s)
        coordinator = RayCoordinator.start(make_plan(spec, registry, Path(directory)), registry, Policy())
        coordinator.open()
        pool = WorkerHostPool(coordinator, _placements(load_s))
        Supervisor(coordinator, pool, lambda _: None, Interrupts(60.0)).run()
        status = coordinator.close()
        parts = sorted(Path(directory).glob("noop/part-*.parquet"))
        rows = ds.dataset(parts).to_table(columns=["started_at", "duration_s", "worker_id"]).to_pylist()
    first_s = min(row["started_at"].timestamp() for row in rows)
    makespan_s = max(row["started_at"].timestamp() + row["duration_s"] for row in rows) - first_s
    ideal_s = models * (sum(waits_s) + load_s) / sum(SPEEDS.values())
    shares = {name: sum(row["worker_id"] == name for row in rows) for name in SPEEDS}
    print(
        f"unlike devices: {makespan_s:.1f} s, {makespan_s / ideal_s:.2f} of the ideal {ideal_s:.1f} s "
        f"(aim: at most 1.10); {status.loads} loads of {models} models, tasks {shares}"
    )


def _placements(load_s: float) -> list[Placement]:
    hosts = start_worker_hosts(len(SPEEDS), len(SPEEDS))
    return [
        Placement(Allocation(name, SLOT, "here", name.split("-")[0], name), {"noop": PacedNoop(speed, load_s)}, host)
        for (name, speed), host in zip(SPEEDS.items(), hosts, strict=True)
    ]
