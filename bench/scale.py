"""Measure how many workers one coordinator can serve, and whether devices of different speed end together.

    python -m bench.scale [--workers 200] [--processes 40] [--tasks 20000]

The command starts Ray on this machine and measures three things. First, many workers pull tasks that only wait, so
that the coordinator's work is timed; then tasks that do not even wait. Second, the coordinator's CPU time with many
more workers is measured in this process, without Ray; the projection to more GPUs is made of both. Third, two devices
of speed 1 and one of speed 2 run a sweep whose loads and tasks wait, and their makespan is held against the ideal one.

Workers are threads of a few processes, because Ray needs ever longer to start more processes: 31 s for 40 on two
cores, and ten minutes for 190. Each worker has its own handle of the coordinator and makes its own calls.
"""

import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final

import psutil
import ray
import typer

from actors.benchmarks import BENCHMARKS
from actors.ray_pool.client import RayCoordinator
from actors.ray_pool.cluster import cluster
from bench.coordinator_cost import CoordinatorCost, coordinator_cost
from bench.unlike_devices import run_on_unlike_devices
from bench.waiting_tasks import allocations, waiting_spec
from bench.worker_hosts import Placement, WorkerHostPool, start_worker_hosts
from sweeps.planning import make_plan
from sweeps.schedule.policy import Policy
from sweeps.schedule.supervisor import TICK_S, Interrupts, Supervisor

PROJECTED_TASK_S: Final = (1.0, 5.0, 10.0, 60.0)
"""Task lengths for which the projection is printed."""
RESPONSIVE_SHARE: Final = 0.5
"""Share of a core that a coordinator may need and still answer at once."""
COST_CALLS: Final = 4_000


@dataclass(frozen=True)
class PullResult:
    """A run of many workers on one coordinator, in figures."""

    elapsed_s: float
    tasks: int
    calls: int
    cpu_s: float
    """CPU time of the coordinator's process, Ray's threads in it included."""

    def __str__(self) -> str:
        """Return the rates, and the coordinator's share of a core."""
        return (
            f"{self.tasks / self.elapsed_s:,.0f} tasks/s, {self.calls / self.elapsed_s:,.0f} calls/s, "
            f"the coordinator at {self.cpu_s / self.elapsed_s:.0%} of a core, {1e3 * self.cpu_s_per_call:.2f} ms a call"
        )

    @property
    def cpu_s_per_call(self) -> float:
        """All CPU time of the coordinator, its ticks included, divided by the number of exchanges."""
        return self.cpu_s / self.calls


def pull(placements: Sequence[Placement], tasks: int, wait_s: float) -> PullResult:
    """Run `tasks` tasks that wait `wait_s` seconds each on all workers, and measure the coordinator."""
    with tempfile.TemporaryDirectory() as directory:
        spec = waiting_spec(index=list(range(tasks)), wait_s=[wait_s])
        coordinator = RayCoordinator.start(make_plan(spec, BENCHMARKS, Path(directory)), BENCHMARKS, Policy())
        coordinator.open()
        process = psutil.Process(ray.get(coordinator.handle.__ray_call__.remote(_process_id)))
        pool = WorkerHostPool(coordinator, placements)
        before_s, started_s = _cpu_s(process), time.perf_counter()
        Supervisor(coordinator, pool, lambda _: None, Interrupts(60.0)).run()
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


def project(pulled: PullResult, small: CoordinatorCost, large: CoordinatorCost, gpus: int) -> None:
    """Print the share of a core that a coordinator would need for `gpus` GPUs, by the length of their tasks.

    Args:
        pulled: measured on Ray, with the number of workers of `small`.
        small: measured without Ray, with few workers.
        large: measured without Ray, with `gpus` workers.
        gpus: number of GPUs to project to.
    """
    # The cost of a call on Ray, and the extra cost of a call with more workers.
    call_s = pulled.cpu_s_per_call + max(0.0, large.exchange_s - small.exchange_s)
    ticks = large.tick_s / TICK_S
    shares = ", ".join(f"{gpus * call_s / task_s + ticks:.0%} at {task_s:g} s" for task_s in PROJECTED_TASK_S)
    print(f"projection to {gpus:,} GPUs that ask once a task ({1e3 * call_s:.2f} ms), ticks {ticks:.0%} of a core")
    print(f"  the coordinator's share of a core, by the length of a task: {shares}")
    if ticks < RESPONSIVE_SHARE:
        shortest_s = gpus * call_s / (RESPONSIVE_SHARE - ticks)
        print(f"  {RESPONSIVE_SHARE:.0%} of a core is enough for tasks of {shortest_s:.1f} s or more")


def measure_pulls(workers: int, processes: int, tasks: int, wait_s: float) -> PullResult:
    """Print how `workers` workers pull tasks that wait, and tasks that do not; return the first result."""
    started_s = time.perf_counter()
    hosts = start_worker_hosts(processes, workers)
    sizes_bytes = ray.get([host.memory_bytes.remote() for host in hosts])
    print(
        f"{workers} workers in {processes} processes, up after {time.perf_counter() - started_s:.0f} s, "
        f"{statistics.median(sizes_bytes) / 2**20:.0f} MiB each",
        flush=True,
    )
    placements = [
        Placement(allocation, BENCHMARKS, hosts[index % processes])
        for index, allocation in enumerate(allocations(workers))
    ]
    waiting = pull(placements, tasks, wait_s)
    print(f"tasks of {wait_s} s: {waiting}", flush=True)
    print(f"tasks of 0 s: {pull(placements, tasks, 0.0)}", flush=True)
    for host in hosts:
        ray.kill(host)
    return waiting


def main(
    workers: Annotated[int, typer.Option(help="workers that pull from one coordinator")] = 200,
    processes: Annotated[int, typer.Option(help="processes for them; workers are threads where there are more")] = 40,
    tasks: Annotated[int, typer.Option(help="tasks of each of the two runs of many workers")] = 20_000,
    wait_s: Annotated[
        float, typer.Option(help="length of a task in the first run; from 0.4 s on, a call a task")
    ] = 0.5,
    gpus: Annotated[int, typer.Option(help="number of GPUs to project to")] = 2_000,
    unlike_tasks: Annotated[
        int, typer.Option(help="tasks of each of four models on devices of different speed; 0: leave that out")
    ] = 60,
) -> None:
    """Print calls and tasks per second, the coordinator's share of a core, the projection, and the makespan."""
    with cluster("local"):
        waiting = measure_pulls(workers, min(processes, workers), tasks, wait_s)
        small, large = coordinator_cost(workers, COST_CALLS), coordinator_cost(gpus, COST_CALLS)
        for count, cost in ((workers, small), (gpus, large)):
            exchange_ms, tick_ms = 1e3 * cost.exchange_s, 1e3 * cost.tick_s
            print(f"without Ray, {count:,} workers: {exchange_ms:.3f} ms an exchange, {tick_ms:.1f} ms a tick")
        project(waiting, small, large, gpus)
        if unlike_tasks:
            run_on_unlike_devices(unlike_tasks, models=4, load_s=1.0, mean_s=0.3)


if __name__ == "__main__":
    typer.run(main)
