"""A worker as a Ray actor: a process that owns one allocation."""

from collections.abc import Mapping
from typing import Any

import ray

from actors.benchmarks.base import Benchmark
from actors.devices import pinning
from actors.devices.nodes import Node
from actors.probes import environment
from actors.ray_pool.client import RayCoordinator
from sweeps.task import Allocation, Answer, Run


class RayWorker:
    """A worker's process; Ray's dashboard shows its name and repr."""

    # Ray asks for the repr also where __init__ failed, and a repr that fails would hide the reason.
    _allocation: Allocation | None = None
    _first: Answer | None = None

    def __init__(
        self, allocation: Allocation, node: Node, coordinator: Any, benchmarks: Mapping[str, Benchmark]
    ) -> None:
        pinning.pin(allocation)
        from actors.worker import Worker  # after pinning: this import may import torch

        self._allocation = allocation
        self._coordinator = RayCoordinator(coordinator)
        self._worker = Worker(allocation, benchmarks, environment.describe(node))
        self._first = self._worker.begin(self._coordinator)

    def __repr__(self) -> str:
        """Return the device, the slot and the first task's model; Ray asks once, after the start."""
        if self._allocation is None:
            return "a worker that did not start"
        model = self._first.leases[0].task.model if isinstance(self._first, Run) else ""
        return f"{self._allocation.device_name} [{self._allocation.slot}] {model}".rstrip()

    def work(self) -> None:
        """Pull and run tasks until none is left for this allocation."""
        self._worker.work(self._coordinator, self._first)


RAY_WORKER: Any = ray.remote(max_restarts=0, max_task_retries=0)(RayWorker)
