"""TaskQueue and Sinks behind one call: here are my rows, what is next?

Being one object, 'these rows are done' and 'this task is finished' are one step. Runs inline or as a Ray
actor, without knowing which. Knows no device beyond what a worker's seat says.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final, Literal

from sweeps.ceilings import Ceilings
from sweeps.errors import InputChanged, InputElsewhere, UserError
from sweeps.factors import Catalogue
from sweeps.finished import Again, pending_groups
from sweeps.handing_on import HandingOn
from sweeps.members import Member, Members
from sweeps.observer import Observer
from sweeps.plan import Plan
from sweeps.queue import Stake, TaskQueue
from sweeps.rows import failed_rows
from sweeps.run_directory import RunDirectory
from sweeps.schema import FAILED, MEASURE
from sweeps.sharing import Sharing, yields
from sweeps.standing import Status, SweepStatus, WorkerStatus
from sweeps.task import Answer, Lease, Outcome, Part, Row, Run, Seat, Slot, Stop, Task, Wait

LEASE_S: Final = 0.4
"""Small tasks are leased together until about this much work is in a worker's hands."""
MAX_LEASED: Final = 64
ISOLATION_WAIT_S: Final = 0.05
MAX_REASONS_TOLD: Final = 20
"""Why tasks are unsupported, told while the run goes on; all reasons stand in the rows."""

Isolation = Literal["device", "node"]


@dataclass(frozen=True)
class Policy:
    """How a run behaves, beyond what it runs."""

    isolation: Isolation = "device"
    timeout_s: float = 3600.0
    again: Again = field(default_factory=Again)
    fresh: bool = False
    command: str = ""
    """The command that carries on: kept beside the rows."""
    ladder: tuple[str, ...] = ()
    """Device classes by memory, the smallest first, `cpu` last: where what does not fit is handed on to."""


