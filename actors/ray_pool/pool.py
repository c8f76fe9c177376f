"""Worker actors on the devices of a cluster's nodes: started, watched and ended for the supervisor.

Ray's restarts and retries are off, and it queues nothing for devices that do not exist (see docs/design.md, 'Why the
protocol is ours').
"""

import contextlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import ray
from ray.exceptions import ActorDiedError, ActorUnavailableError, OutOfMemoryError, RayError, RayTaskError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from actors.benchmarks.base import Benchmark
from actors.devices.allocator import Allocator
from actors.devices.nodes import Node
from actors.ray_pool.client import RayCoordinator
from actors.ray_pool.interpreter_checks import InterpreterChecks
from actors.ray_pool.node_watch import REFRESH_S, NodeWatch
from actors.ray_pool.nodes import is_node_gone
from actors.ray_pool.ray_errors import death_reason, first_line
from actors.ray_pool.runtime_env import runtime_env
from actors.ray_pool.waiting import waiting_message
from actors.ray_pool.worker import RAY_WORKER
from sweeps.plan.machines import Machines
from sweeps.schedule.protocol import WorkerExit
from sweeps.task import Slot


@dataclass(frozen=True)
class _StartedWorker:
    worker_id: str
    slot: Slot
    node_id: str
    actor: Any


class RayPool:
    """Worker actors on the allocations of a cluster's nodes."""

    def __init__(
        self,
        coordinator: RayCoordinator,
        benchmarks: Mapping[str, Benchmark],
        nodes: list[Node],
        machines: Machines | None = None,
    ) -> None:
        """
        Args:
            coordinator: the run's coordinator.
            benchmarks: benchmarks by name.
            nodes: the cluster's known nodes; nodes that join later are found.
            machines: interpreters by device class; None: all workers start with Ray's own.
        """
        self._coordinator = coordinator
        self._benchmarks = ray.put(dict(benchmarks))
        self._allocator = Allocator({node.node_id: node for node in nodes}, machines or Machines())
        self._nodes = NodeWatch(self._allocator)
        self._interpreters = InterpreterChecks()
        self._workers: dict[Any, _StartedWorker] = {}
        self._waiting_checked_s = time.monotonic()
        self._waiting_for = ""
        self._started = 0

    def infeasible(self, slot: Slot) -> str | None:
        """Return the reason why no node can offer `slot`; None if a node can, or if one that could may still join."""
        return self._nodes.infeasible(slot)

    def start(self, slot: Slot) -> bool:
        """Start a worker actor on free devices; False while none are free or their interpreter is being checked."""
        allocated = self._allocator.allocate(slot, f"{slot.device}-{self._started}")
        if allocated is None:
            return False
        node, allocation = allocated
        python = self._allocator.python(allocation)
        if python and not self._interpreters.is_ready(node.node_id, python):
            self._allocator.release(allocation.worker_id)
            return False
        self._started += 1
        actor = RAY_WORKER.options(
            name=f"{allocation.device_class} {allocation.worker_id} {self._coordinator.run}",
            num_cpus=slot.cores,
            num_gpus=slot.gpus,
            scheduling_strategy=NodeAffinitySchedulingStrategy(node.node_id, soft=False),
            runtime_env=runtime_env(python, node.host, node.files),
        ).remote(allocation, node, self._coordinator.handle, self._benchmarks)
        reference = actor.work.remote()
        self._workers[reference] = _StartedWorker(allocation.worker_id, slot, node.node_id, actor)
        return True

    def running(self, slot: Slot) -> int:
        """Return the number of workers of `slot` whose `work` has not returned."""
        return sum(worker.slot == slot for worker in self._workers.values())

    def reap(self, timeout_s: float, tick: Callable[[], object]) -> list[WorkerExit]:
        """Return the workers whose `work` returned or died, waiting at most `timeout_s` for the first."""
        del tick  # the workers run elsewhere, so the supervisor's own loop ticks often enough
        self._nodes.refresh()
        self._ban_failed_interpreters()
        self._report_waiting()
        if not self._workers:
            time.sleep(timeout_s)
            return []
        done, _ = ray.wait(list(self._workers), num_returns=len(self._workers), timeout=timeout_s)
        return [self._reap_one(reference) for reference in done]

    def kill(self, worker_id: str) -> None:
        """End the worker's process; `reap` returns the worker later."""
        for worker in self._workers.values():
            if worker.worker_id == worker_id:
                ray.kill(worker.actor)

    def close(self) -> None:
        """End every worker's process."""
        self._interpreters.close()
        for worker in self._workers.values():
            ray.kill(worker.actor)
        self._workers.clear()

    def _reap_one(self, reference: Any) -> WorkerExit:
        worker = self._workers.pop(reference)
        self._allocator.release(worker.worker_id)
        status, error = "worker_lost", None
        try:
            ray.get(reference)
        except OutOfMemoryError as problem:
            status, error = "oom_host", first_line(problem)
        except RayTaskError as problem:
            error = f"{type(problem.cause).__name__}: {first_line(problem.cause)}"
        except (ActorDiedError, ActorUnavailableError, RayError) as problem:
            error = death_reason(problem)
        with contextlib.suppress(RayError):
            ray.kill(worker.actor)
        is_gone = error is not None and is_node_gone(worker.node_id)
        if is_gone:
            self._nodes.remove_node(worker.node_id)
        return WorkerExit(worker.worker_id, worker.slot, error, status, is_gone)

    def _report_waiting(self) -> None:
        """Report workers for which Ray has no free devices to the coordinator, every REFRESH_S."""
        if time.monotonic() - self._waiting_checked_s < REFRESH_S:
            return
        self._waiting_checked_s = time.monotonic()
        started = [(worker.slot, worker.node_id, worker.actor) for worker in self._workers.values()]
        message = waiting_message(started, self._coordinator.run)
        if message != self._waiting_for:
            self._waiting_for = message
            self._coordinator.wait_for(message)

    def _ban_failed_interpreters(self) -> None:
        """Stop offering devices whose interpreter failed its check."""
        for failed in self._interpreters.new_failures():
            if node := self._allocator.nodes.get(failed.node_id):
                file, python = self._allocator.machines.file, failed.python
                reason = f"{file} has workers there start with {python}, which does not do on {node.host}: "
                reason += f"{failed.reason} (docs/clusters.md, 'Interpreters')"
                self._allocator.ban_interpreter(failed.node_id, python, reason)
