"""What one coordinator bears: many workers that pull from it, and devices of unlike speed that are to end together.

    python -m bench.scale [--workers 200] [--processes 40] [--tasks 20000]

Three parts, on the Ray that it starts here. Two hundred workers pull tasks that only wait, so that what is timed is
the coordinator; then tasks that do not even wait. Its work with many more members is timed in this process, without
Ray, and the projection to more GPUs is made of both. Last, two devices of speed 1 and one of speed 2 run a sweep
whose models and tasks wait, and end near the ideal makespan or not.

Workers are threads of fewer processes, because Ray takes ever longer to start more of them: 31 s for 40 on two cores,
and ten minutes for 190. Each has a handle of its own and asks for itself.
"""

import itertools
import pickle
import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, Final

import psutil
import pyarrow.dataset as ds
import ray
import typer

from actors.benchmarks import BENCHMARKS
from actors.benchmarks.base import timed_rows
from actors.benchmarks.noop import Noop, NoopFactors
from actors.ray_pool.client import RayCoordinator
from actors.ray_pool.cluster import cluster
from bench.crew import CrewPool, Placement, crews
from sweeps.plan.spec import Spec, Sweep
from sweeps.planning import make_plan
from sweeps.schedule.coordinator import Coordinator
from sweeps.schedule.policy import Policy
from sweeps.schedule.run_status import Status
from sweeps.schedule.supervisor import TICK_S, Interrupts, Supervisor
from sweeps.schema import COLUMNS
from sweeps.store.rows import measured_row
from sweeps.task import Allocation, Outcome, Row, Run, Slot, Task

SLOT: Final = Slot("cpu", 0, 1)
HOST_SEATS: Final = 8
"""Of a machine with many GPUs: workers of one host are neighbours."""
TASK_S: Final = (1.0, 5.0, 10.0, 60.0)
"""For which the projection is made."""
SHARE: Final = 0.5
"""Of a core: what a coordinator may need and still answer at once."""


def allocations(count: int) -> list[Allocation]:
    """Of machines with HOST_SEATS devices."""
    return [Allocation(f"w{i}", SLOT, f"host{i // HOST_SEATS}", "cpu", "a place to wait") for i in range(count)]


def spec_of(**levels: list[Any]) -> Spec:
    """One sweep of tasks that wait."""
    factors: dict[str, list[Any]] = {"device": ["cpu"], "cpu_cores": [1], "index": [0], "wait_s": [0.0]}
    return Spec(
        name="scale",
        sweep=[Sweep(name="noop", benchmark="noop", iterations=1, warmup=0, factors=factors | levels)],
    )


# ---- many workers --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class PullResult:
    """What many workers made of one coordinator."""

    elapsed_s: float
    tasks: int
    calls: int
    cpu_s: float
    """Of the coordinator's process, Ray's threads in it included."""

    def __str__(self) -> str:
        return (
            f"{self.tasks / self.elapsed_s:,.0f} tasks/s, {self.calls / self.elapsed_s:,.0f} calls/s, "
            f"the coordinator at {self.cpu_s / self.elapsed_s:.0%} of a core, {1e3 * self.cpu_s_per_call:.2f} ms a call"
        )

    @property
    def cpu_s_per_call(self) -> float:
        """Everything that the coordinator did, its ticks too, by the number of exchanges."""
        return self.cpu_s / self.calls


def pull(places: Sequence[Placement], tasks: int, wait_s: float) -> PullResult:
    """All workers at `tasks` tasks of `wait_s` seconds each."""
    with tempfile.TemporaryDirectory() as directory:
        spec = spec_of(index=list(range(tasks)), wait_s=[wait_s])
        coordinator = RayCoordinator.start(make_plan(spec, BENCHMARKS, Path(directory)), BENCHMARKS, Policy())
        coordinator.open()
        process = psutil.Process(ray.get(coordinator.handle.__ray_call__.remote(_process_id)))
        pool = CrewPool(coordinator, places)
        before_s, started_s = _cpu_s(process), time.perf_counter()
        Supervisor(coordinator, pool, _show_nothing, Interrupts(60.0)).run()
        elapsed_s, cpu_s = time.perf_counter() - started_s, _cpu_s(process) - before_s
        status = coordinator.close()
    if status.counts != {"ok": tasks}:
        raise RuntimeError(f"asked for {tasks} tasks, got {status.counts}")
    return PullResult(elapsed_s, tasks, pool.calls, cpu_s)