class Coordinator:
    """The queue, the sinks and the members of one run."""

    def __init__(self, plan: Plan, catalogue: Catalogue, policy: Policy, observer: Observer | None = None) -> None:
        """Nothing is touched before `open`.

        Args:
            plan: what is to run, and where.
            catalogue: what its benchmarks declare.
            policy: isolation, timeout, retries.
            observer: told of what happens; None: nobody watches.
        """
        self._plan = plan
        self._catalogue = catalogue
        self._directory = RunDirectory(plan, policy.command)
        self._policy = policy
        self._observer = observer or Observer()
        self._queue: TaskQueue[Slot] = TaskQueue({})
        self._began_s: float | None = None
        self._members = Members()
        self._counts: dict[str, Counter[str]] = {grid.sweep.name: Counter() for grid in plan.grids}
        self._unflushed: dict[str, str] = {}
        """How tasks ended whose rows are not on disk yet."""
        self._done_before = self._untried = self._rows = self._measured = self._loads = self._loads_naive = 0
        self._draining = False
        self._warnings: list[str] = []
        self._waiting_for = ""
        self._reasons_told: set[str] = set()
        self._handing_on = HandingOn(catalogue, policy.ladder)
        self._remarks: Counter[str] = Counter()
        self._ceilings = Ceilings(catalogue)
        self._sharing = Sharing()

    def open(self) -> None:
        """Take the run directory, read what is done, queue the rest.

        Raises:
            UserError: not writable, in use, not empty with `--fresh`, or not what the plan was made from.
        """
        self._directory.open(fresh=self._policy.fresh, warn=self._warnings.append)
        finished = self._directory.finished(self._policy.again, self._warnings.append)
        try:
            groups = pending_groups(self._plan, finished)
        except UserError:
            self._directory.close()
            raise
        for sweep, counts in finished.counts.items():
            self._counts[sweep].update(counts)
        self._done_before = len(finished.statuses)
        self._measured = finished.measured
        self._queue = TaskQueue(groups)

    def join(self, seat: Seat, environment: dict[str, Any], environment_id: str) -> None:
        """A worker introduces itself: its seat, and the environment that its rows refer to."""
        self._members.add(seat)
        self._began_s = time.monotonic() if self._began_s is None else self._began_s
        self._directory.add_environment(environment_id, environment)

    def exchange(self, worker_id: str, outcomes: Sequence[Outcome]) -> Answer:
        """Take finished tasks' rows in, say what comes next; asked twice, it says the same."""
        self.deliver(worker_id, outcomes)
        member = self._members.get(worker_id)
        if member is None or self._draining or self._directory.failure:
            return Stop()
        if member.leases:  # the last answer got lost on its way
            attempts = self._queue.leases(worker_id)
            again = tuple(Lease(task, attempts[number]) for number, task in member.leases.values())
            return Run(again, self._members.neighbours(member.seat))
        if self._policy.isolation == "node" and self._members.neighbours(member.seat):
            return Wait(ISOLATION_WAIT_S)
        leased = self._lease(member)
        if not leased:
            return Stop()
        member.leases = {lease.task.task_id: (number, lease.task) for number, lease in leased}
        member.leased_at_s = time.monotonic()
        return Run(tuple(lease for _, lease in leased), self._members.neighbours(member.seat))

    def deliver(self, worker_id: str, outcomes: Sequence[Outcome]) -> None:
        """Take finished tasks' rows in; what a worker that was given up still sends is dropped."""
        if member := self._members.get(worker_id):
            for outcome in outcomes:
                self._record(member, outcome)
        self._tell_spoilt(self._directory.flush_if_due())

    def lost(self, worker_id: str, status: str, reason: str) -> int:
        """A worker is gone: what it had leased runs again, or, out of attempts, becomes rows of `status`.

        Returns:
            How many tasks it had leased; -1 if it had not even joined.
        """
        member = self._members.remove(worker_id)
        if member is None:
            return -1
        tasks = dict(member.leases.values())
        surrendered = self._queue.surrender(
            worker_id, {number: (task.slot, task.load_key) for number, task in tasks.items()}
        )
        for number, attempt in surrendered.given_up:
            self._ceilings.note(tasks[number], member.seat, status)
            self._give_up(number, Lease(tasks[number], attempt), status, reason)
        self._warnings.append(f"worker {worker_id} is gone: {reason}")
        self._observer.lost(member.seat, status)
        return len(tasks)

    def ship(self, task: Task) -> Part:
        """The part of a task with its data inside, read here, where the run was started.

        Raises:
            InputChanged: they are not what they were when the run was planned.
        """
        if task.part is None:
            raise ValueError(f"{task.label}: a task without parts has nothing to ship")
        return self._catalogue[task.benchmark].ship(task.part)

    def leave(self, worker_id: str) -> None:
        """A worker ended in good order; should it hold a lease all the same, the task is not lost."""
        member = self._members.get(worker_id)
        if member is not None and member.leases:
            self.lost(worker_id, "worker_lost", "it left with a task in hand")
        self._queue.surrender(worker_id, {})
        self._members.remove(worker_id)

    def reject(self, slot: Slot, status: str, reason: str) -> None:
        """Nobody will ever serve `slot`: its tasks become rows of `status` at once."""
        for number in self._queue.drop(slot):
            self._untried += 1
            self._give_up(number, Lease(self._task(number), 1), status, reason)
            self._tell_spoilt(self._directory.flush_if_due())

    def overdue(self) -> list[str]:
        """Workers whose lease is older than its tasks' timeouts together."""
        now_s = time.monotonic()
        return [
            member.seat.worker_id
            for member in self._members
            if member.leases and now_s - member.leased_at_s > self._policy.timeout_s * len(member.leases)
        ]

    def drain(self, notice: str) -> None:
        """From now on nobody gets a task, of which `notice` tells; what is in flight still counts."""
        if not self._draining:
            self._warnings.append(notice)
        self._draining = True
        self._tell_spoilt(self._directory.flush())

    def wait_for(self, what: str) -> None:
        """Take in why started workers have no place yet, and who has it; empty: they have one."""
        self._waiting_for = what

    def tick(self) -> Status:
        """Flush what is due; say where the run stands."""
        self._tell_spoilt(self._directory.flush_if_due())
        status = self.status()
        self._observer.ticked(status)
        return status

    def status(self) -> Status:
        """Where the run stands."""
        counts = sum(self._counts.values(), Counter[str]())
        return Status(
            total=len(self._plan),
            done=counts.total(),
            done_before=self._done_before,
            untried=self._untried,
            rows=self._rows,
            measured=self._measured,
            counts=dict(counts),
            sweeps=tuple(self._sweep_status(grid.sweep.name, len(grid)) for grid in self._plan.grids),
            loads=self._loads,
            loads_naive=self._loads_naive,
            demand={} if self._draining or self._directory.failure else self._queue.demand(self._room()),
            workers=tuple(self._worker_status(member) for member in self._members),
            failure=self._directory.failure,
            warnings=tuple(self._warnings),
            remarks=dict(self._remarks),
            waiting=self._queue.waiting(),
            waiting_for=self._waiting_for,
            elapsed_s=0.0 if self._began_s is None else time.monotonic() - self._began_s,
        )

    def close(self) -> Status:
        """Flush, let the directory go, and say how it ended."""
        self._tell_spoilt(self._directory.close())
        status = self.status()
        self._observer.ticked(status)
        return status

    def _lease(self, member: Member) -> list[tuple[int, Lease]]:
        """Numbers and leases for a worker; what would run out of memory there gets its rows without being tried."""
        seat = member.seat
        while leased := self._queue.lease(seat.worker_id, seat.slot, self._lease_limit(member), self._room(seat)):
            leases = [(number, Lease(self._task(number), attempt)) for number, attempt in leased]
            hopeless = {number: why for number, lease in leases if (why := self._ceilings.above(lease.task, seat))}
            for number, lease in leases:
                if number in hopeless:
                    self._queue.finish(seat.worker_id, number, lease.attempt)
                    self._untried += 1
                    self._give_up(number, lease, "skipped_oom", hopeless[number], _whereabouts(seat))
            if left := [(number, lease) for number, lease in leases if number not in hopeless]:
                return left
        return []

    def _room(self, newcomer: Seat | None = None) -> Callable[[Stake[Slot]], int]:
        """How many more workers a model has use for; none, while they could leave for one that nobody holds."""
        untouched = cache(self._queue.untouched)  # mostly nobody asks

        def room(stake: Stake[Slot]) -> int:
            if any(yields(stake.slot, slot) for slot in untouched()):
                return 0
            holders = [self._members[worker_id].seat for worker_id in stake.holders]
            return self._sharing.room(stake.load_key, stake.waiting, stake.in_hand, holders, newcomer or stake.slot)

        return room

    def _record(self, member: Member, outcome: Outcome) -> None:
        number, task = member.leases.pop(outcome.task_id, (None, None))
        if number is None or task is None:
            return
        if not self._queue.finish(member.seat.worker_id, number, outcome.attempt):
            return  # a late answer of an attempt that was given up: its rows exist already, or will
        if outcome.changed is not None:
            self._stop_changed(outcome.changed)
            return
        self._loads += outcome.loads
        self._loads_naive += not task.load_key.startswith("nothing")
        average_s = outcome.duration_s if member.task_s is None else member.task_s
        member.task_s = 0.7 * average_s + 0.3 * outcome.duration_s
        self._ceilings.note(task, member.seat, outcome.rows[-1]["status"])
        self._sharing.note(task, member.seat, outcome)
        self._observer.recorded(task, member.seat, outcome)
        if slot := self._handing_on.up(number, task, member.seat, outcome):
            self._queue.add(number, slot, task.load_key)
        else:
            self._complete(number, task, outcome.rows)

    def _complete(self, number: int, task: Task, rows: Sequence[Row]) -> None:
        whole = [*self._handing_on.kept(number), *rows]
        status, measure = rows[-1]["status"], MEASURE.get(task.benchmark, "status")
        self._directory.add(task.sweep, whole)
        self._rows += len(whole)
        self._measured += any(row["status"] == "ok" and row.get(measure) is not None for row in whole)
        self._remarks.update(self._catalogue[task.benchmark].remarks(whole))
        self._counts[task.sweep][status] += 1
        self._unflushed[task.task_id] = status
        if status in ("unsupported", "unavailable"):
            self._tell_once(f"{status}: {rows[-1]['error_message']}")
        self._observer.completed(task, whole)

    def _stop_changed(self, reason: str) -> None:
        """An input is another one than was planned with: no more tasks, and what was at it has no rows."""
        self._directory.stop(f"{reason}; nothing measured of the changed input counts as done")

    def _tell_spoilt(self, rows: Sequence[Row]) -> None:
        """Rows that could not be written as they were: their tasks count as errors."""
        for row in {row["task_id"]: row for row in rows}.values():
            self._counts[row["sweep"]].subtract([self._unflushed.get(row["task_id"], "ok")])
            self._counts[row["sweep"]]["error"] += 1
            self._warnings.append(f"task {row['task_id']}: {row['error_message']}; it counts as an error")
        if not self._directory.has_waiting:
            self._unflushed.clear()

    def _tell_once(self, reason: str) -> None:
        """As a warning, when it comes up first: a card that lacks something lacks it for hours of the run."""
        if reason in self._reasons_told or len(self._reasons_told) >= MAX_REASONS_TOLD:
            return
        self._reasons_told.add(reason)
        self._warnings.append(reason)

    def _task(self, number: int) -> Task:
        return self._handing_on.as_it_is_now(number, self._plan.task(number))

    def _give_up(self, number: int, lease: Lease, status: str, reason: str, facts: Row | None = None) -> None:
        try:
            # what could not even be tried has one row a task: the pieces of a whole corpus would take long to read
            never_tried = status == "unavailable"
            pieces = ({},) if never_tried else self._catalogue[lease.task.benchmark].pieces(lease.task)
            rows = failed_rows(lease, pieces, facts or {}, status, None, reason)
        except (InputChanged, InputElsewhere) as error:  # read where the run was started: elsewhere is gone
            self._stop_changed(str(error))
        else:
            self._complete(number, lease.task, rows)

    def _lease_limit(self, member: Member) -> int:
        """So many that they last about LEASE_S, and leave the slot's other workers their share."""
        if member.task_s is None:
            return 1
        slot = member.seat.slot
        share = self._queue.pending(slot) // (2 * self._members.on_slot(slot))
        return max(1, min(MAX_LEASED, share, int(LEASE_S / max(member.task_s, 1e-6))))

    def _sweep_status(self, name: str, total: int) -> SweepStatus:
        counts = self._counts[name]
        return SweepStatus(name, total, counts.total(), sum(counts[status] for status in FAILED))

    def _worker_status(self, member: Member) -> WorkerStatus:
        tasks: Iterator[Task] = (task for _, task in member.leases.values())
        first = next(tasks, None)
        return WorkerStatus(
            worker_id=member.seat.worker_id,
            slot=member.seat.slot,
            device=member.seat.device_name,
            model=first.model if first else "",
            running=first.label if first else "",
            running_s=time.monotonic() - member.leased_at_s if first else 0.0,
        )


def _whereabouts(seat: Seat) -> Row:
    return {
        "host": seat.host,
        "device_class": seat.device_class,
        "device_name": seat.device_name,
        "worker_id": seat.worker_id,
    }
