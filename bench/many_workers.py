"""Thousands of workers in fast motion: the coordinator's share of a core, and the makespan against the ideal.

    python -m bench.many_workers [--workers 2000] [--work-s 180]

The queue, coordinator and supervisor are the real ones, the workers only keep time (bench/simulation.py): one in three
is twice as fast as the others. The coordinator's own time is measured here; Ray's part of a call is added as
`bench.scale` saw it on two cores. Every length of task runs twice: leased by time alone, as it would be for few workers
('before'), and by the number of workers too.
"""

import contextlib
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final
from unittest import mock

import typer

from actors.benchmarks import BENCHMARKS
from actors.devices.nodes import Node
from bench.simulation import Costs, simulate
from sweeps.plan.spec import Spec, Sweep
from sweeps.schedule import lease_size
from sweeps.schedule.coordinator import Coordinator
from sweeps.schedule.lease_size import CALL_S
from sweeps.task import Allocation, Task

TASK_S: Final = (1.0, 10.0, 60.0)
FAST: Final = 3
"""Every so many-th worker is fast."""
SPEED: Final = 2.0
HOST_WORKERS: Final = 8
"""Workers of a machine with many GPUs."""


@dataclass
class _Meter:
    """Calls of a coordinator's workers, and its CPU time in all calls."""

    calls: int = 0
    cpu_s: float = 0.0


@contextlib.contextmanager
def metered() -> Iterator[_Meter]:
    """Measure every call of a Coordinator that workers and supervisor make."""
    meter = _Meter()

    def wrap(name: str) -> Any:
        method = getattr(Coordinator, name)

        def timed(self: Coordinator, *arguments: Any) -> Any:
            started_s = time.process_time()
            try:
                return method(self, *arguments)
            finally:
                meter.cpu_s += time.process_time() - started_s
                meter.calls += name == "exchange"

        return timed

    with contextlib.ExitStack() as stack:
        for name in ("exchange", "tick", "join", "leave"):
            stack.enter_context(mock.patch.object(Coordinator, name, wrap(name)))
        yield meter


@contextlib.contextmanager
def leased_by_time_alone() -> Iterator[None]:
    """Lease as few workers do, however many there are."""
    with mock.patch.object(lease_size, "CALL_S", 0.0):
        yield


def speed(allocation: Allocation) -> float:
    """Return the speed of a worker."""
    return SPEED if int(allocation.worker_id.rpartition("-")[2]) % FAST == 0 else 1.0


def measure(workers: int, task_s: float, work_s: float) -> str:
    """Run a sweep that would ideally last `work_s`; return its line of the table."""
    speeds = sum(SPEED if number % FAST == 0 else 1.0 for number in range(workers))
    tasks = max(1, round(work_s * speeds / task_s))
    factors: dict[str, list[Any]] = {"device": ["cpu"], "cpu_cores": [1], "wait_s": [0.0], "index": list(range(tasks))}
    spec = Spec(name="many", sweep=[Sweep(name="s", benchmark="noop", iterations=1, warmup=0, factors=factors)])
    nodes = [
        Node(f"n{first}", f"host{first}", "a place to wait", tuple(range(min(HOST_WORKERS, workers - first))))
        for first in range(0, workers, HOST_WORKERS)
    ]

    def duration_s(_task: Task, allocation: Allocation) -> float:
        return task_s / speed(allocation)

    costs = Costs(task_s=duration_s, load_s=lambda _task, _allocation: 0.0)
    with metered() as meter, tempfile.TemporaryDirectory() as directory:
        run = simulate(spec, BENCHMARKS, nodes, costs, Path(directory))
    if run.counts != {"ok": tasks}:
        raise RuntimeError(f"asked for {tasks} tasks, got {run.counts}")
    share = (meter.cpu_s + meter.calls * CALL_S) / run.makespan_s
    return (
        f"{tasks:9,} tasks, {meter.calls / run.makespan_s:7.1f} calls/s, coordinator {share:4.0%} of a core, "
        f"makespan {run.makespan_s / (tasks * task_s / speeds):.3f} of the ideal"
    )


def main(
    workers: Annotated[int, typer.Option(help="simulated workers")] = 2000,
    work_s: Annotated[
        float, typer.Option(help="ideal length of a sweep; tasks of a minute get ten times as long")
    ] = 180.0,
) -> None:
    """Print a line for each length of task, before and after."""
    for length_s in TASK_S:
        sweep_s = max(work_s, 10 * length_s)
        with leased_by_time_alone():
            print(f"{length_s:4g} s, before: {measure(workers, length_s, sweep_s)}", flush=True)
        print(f"{length_s:4g} s, after:  {measure(workers, length_s, sweep_s)}", flush=True)


if __name__ == "__main__":
    typer.run(main)
