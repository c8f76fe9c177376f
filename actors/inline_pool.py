"""Workers in this process, one after the other: for tests, debugging and machines without Ray.

The protocol is the same as on Ray, with two limits. The time limit does not interrupt a task that hangs in native
code. A crash ends the whole run; the same command continues the run.
"""

import signal
import threading
from collections.abc import Callable, Mapping, Sequence
from types import FrameType
from typing import Any, NoReturn

from actors.benchmarks.base import Benchmark
from actors.devices.allocator import Allocator
from actors.devices.nodes import Node
from actors.devices.pinning import pinned
from actors.failures import TaskTimeout
from actors.probes.environment import describe
from actors.worker import Worker
from sweeps.schedule.protocol import CoordinatorApi, WorkerExit
from sweeps.task import Allocation, Answer, Outcome, Run, Slot, Task, TaskShard


class InlinePool:
    """A pool of at most one worker, which runs while the supervisor waits for its end."""

    def __init__(
        self, coordinator: CoordinatorApi, benchmarks: Mapping[str, Benchmark], node: Node, timeout_s: float
    ) -> None:
        self._coordinator = coordinator
        self._benchmarks = benchmarks
        self._node = node
        self._allocator = Allocator({node.node_id: node})
        self._timeout_s = timeout_s
        self._allocation: Allocation | None = None
        self._started = 0

    def infeasible(self, slot: Slot) -> str | None:
        """Return the reason why this machine can never offer `slot`; None if it can."""
        return self._allocator.infeasible(slot)

    def start(self, slot: Slot) -> bool:
        """Allocate devices for a worker, which `reap` will run; return False while another worker has devices."""
        if self._allocation is not None:
            return False
        allocated = self._allocator.allocate(slot, f"inline-{self._started}")
        if allocated is None:
            return False
        self._started += 1
        self._allocation = allocated[1]
        return True

    def running(self, slot: Slot) -> int:
        """Return 1 while a worker of that slot has its allocation, else 0."""
        return int(self._allocation is not None and self._allocation.slot == slot)

    def reap(self, timeout_s: float, tick: Callable[[], object]) -> list[WorkerExit]:
        """Run the worker to its end; `timeout_s` is not kept, because worker and supervisor share a thread."""
        del timeout_s
        if self._allocation is None:
            return []
        allocation = self._allocation
        coordinator = _TimedCoordinator(self._coordinator, tick, self._timeout_s)
        worker = Worker(allocation, self._benchmarks, describe(self._node))
        try:
            with pinned(allocation):
                worker.work(coordinator)
            return [WorkerExit(allocation.worker_id, allocation.slot)]
        except RuntimeError as error:
            return [WorkerExit(allocation.worker_id, allocation.slot, str(error))]
        finally:
            coordinator.stop_clock()
            self._allocator.release(allocation.worker_id)
            self._allocation = None

    def kill(self, worker_id: str) -> None:
        """Do nothing: an alarm inside the task keeps the time limit."""


class _TimedCoordinator:
    """The coordinator client of an inline worker; every exchange also ticks and sets the alarm for the next tasks."""

    def __init__(self, coordinator: CoordinatorApi, tick: Callable[[], object], timeout_s: float) -> None:
        self._coordinator = coordinator
        self._tick = tick
        self._timeout_s = timeout_s
        # Alarms reach the main thread only. In another thread, as in some test runners, there is no time limit.
        self._has_alarm = threading.current_thread() is threading.main_thread()

    def join(self, allocation: Allocation, environment: dict[str, Any], environment_id: str) -> None:
        self._coordinator.join(allocation, environment, environment_id)

    def exchange(self, worker_id: str, outcomes: Sequence[Outcome]) -> Answer:
        self.stop_clock()
        self._tick()
        answer = self._coordinator.exchange(worker_id, outcomes)
        self._tick()
        if isinstance(answer, Run) and self._has_alarm:
            signal.signal(signal.SIGALRM, _time_is_up)
            signal.setitimer(signal.ITIMER_REAL, self._timeout_s * len(answer.leases))
        return answer

    def deliver(self, worker_id: str, outcomes: Sequence[Outcome]) -> None:
        self._coordinator.deliver(worker_id, outcomes)

    def fetch(self, task: Task) -> TaskShard:
        return self._coordinator.fetch(task)

    def stop_clock(self) -> None:
        """Switch the alarm off, because no task is running."""
        if self._has_alarm:
            signal.setitimer(signal.ITIMER_REAL, 0)


def _time_is_up(_signal: int, _frame: FrameType | None) -> NoReturn:
    raise TaskTimeout("over its time limit (--timeout-s)")