def _cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _process_id(_coordinator: Any) -> int:
    import os

    return os.getpid()


def _show_nothing(_status: Status) -> None:
    """Nobody watches."""


# ---- many more members ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class CoordinatorCost:
    """CPU seconds of a coordinator without Ray."""

    exchange_s: float
    tick_s: float


def alone(members: int, calls: int) -> CoordinatorCost:
    """With so many members, each of which hands in one task of some seconds and gets the next one."""
    with tempfile.TemporaryDirectory() as directory:
        spec = spec_of(index=list(range(members + calls)))
        coordinator = Coordinator(make_plan(spec, BENCHMARKS, Path(directory)), BENCHMARKS, Policy())
        coordinator.open()
        held = {allocation.worker_id: _first(coordinator, allocation) for allocation in allocations(members)}
        exchanges_s = []
        for worker_id in itertools.islice(itertools.cycle(held), calls):
            outcomes = [_done(lease) for lease in held[worker_id].leases]
            started_s = time.process_time()
            answer = coordinator.exchange(worker_id, outcomes)
            exchanges_s.append(time.process_time() - started_s)
            if isinstance(answer, Run):
                held[worker_id] = answer
        started_s = time.process_time()
        for _ in range(10):
            pickle.dumps(coordinator.tick())  # to the supervisor, who shows it
        tick_s = (time.process_time() - started_s) / 10
        coordinator.close()
    return CoordinatorCost(statistics.mean(exchanges_s), tick_s)


def _first(coordinator: Coordinator, allocation: Allocation) -> Run:
    coordinator.join(allocation, {}, "scale")
    answer = coordinator.exchange(allocation.worker_id, [])
    if not isinstance(answer, Run):
        raise TypeError(f"{allocation.worker_id} got nothing to do: {answer}")
    return answer


def _done(lease: Any) -> Outcome:
    return Outcome(
        lease.task.task_id, lease.attempt, (measured_row(lease, COLUMNS["noop"], 0, {}, {}),), duration_s=5.0
    )


def project(pulled: PullResult, small: CoordinatorCost, large: CoordinatorCost, gpus: int) -> None:
    """Print what share of a core a coordinator would need for so many GPUs, by how long their tasks take."""
    # What a call costs on Ray, and what it costs more with more members.
    call_s = pulled.cpu_s_per_call + max(0.0, large.exchange_s - small.exchange_s)
    ticks = large.tick_s / TICK_S
    shares = ", ".join(f"{gpus * call_s / task_s + ticks:.0%} at {task_s:g} s" for task_s in TASK_S)
    print(f"projection to {gpus:,} GPUs that ask once a task ({1e3 * call_s:.2f} ms), ticks {ticks:.0%} of a core")
    print(f"  the coordinator's share of a core, by the length of a task: {shares}")
    if ticks < SHARE:
        print(f"  {SHARE:.0%} of a core is enough for tasks of {gpus * call_s / (SHARE - ticks):.1f} s or more")


# ---- unlike devices ------------------------------------------------------------------------------------------------


class Paced(Noop):
    """Waits as the factors say, divided by the device's speed; `index` is the model, whose load waits too."""

    resource_kind: ClassVar[str | None] = "model"
    load_factors: ClassVar[tuple[str, ...]] = ("index",)

    def __init__(self, speed: float, load_s: float) -> None:
        self._speed = speed
        self._load_s = load_s

    def load(self, factors: NoopFactors, devices: tuple[str, ...]) -> None:  # noqa: ARG002 - the protocol's
        """As long on every device: the disk's speed, not the device's."""
        time.sleep(self._load_s)

    def rows(self, held: None, task: Task, factors: NoopFactors) -> Any:  # noqa: ARG002 - the protocol's
        """Rows without metrics."""
        return timed_rows(task, lambda _: self._wait(factors.wait_s))

    def _wait(self, wait_s: float) -> Row:
        time.sleep(wait_s / self._speed)
        return {}


