"""Workers in this process, one after the other: tests, debugging, machines without Ray.

The same protocol as on Ray. What a process cannot do to itself it does not claim: a task that hangs in native
code is not interrupted by its time limit, and a crash takes the run along (the same command carries on).
"""

import signal
import threading
from collections.abc import Callable, Mapping, Sequence
from types import FrameType
from typing import Any, NoReturn

from actors.benchmarks.base import Benchmark
from actors.environment import describe
from actors.failures import TaskTimeout
from actors.pinning import claimed
from actors.slots import Floor, Node
from actors.worker import Worker
from sweeps.supervisor import CoordinatorLike, Ended
from sweeps.task import Answer, Outcome, Part, Run, Seat, Slot, Task


class InlinePool:
    """At most one worker at a time; it runs while the supervisor waits for it to end."""

    def __init__(
        self, coordinator: CoordinatorLike, benchmarks: Mapping[str, Benchmark], node: Node, timeout_s: float
    ) -> None:
        self._coordinator = coordinator
        self._benchmarks = benchmarks
        self._node = node
        self._floor = Floor({node.node_id: node})
        self._timeout_s = timeout_s
        self._seat: Seat | None = None
        self._started = 0

    def never(self, slot: Slot) -> str | None:
        """Why this machine can never offer `slot`."""
        return self._floor.never(slot)

    def start(self, slot: Slot) -> bool:
        """Take a seat; the worker runs in `ended`."""
        if self._seat is not None:
            return False
        taken = self._floor.take(slot, f"inline-{self._started}")
        if taken is None:
            return False
        self._started += 1
        self._seat = taken[1]
        return True

    def alive(self, slot: Slot) -> int:
        """1 while a worker of that slot has its seat."""
        return int(self._seat is not None and self._seat.slot == slot)

    def ended(self, timeout_s: float, pulse: Callable[[], object]) -> list[Ended]:
        """Run the worker to its end; `timeout_s` cannot be kept from within."""
        del timeout_s
        if self._seat is None:
            return []
        seat = self._seat
        line = _Line(self._coordinator, pulse, self._timeout_s)
        worker = Worker(seat, self._benchmarks, describe(self._node))
        try:
            with claimed(seat):
                worker.work(line)
            return [Ended(seat.worker_id, seat.slot)]
        except RuntimeError as error:
            return [Ended(seat.worker_id, seat.slot, str(error))]
        finally:
            line.stop_clock()
            self._floor.release(seat.worker_id)
            self._seat = None

    def kill(self, worker_id: str) -> None:
        """Nothing to do: the time limit is an alarm inside the task."""


class _Line:
    """The coordinator as an inline worker sees it: every exchange also moves the view and sets the alarm."""

    def __init__(self, coordinator: CoordinatorLike, pulse: Callable[[], object], timeout_s: float) -> None:
        self._coordinator = coordinator
        self._pulse = pulse
        self._timeout_s = timeout_s
        # Alarms reach the main thread only; elsewhere (some test runners) there is no time limit.
        self._has_alarm = threading.current_thread() is threading.main_thread()

    def join(self, seat: Seat, environment: dict[str, Any], environment_id: str) -> None:
        self._coordinator.join(seat, environment, environment_id)

    def exchange(self, worker_id: str, outcomes: Sequence[Outcome]) -> Answer:
        self.stop_clock()
        self._pulse()
        answer = self._coordinator.exchange(worker_id, outcomes)
        self._pulse()
        if isinstance(answer, Run) and self._has_alarm:
            signal.signal(signal.SIGALRM, _time_is_up)
            signal.setitimer(signal.ITIMER_REAL, self._timeout_s * len(answer.leases))
        return answer

    def deliver(self, worker_id: str, outcomes: Sequence[Outcome]) -> None:
        self._coordinator.deliver(worker_id, outcomes)

    def ship(self, task: Task) -> Part:
        return self._coordinator.ship(task)

    def stop_clock(self) -> None:
        """No task is running: no alarm may ring."""
        if self._has_alarm:
            signal.setitimer(signal.ITIMER_REAL, 0)


def _time_is_up(_signal: int, _frame: FrameType | None) -> NoReturn:
    raise TaskTimeout("over its time limit (--timeout-s)")
