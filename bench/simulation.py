"""A discrete-event simulation of a cluster: the real supervisor, coordinator, queue and allocator, simulated workers.

The clock jumps from the end of one task to the end of the next. So a sweep of hours takes seconds, and its figures
are the same on every machine. Only the devices are simulated.
"""

import heapq
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from unittest import mock

from actors.devices.allocator import Allocator
from actors.devices.nodes import Node
from sweeps.plan.declaration import Registry
from sweeps.plan.spec import Spec
from sweeps.planning import make_plan
from sweeps.schedule import coordinator as coordinator_module
from sweeps.schedule.coordinator import Coordinator
from sweeps.schedule.policy import Policy
from sweeps.schedule.protocol import WorkerExit
from sweeps.schedule.supervisor import Interrupts, Supervisor
from sweeps.schema import COLUMNS
from sweeps.store.rows import measured_row
from sweeps.task import NO_LOAD, Allocation, Outcome, Run, Slot, Stop, Task, Wait


@dataclass(frozen=True)
class Costs:
    """Durations on an allocation's device, in seconds."""

    task_s: Callable[[Task, Allocation], float]
    load_s: Callable[[Task, Allocation], float]
    start_s: float = 0.0
    """Time from the start of a worker's process to its first exchange."""


@dataclass(frozen=True)
class SimulatedRun:
    """Figures of a simulated run."""

    makespan_s: float
    """Time from the start of the run to the end of its last task."""
    loads: int
    groups: int
    """Number of pairs of slot and model that some task needs: the smallest possible number of loads."""
    starts: int
    """Number of worker processes."""
    counts: dict[str, int]


@dataclass
class _Clock:
    """The coordinator's clock: stands in for the module `time`."""

    now_s: float = 0.0

    def monotonic(self) -> float:
        return self.now_s


@dataclass
class _Worker:
    allocation: Allocation
    joined: bool = False
    held: str = NO_LOAD
    outcomes: list[Outcome] = field(default_factory=list)


def simulate(spec: Spec, registry: Registry, node: Node, costs: Costs, directory: Path) -> SimulatedRun:
    """Run a spec on the devices of `node`; its rows have no metrics.

    Args:
        spec: with every factor, because no default is filled in.
        registry: the benchmarks of the spec, by name.
        node: the simulated devices.
        costs: durations of starts, loads and tasks.
        directory: the run's directory.
    """
    clock = _Clock()
    with mock.patch.object(coordinator_module, "time", clock):
        coordinator = Coordinator(make_plan(spec, registry, directory), registry, Policy(timeout_s=math.inf))
        coordinator.open()
        pool = _SimulatedPool(coordinator, node, costs, clock)
        Supervisor(coordinator, pool, lambda _: None, Interrupts(grace_s=0.0)).run()
        status = coordinator.close()
    groups = {(task.slot, task.load_key) for _, task in make_plan(spec, registry, directory).tasks()}
    loading = [load_key for _, load_key in groups if load_key != NO_LOAD]
    return SimulatedRun(pool.ended_at_s, status.loads, len(loading), pool.started, status.counts)


class _SimulatedPool:
    """Workers as events: each event is the moment at which a worker has finished its leases."""

    def __init__(self, coordinator: Coordinator, node: Node, costs: Costs, clock: _Clock) -> None:
        self.ended_at_s = 0.0
        self.started = 0
        self._coordinator = coordinator
        self._allocator = Allocator({node.node_id: node})
        self._costs = costs
        self._clock = clock
        self._workers: dict[str, _Worker] = {}
        self._due: list[tuple[float, int, str]] = []
        self._events = 0

    def infeasible(self, slot: Slot) -> str | None:
        return self._allocator.infeasible(slot)

    def start(self, slot: Slot) -> bool:
        worker_id = f"{slot.device}-{self.started}"
        allocated = self._allocator.allocate(slot, worker_id)
        if allocated is None:
            return False
        self.started += 1
        self._workers[worker_id] = _Worker(allocated[1])
        self._wake(worker_id, self._costs.start_s)
        return True

    def running(self, slot: Slot) -> int:
        return sum(worker.allocation.slot == slot for worker in self._workers.values())

    def reap(self, timeout_s: float, tick: Callable[[], object]) -> list[WorkerExit]:
        """Return the workers that end before the next tick, as on Ray; skip ticks before which nothing happens."""
        del tick
        if not self._due:
            self._clock.now_s += timeout_s
            return []
        idle_ticks = math.floor(max(0.0, self._due[0][0] - self._clock.now_s) / timeout_s)
        tick_s = self._clock.now_s + (1 + idle_ticks) * timeout_s
        ended: list[WorkerExit] = []
        while self._due and self._due[0][0] <= tick_s:
            self._clock.now_s, _, worker_id = heapq.heappop(self._due)
            if not self._exchange(worker_id):
                ended.append(WorkerExit(worker_id, self._workers.pop(worker_id).allocation.slot))
                self._allocator.release(worker_id)
        self._clock.now_s = tick_s
        return ended

    def kill(self, worker_id: str) -> None:
        raise AssertionError(f"{worker_id} was killed for its time limit, but the simulation has none")

    def _exchange(self, worker_id: str) -> bool:
        """Make a worker's next exchange, as Worker.work does; return False if the worker left."""
        worker = self._workers[worker_id]
        if not worker.joined:
            worker.joined = True
            self._coordinator.join(worker.allocation, {}, "simulated")
        if worker.outcomes:
            self.ended_at_s = self._clock.now_s
        answer = self._coordinator.exchange(worker_id, worker.outcomes)
        worker.outcomes = []
        match answer:
            case Run(leases, _, budget_s):
                for lease in leases:
                    if sum(outcome.duration_s for outcome in worker.outcomes) > budget_s:
                        break
                    load_s = self._load_s(worker, lease.task)
                    duration_s = (load_s or 0.0) + self._costs.task_s(lease.task, worker.allocation)
                    rows = (measured_row(lease, COLUMNS["noop"], 0, {}, {}),)
                    outcome = Outcome(
                        lease.task.task_id, lease.attempt, rows, loads=int(load_s is not None), duration_s=duration_s
                    )
                    worker.outcomes.append(outcome)
                self._wake(worker_id, sum(outcome.duration_s for outcome in worker.outcomes))
            case Wait(seconds):
                self._wake(worker_id, seconds)
            case Stop():
                return False
        return True

    def _load_s(self, worker: _Worker, task: Task) -> float | None:
        """Return the duration of the task's load; None if the task needs no load."""
        if task.load_key == worker.held or not task.loads:
            return None
        worker.held = task.load_key
        return self._costs.load_s(task, worker.allocation)

    def _wake(self, worker_id: str, after_s: float) -> None:
        self._events += 1
        heapq.heappush(self._due, (self._clock.now_s + after_s, self._events, worker_id))