def unlike(tasks: int, models: int, load_s: float, mean_s: float) -> None:
    """Two devices of speed 1 and one of speed 2 on `tasks` tasks of each model: print how near the ideal they end."""
    speeds = {"slow-0": 1.0, "slow-1": 1.0, "fast": 2.0}
    # From half to one and a half of the mean, all different.
    waits_s = [mean_s * (0.5 + (index + 0.5) / tasks) for index in range(tasks)]
    spec = spec_of(index=list(range(models)), wait_s=waits_s)
    places = [
        Placement(Allocation(name, SLOT, "here", name.split("-")[0], name), {"noop": Paced(speed, load_s)}, crew)
        for (name, speed), crew in zip(speeds.items(), crews(len(speeds), len(speeds)), strict=True)
    ]
    with tempfile.TemporaryDirectory() as directory:
        registry = {"noop": Paced(1.0, load_s)}
        coordinator = RayCoordinator.start(make_plan(spec, registry, Path(directory)), registry, Policy())
        coordinator.open()
        Supervisor(coordinator, CrewPool(coordinator, places), _show_nothing, Interrupts(60.0)).run()
        status = coordinator.close()
        parts = sorted(Path(directory).glob("noop/part-*.parquet"))
        rows = ds.dataset(parts).to_table(columns=["started_at", "duration_s", "worker_id"]).to_pylist()
    first_s = min(row["started_at"].timestamp() for row in rows)
    makespan_s = max(row["started_at"].timestamp() + row["duration_s"] for row in rows) - first_s
    ideal_s = models * (sum(waits_s) + load_s) / sum(speeds.values())
    shares = {name: sum(row["worker_id"] == name for row in rows) for name in speeds}
    print(
        f"unlike devices: {makespan_s:.1f} s, {makespan_s / ideal_s:.2f} of the ideal {ideal_s:.1f} s "
        f"(aim: at most 1.10); {status.loads} loads of {models} models, tasks {shares}"
    )


# ---- command -------------------------------------------------------------------------------------------------------


def main(
    workers: Annotated[int, typer.Option(help="that pull from one coordinator")] = 200,
    processes: Annotated[int, typer.Option(help="that they run in, as threads where there are fewer")] = 40,
    tasks: Annotated[int, typer.Option(help="of each of the two runs of many workers")] = 20_000,
    wait_s: Annotated[float, typer.Option(help="of a task in the first of them: from 0.4 s on, a call a task")] = 0.5,
    gpus: Annotated[int, typer.Option(help="to project to")] = 2_000,
    unlike_tasks: Annotated[int, typer.Option(help="of each of four models, on unlike devices; 0: leave it out")] = 60,
) -> None:
    """Print calls and tasks per second, the coordinator's share of a core, the projection, and the makespan."""
    processes = min(processes, workers)
    with cluster("local"):
        started_s = time.perf_counter()
        actors = crews(processes, workers)
        sizes = ray.get([actor.memory_bytes.remote() for actor in actors])
        print(
            f"{workers} workers in {processes} processes, up after {time.perf_counter() - started_s:.0f} s, "
            f"{statistics.median(sizes) / 2**20:.0f} MiB each",
            flush=True,
        )
        places = [
            Placement(allocation, BENCHMARKS, actors[index % processes])
            for index, allocation in enumerate(allocations(workers))
        ]
        waiting = pull(places, tasks, wait_s)
        print(f"tasks of {wait_s} s: {waiting}", flush=True)
        print(f"tasks of 0 s: {pull(places, tasks, 0.0)}", flush=True)
        for actor in actors:
            ray.kill(actor)
        small, large = alone(workers, 4_000), alone(gpus, 4_000)
        for members, coordinator in ((workers, small), (gpus, large)):
            exchange_ms, tick_ms = 1e3 * coordinator.exchange_s, 1e3 * coordinator.tick_s
            print(f"without Ray, {members:,} members: {exchange_ms:.3f} ms an exchange, {tick_ms:.1f} ms a tick")
        project(waiting, small, large, gpus)
        if unlike_tasks:
            unlike(unlike_tasks, models=4, load_s=1.0, mean_s=0.3)


if __name__ == "__main__":
    typer.run(main)
