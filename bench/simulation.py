"""A cluster in fast motion: the real supervisor, coordinator, queue and allocator over workers that only keep time.

A discrete-event simulation: the clock jumps from one end of a task to the next, so a sweep of hours takes
seconds and its figures are the same on every machine. What is simulated is the devices and nothing else.
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
    """How long things take on a allocation's device, in seconds."""

    task_s: Callable[[Task, Allocation], float]
    load_s: Callable[[Task, Allocation], float]
    start_s: float = 0.0
    """From the start of a worker's process to its first question."""


@dataclass(frozen=True)
class Simulated:
    """How a run went."""

    makespan_s: float
    """From the start of the run to the end of its last task."""
    loads: int
    groups: int
    """Slots and models that some task needs together: fewer loads are not possible."""
    starts: int
    """Worker processes."""
    counts: dict[str, int]


@dataclass
class _Clock:
    """Stands in for the module `time` where the coordinator looks at it."""

    now_s: float = 0.0

    def monotonic(self) -> float:
        return self.now_s


@dataclass
class _Worker:
    allocation: Allocation
    joined: bool = False
    held: str = NO_LOAD
    outcomes: list[Outcome] = field(default_factory=list)


def simulate(spec: Spec, registry: Registry, node: Node, costs: Costs, directory: Path) -> Simulated:
    """Run a spec, every factor of it spelled out, on the devices of `node`; its rows have no metrics."""
    clock = _Clock()
    with mock.patch.object(coordinator_module, "time", clock):
        coordinator = Coordinator(make_plan(spec, registry, directory), registry, Policy(timeout_s=math.inf))
        coordinator.open()
        pool = _SimulatedPool(coordinator, node, costs, clock)
        Supervisor(coordinator, pool, lambda _: None, Interrupts(grace_s=0.0)).run()
        status = coordinator.close()
    groups = {(task.slot, task.load_key) for _, task in make_plan(spec, registry, directory).tasks()}
    loading = [load_key for _, load_key in groups if load_key != NO_LOAD]
    return Simulated(pool.ended_at_s, status.loads, len(loading), pool.started, status.counts)


class _SimulatedPool:
    """Workers as events: each is a moment at which it will have finished what it was leased."""

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
        taken = self._allocator.allocate(slot, worker_id)
        if taken is None:
            return False
        self.started += 1
        self._workers[worker_id] = _Worker(taken[1])
        self._wake(worker_id, self._costs.start_s)
        return True

    def running(self, slot: Slot) -> int:
        return sum(worker.allocation.slot == slot for worker in self._workers.values())

    def reap(self, timeout_s: float, tick: Callable[[], object]) -> list[WorkerExit]:
        """As on Ray: whoever ended until the next tick. Ticks before which nothing happens are jumped over."""
        del tick
        if not self._due:
            self._clock.now_s += timeout_s
            return []
        idle_ticks = math.floor(max(0.0, self._due[0][0] - self._clock.now_s) / timeout_s)
        tick_s = self._clock.now_s + (1 + idle_ticks) * timeout_s
        ended: list[WorkerExit] = []
        while self._due and self._due[0][0] <= tick_s:
            self._clock.now_s, _, worker_id = heapq.heappop(self._due)
            if not self._turn(worker_id):
                ended.append(WorkerExit(worker_id, self._workers.pop(worker_id).allocation.slot))
                self._allocator.release(worker_id)
        self._clock.now_s = tick_s
        return ended

    def kill(self, worker_id: str) -> None:
        raise AssertionError(f"{worker_id} is over its time limit, and there is none")

    def _turn(self, worker_id: str) -> bool:
        """What Worker.work does between two calls; False when it left."""
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
        """How long it takes to have in memory what the task needs; None if that is no load."""
        if task.load_key == worker.held or not task.loads:
            return None
        worker.held = task.load_key
        return self._costs.load_s(task, worker.allocation)

    def _wake(self, worker_id: str, after_s: float) -> None:
        self._events += 1
        heapq.heappush(self._due, (self._clock.now_s + after_s, self._events, worker_id))
