"""Measure the harness's cost of a task: no-op tasks through queue, workers, rows and Parquet; beside bare Ray calls.

    python -m bench.dispatch [--tasks 20000] [--rounds 3]

The reference is two actors that make synchronous calls to a third actor, which does nothing. Both run in the same
command with their rounds interleaved, because machines are noisy and shared. The command also prints how the
coordinator's memory grows with the number of tasks.
"""

import statistics
import tempfile
import time
from pathlib import Path
from typing import Annotated, Any

import psutil
import ray
import typer

from actors.benchmarks import BENCHMARKS
from actors.ray_pool.client import RayCoordinator
from actors.ray_pool.cluster import cluster
from actors.ray_pool.nodes import cluster_nodes
from actors.ray_pool.pool import RayPool
from sweeps.plan.spec import Spec, Sweep
from sweeps.planning import make_plan
from sweeps.schedule.policy import Policy
from sweeps.schedule.supervisor import Interrupts, Supervisor

WORKERS = 2


class NoopActor:
    """An actor that does nothing when it is called."""

    def call(self) -> None:
        """Do nothing."""


class Caller:
    """An actor that calls another actor, one call after the other."""

    def calls(self, other: Any, count: int) -> None:
        """Make `count` calls, and wait for each."""
        for _ in range(count):
            ray.get(other.call.remote())


def bare_calls_per_s(calls: int) -> float:
    """Return the calls per second of two actors that each make half of `calls` synchronous calls to a third."""
    nothing: Any = ray.remote(num_cpus=0)(NoopActor).remote()
    callers: list[Any] = [ray.remote(num_cpus=1)(Caller).remote() for _ in range(WORKERS)]
    ray.get([caller.calls.remote(nothing, 100) for caller in callers])
    started_s = time.perf_counter()
    ray.get([caller.calls.remote(nothing, calls // WORKERS) for caller in callers])
    elapsed_s = time.perf_counter() - started_s
    for actor in (nothing, *callers):
        ray.kill(actor)
    return calls / elapsed_s


def noop_spec(tasks: int) -> Spec:
    """Return a spec of `tasks` no-op cells, one row each, on one core."""
    levels: dict[str, list[Any]] = {
        "device": ["cpu"],
        "cpu_cores": [1],
        "index": list(range(tasks)),
        "wait_s": [0.0],
    }
    sweep = Sweep(name="noop", benchmark="noop", iterations=1, warmup=0, factors=levels)
    return Spec(name="dispatch", sweep=[sweep])


def dispatch(tasks: int) -> tuple[float, int]:
    """Run no-op tasks through the whole path, with two workers.

    Returns:
        Tasks per second, from the moment when both workers have joined until every row is flushed; and the resident
        bytes of the coordinator's process.
    """
    with tempfile.TemporaryDirectory() as directory:
        coordinator = RayCoordinator.start(
            make_plan(noop_spec(tasks), BENCHMARKS, Path(directory)), BENCHMARKS, Policy()
        )
        coordinator.open()
        pid = ray.get(coordinator.handle.__ray_call__.remote(_process_id))
        pool = RayPool(coordinator, BENCHMARKS, cluster_nodes())
        clock = _Clock()
        Supervisor(coordinator, pool, clock.show, Interrupts(60.0)).run()
        resident_bytes = psutil.Process(pid).memory_info().rss
        status = coordinator.close()
        if not clock.joined_s:
            raise RuntimeError(f"{tasks} tasks were done before both workers had joined; give more --tasks")
        elapsed_s = time.perf_counter() - clock.joined_s
        pool.close()
        if status.counts != {"ok": tasks}:
            raise RuntimeError(f"asked for {tasks} tasks, got {status.counts}")
    return tasks / elapsed_s, resident_bytes


class _Clock:
    """Notes when both workers had joined: the start of their processes is no part of dispatching."""

    def __init__(self) -> None:
        self.joined_s = 0.0

    def show(self, status: Any) -> None:
        if not self.joined_s and len(status.workers) == WORKERS:
            self.joined_s = time.perf_counter()


def _process_id(_coordinator: Any) -> int:
    import os

    return os.getpid()


def main(
    tasks: Annotated[int, typer.Option(help="no-op tasks of a round")] = 20_000,
    calls: Annotated[int, typer.Option(help="bare calls of a round")] = 10_000,
    rounds: Annotated[int, typer.Option(help="rounds of both, interleaved")] = 3,
    memory: Annotated[bool, typer.Option(help="also run 1,000 and 100,000 tasks, to compare memory")] = True,
) -> None:
    """Print both rates, their ratio, and the coordinator's memory."""
    with cluster("local"):
        bare, ours = [], []
        for _ in range(rounds):
            bare.append(bare_calls_per_s(calls))
            ours.append(dispatch(tasks)[0])
            print(f"bare {bare[-1]:,.0f} calls/s, ours {ours[-1]:,.0f} tasks/s", flush=True)
        ratio = statistics.median(o / b for o, b in zip(ours, bare, strict=True))
        print(f"tasks/s over bare calls/s: median {ratio:.2f} (aim: at least 0.8)")
        for count in (1_000, 100_000) if memory else ():
            per_s, resident_bytes = dispatch(count)
            print(f"{count:,} tasks: {per_s:,.0f} tasks/s, coordinator {resident_bytes / 2**20:.0f} MiB resident")


if __name__ == "__main__":
    typer.run(main)
