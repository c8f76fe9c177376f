"""Finished tasks of a plan, and those that this command runs again.

The dry run and the coordinator ask the same question here, so that what is shown is what runs.
"""

from array import array
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sweeps.errors import SpecChanged
from sweeps.plan.declaration import Registry
from sweeps.plan.grid import Group, Plan
from sweeps.store.parts import OnDisk, read_on_disk
from sweeps.task_status import FAILURES


@dataclass(frozen=True)
class Again:
    """Rules for which finished tasks run again."""

    statuses: tuple[str, ...] = ()
    """Statuses that `--retry` names."""
    environments: frozenset[str] = frozenset()
    """Ids of the present environments: a task that was `unsupported` in another one may run now. Empty: not known."""

    def of(self, on_disk: OnDisk) -> set[str]:
        """Return the tasks that run again; tasks that were `unavailable` always do: they were never tried."""
        elsewhere = {
            task_id
            for task_id, environment_id in on_disk.unsupported_in.items()
            if self.environments and environment_id not in self.environments
        }
        statuses = {*self.statuses, "unavailable"}
        return elsewhere | {task_id for task_id, status in on_disk.statuses.items() if status in statuses}


@dataclass(frozen=True)
class Finished:
    """Tasks of a plan that are on disk."""

    statuses: Mapping[str, str] = field(default_factory=dict)
    """Status of every task that is done, by id."""
    again: frozenset[str] = frozenset()
    """Tasks on disk that run again."""
    measured: int = 0
    """Tasks of these that have a row with a measurement."""
    counts: Mapping[str, Counter[str]] = field(default_factory=dict)
    """Number of tasks that are done, by sweep and status."""
    repeated: int = 0
    """Tasks that stand in more than one part."""

    @property
    def left_failed(self) -> Counter[str]:
        """Number of tasks that ended in a failure and do not run again, by status."""
        return Counter(status for status in self.statuses.values() if status in FAILURES)


def read_finished(
    plan: Plan, registry: Registry, again: Again, damaged: Callable[[Path, Exception], object]
) -> Finished:
    """Read the finished tasks of every sweep of a plan; no file is touched, but by `damaged`.

    Args:
        plan: of the run.
        registry: of its benchmarks.
        again: rules for which finished tasks run again.
        damaged: called with every part that cannot be read, and the error.
    """
    statuses: dict[str, str] = {}
    repeated: set[str] = set()
    counts: dict[str, Counter[str]] = {}
    measured = doubled = 0
    for grid in plan.grids:
        on_disk = read_on_disk(
            plan.directory / grid.sweep.name, registry[grid.sweep.benchmark].columns.measure, damaged
        )
        once_more = again.of(on_disk)
        done = {task_id: status for task_id, status in on_disk.statuses.items() if task_id not in once_more}
        statuses |= done
        repeated |= once_more
        counts[grid.sweep.name] = Counter(done.values())
        measured += len(on_disk.measured - once_more)
        doubled += len(on_disk.repeated)
    return Finished(statuses, frozenset(repeated), measured, counts, doubled)


def pending_groups(plan: Plan, finished: Finished) -> dict[Group, "array[int]"]:
    """Return the numbers of the tasks that are left, by slot and load key, each in the order in which they run.

    Raises:
        SpecChanged: rows on disk are of tasks that the plan does not have, so counting them would be wrong.
    """
    groups: dict[Group, array[int]] = {}
    strangers = set(finished.statuses)
    for number, task in plan.tasks():
        if task.task_id in finished.statuses:
            strangers.discard(task.task_id)
        else:
            groups.setdefault((task.slot, task.load_key), array("I")).append(number)
    if strangers:
        raise SpecChanged(
            f"{plan.directory}: {len(strangers):,} of {len(finished.statuses):,} tasks on disk are not of this plan, "
            f"{sorted(strangers)[0]} for one: their corpus was another one then, or the spec was; give the spec "
            "another name, or choose another --out"
        )
    return groups
