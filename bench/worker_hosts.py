"""Workers for `bench.scale`: threads in a few processes, or one worker a process, on allocations that need not exist.

The pool is like actors.ray_pool.pool's, but pins no worker, and its processes are up before the clock starts.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import psutil
import ray

from actors.benchmarks.base import Benchmark
from actors.ray_pool.client import RayCoordinator
from actors.worker import Worker
from sweeps.schedule.protocol import WorkerExit
from sweeps.task import Allocation, Answer, Outcome, Slot

STARTED_AT_ONCE: Final = 8
"""Number of processes started together; if more start at once, Ray takes some of them for hung."""


class CountingCoordinator(RayCoordinator):
    """A coordinator client that counts its worker's exchanges."""

    calls = 0

    def exchange(self, worker_id: str, outcomes: Sequence[Outcome]) -> Answer:
        """Count the call, and pass it on."""
        self.calls += 1
        return super().exchange(worker_id, outcomes)


class WorkerHost:
    """A process with one or several workers, each in its own thread; none is pinned."""

    def memory_bytes(self) -> int:
        """Return the memory of this process alone; memory that it shares with others is left out."""
        return int(psutil.Process().memory_full_info().uss)

    def work(self, allocation: Allocation, coordinator: Any, benchmarks: Mapping[str, Benchmark]) -> int:
        """Run a worker until no task is left, and return its number of calls to the coordinator."""
        counting = CountingCoordinator(coordinator)
        Worker(allocation, benchmarks, ({}, "scale")).work(counting)
        return counting.calls


@dataclass(frozen=True)
class Placement:
    """A worker to be started: its allocation, its benchmarks, and the process that it runs in."""

    allocation: Allocation
    benchmarks: Mapping[str, Benchmark]
    worker_host: Any
    """Actor handle of a WorkerHost."""


class WorkerHostPool:
    """A worker pool on processes that are up already."""

    def __init__(self, coordinator: RayCoordinator, placements: Sequence[Placement]) -> None:
        self.calls = 0
        self._coordinator = coordinator
        self._free = list(reversed(placements))
        self._working: dict[Any, Allocation] = {}

    def infeasible(self, slot: Slot) -> str | None:
        """Return None: there is one kind of allocation, and one kind of task."""

    def start(self, slot: Slot) -> bool:  # noqa: ARG002 - the protocol's
        """Start a worker on the next placement; a placement is used once."""
        if not self._free:
            return False
        placement = self._free.pop()
        reference = placement.worker_host.work.remote(
            placement.allocation, self._coordinator.handle, placement.benchmarks
        )
        self._working[reference] = placement.allocation
        return True

    def running(self, slot: Slot) -> int:  # noqa: ARG002
        """Return the number of workers that have not left."""
        return len(self._working)

    def reap(self, timeout_s: float, tick: Callable[[], object]) -> list[WorkerExit]:
        """Return the workers that left, and add up their calls."""
        del tick  # the workers run elsewhere
        done, _ = ray.wait(list(self._working), num_returns=len(self._working), timeout=timeout_s)
        self.calls += sum(ray.get(done))
        return [WorkerExit(allocation.worker_id, allocation.slot) for allocation in map(self._working.pop, done)]

    def kill(self, worker_id: str) -> None:
        """Fail: no task here can hang."""
        raise AssertionError(worker_id)


def start_worker_hosts(processes: int, workers: int) -> list[Any]:
    """Start that many processes with room for `workers` threads together, and wait until they are up.

    Returns:
        Actor handles of WorkerHost.
    """
    host = ray.remote(num_cpus=0, max_concurrency=-(-workers // processes))(WorkerHost)
    actors: list[Any] = []
    while len(actors) < processes:
        started = [host.remote() for _ in range(min(STARTED_AT_ONCE, processes - len(actors)))]
        ray.get([actor.memory_bytes.remote() for actor in started])
        actors += started
    return actors
