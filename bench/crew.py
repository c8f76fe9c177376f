"""Workers of a bench: many in few processes, or one in each, on allocations that need not exist.

A pool like actors.ray_pool.pool's, but for pinning, and its processes are up before the clock starts.
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
"""Processes: more of them, and Ray thinks that they hang."""


class CountingLine(RayCoordinator):
    """Counts what its worker asks."""

    calls = 0

    def exchange(self, worker_id: str, outcomes: Sequence[Outcome]) -> Answer:
        self.calls += 1
        return super().exchange(worker_id, outcomes)


class Crew:
    """A process with one worker or several, each in a thread of its own; none is pinned."""

    def memory_bytes(self) -> int:
        """Of this process alone, what it shares with others left out."""
        return int(psutil.Process().memory_full_info().uss)

    def work(self, allocation: Allocation, coordinator: Any, benchmarks: Mapping[str, Benchmark]) -> int:
        """Pull and run until nothing is left; the number of calls to the coordinator."""
        line = CountingLine(coordinator)
        Worker(allocation, benchmarks, ({}, "scale")).work(line)
        return line.calls


@dataclass(frozen=True)
class Placement:
    """Where a worker is to sit, what its benchmarks do there, and the process that it runs in."""

    allocation: Allocation
    benchmarks: Mapping[str, Benchmark]
    crew: Any


class CrewPool:
    """Workers in processes that are up before the clock starts."""

    def __init__(self, coordinator: RayCoordinator, places: Sequence[Placement]) -> None:
        self.calls = 0
        self._coordinator = coordinator
        self._free = list(reversed(places))
        self._working: dict[Any, Allocation] = {}

    def infeasible(self, slot: Slot) -> str | None:
        """There is one kind of allocation, and one kind of task."""

    def start(self, slot: Slot) -> bool:  # noqa: ARG002 - the protocol's
        """On the next place; nobody comes back to one that was left."""
        if not self._free:
            return False
        place = self._free.pop()
        reference = place.crew.work.remote(place.allocation, self._coordinator.handle, place.benchmarks)
        self._working[reference] = place.allocation
        return True

    def running(self, slot: Slot) -> int:  # noqa: ARG002
        """Workers that have not left."""
        return len(self._working)

    def reap(self, timeout_s: float, tick: Callable[[], object]) -> list[WorkerExit]:
        """Whoever left; how often they called is added up."""
        del tick  # the workers run elsewhere
        done, _ = ray.wait(list(self._working), num_returns=len(self._working), timeout=timeout_s)
        self.calls += sum(ray.get(done))
        return [WorkerExit(allocation.worker_id, allocation.slot) for allocation in map(self._working.pop, done)]

    def kill(self, worker_id: str) -> None:
        """Nothing here hangs."""
        raise AssertionError(worker_id)


def crews(processes: int, workers: int) -> list[Any]:
    """That many processes, for `workers` threads together, up and running."""
    crew = ray.remote(num_cpus=0, max_concurrency=-(-workers // processes))(Crew)
    actors: list[Any] = []
    while len(actors) < processes:
        some = [crew.remote() for _ in range(min(STARTED_AT_ONCE, processes - len(actors)))]
        ray.get([actor.memory_bytes.remote() for actor in some])
        actors += some
    return actors
