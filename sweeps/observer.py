"""What may be watched of a coordinator while it works. The base watches nothing: that is what inline runs have."""

from collections.abc import Sequence

from sweeps.standing import Status
from sweeps.task import Outcome, Row, Seat, Task


class Observer:
    """Told of everything that a coordinator learns; must be quick, for every task passes here."""

    def recorded(self, task: Task, seat: Seat, outcome: Outcome) -> None:
        """A worker handed a task in: what it took, and whether all of it is done now or not."""

    def completed(self, task: Task, rows: Sequence[Row]) -> None:
        """A task has all its rows, the last of which says how it ended."""

    def lost(self, seat: Seat, status: str) -> None:
        """A worker is gone: `worker_lost`, `timeout` or `oom_host`."""

    def ticked(self, status: Status) -> None:
        """Some time went by: where the run stands."""
