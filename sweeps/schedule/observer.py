"""Events of a coordinator that may be watched. The base class watches nothing: that is the one of inline runs."""

from collections.abc import Sequence

from sweeps.schedule.run_status import Status
from sweeps.task import Allocation, Outcome, Row, Task


class Observer:
    """Receives every event of a coordinator; must be quick, for every task passes here."""

    def recorded(self, task: Task, allocation: Allocation, outcome: Outcome) -> None:
        """Receive an outcome of a worker; the task may not be done with it, but escalate."""

    def completed(self, task: Task, rows: Sequence[Row]) -> None:
        """Receive all rows of a task that is done; the last one says how the task ended."""

    def lost(self, allocation: Allocation, status: str) -> None:
        """Receive the loss of a worker: `worker_lost`, `timeout` or `oom_host`."""

    def ticked(self, status: Status) -> None:
        """Receive the run's status, some times a second."""
