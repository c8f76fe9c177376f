"""TaskQueue and run directory behind one call: here are my rows, which task is next?

Being one object, 'these rows are done' and 'this task is finished' are one step. Runs inline or as a Ray
actor, without knowing which. Knows no device beyond what a worker's allocation says.
"""

import time
from collections.abc import Sequence
from typing import Any, Final

from sweeps.errors import InputChanged, InputElsewhere, UserError
from sweeps.plan.declaration import Registry
from sweeps.plan.grid import Plan
from sweeps.schedule.cost_model import CostModel
from sweeps.schedule.escalation import Escalation
from sweeps.schedule.lease_size import budget_s
from sweeps.schedule.leasing import Leasing
from sweeps.schedule.ledger import Ledger
from sweeps.schedule.observer import Observer
from sweeps.schedule.oom_limits import OomLimits
from sweeps.schedule.policy import Policy
from sweeps.schedule.queue import TaskQueue
from sweeps.schedule.run_status import Status
from sweeps.schedule.workers import WorkerState, WorkerTable
from sweeps.store.finished import pending_groups
from sweeps.store.rows import device_columns, failed_rows
from sweeps.store.run_directory import RunDirectory
from sweeps.task import Allocation, Answer, Lease, Outcome, Row, Run, Slot, Stop, Task, TaskShard, Wait
from sweeps.task_status import TaskStatus

ISOLATION_WAIT_S: Final = 0.05


class Coordinator:
    """The queue, the run directory and the workers of one run."""

    def __init__(
        self,
        plan: Plan,
        registry: Registry,
        policy: Policy,
        devices_by_memory: Sequence[str] = (),
        observer: Observer | None = None,
    ) -> None:
        """Touch nothing on disk: `open` does.

        Args:
            plan: tasks of the run, and its directory.
            registry: of its benchmarks.
            policy: isolation, timeout, retries.
            devices_by_memory: device classes of the cluster, the one with the least memory first, `cpu` last.
            observer: receives the events of the run; None: nobody watches.
        """
        self._plan = plan
        self._registry = registry
        self._directory = RunDirectory(plan, registry, policy.command)
        self._policy = policy
        self._observer = observer or Observer()
        self._queue: TaskQueue[Slot] = TaskQueue({})
        self._workers = WorkerTable()
        self._ledger = Ledger({grid.sweep.name: len(grid) for grid in plan.grids})
        self._draining = False
        self._waiting_for = ""
        self._escalation = Escalation(registry, devices_by_memory)
        self._oom_limits = OomLimits(registry)
        self._cost_model = CostModel()
        self._leasing = Leasing(self._queue, self._workers, self._cost_model)

    def open(self) -> None:
        """Lock the run directory, read which tasks are done, queue the rest.

        Raises:
            UserError: not writable, in use, not empty with `--fresh`, or not what the plan was made from.
        """
        warn = self._ledger.warnings.append
        self._directory.open(fresh=self._policy.fresh, warn=warn)
        finished = self._directory.finished(self._policy.again, warn)
        try:
            groups = pending_groups(self._plan, finished)
        except UserError:
            self._directory.close()
            raise
        self._ledger.count_finished(finished)
        self._queue = TaskQueue(groups)
        self._leasing = Leasing(self._queue, self._workers, self._cost_model)

    def join(self, allocation: Allocation, environment: dict[str, Any], environment_id: str) -> None:
        """Add a worker.

        Args:
            allocation: devices of the worker.
            environment: versions and devices that its rows refer to.
            environment_id: by which its rows refer to them.
        """
        self._workers.add(allocation)
        self._ledger.start_clock()
        self._directory.add_environment(environment_id, environment)

    def exchange(self, worker_id: str, outcomes: Sequence[Outcome]) -> Answer:
        """Take a worker's finished tasks, and answer with the next ones; asked twice, the answer is the same."""
        self.deliver(worker_id, outcomes)
        worker = self._workers.get(worker_id)
        if worker is None:
            return Stop()
        if self._draining or self._directory.failure:
            self._leasing.take_back(worker, kept=0)  # its budget was used up before its leases: it leaves without them
            return Stop()
        neighbours = self._workers.neighbours(worker.allocation)
        if worker.leases:  # its budget was used up before its leases; or the last answer got lost on its way
            if outcomes:  # by the durations known now, some of its leases may be more than its share
                self._leasing.take_back(worker, kept=self._leasing.limit(worker, len(worker.leases)))
            worker.leased_at_s = time.monotonic()
            attempts = self._queue.leases(worker_id)
            leases = tuple(Lease(task, attempts[number]) for number, task in worker.leases.values())
            return Run(leases, neighbours, budget_s(len(self._workers)))
        if self._policy.isolation == "node" and neighbours:
            return Wait(ISOLATION_WAIT_S)
        leased = self._lease(worker)
        if not leased:
            return Stop()
        worker.leases = {lease.task.task_id: (number, lease.task) for number, lease in leased}
        worker.leased_at_s = time.monotonic()
        return Run(tuple(lease for _, lease in leased), neighbours, budget_s(len(self._workers)))

    def deliver(self, worker_id: str, outcomes: Sequence[Outcome]) -> None:
        """Take a worker's finished tasks; outcomes of a worker that was given up are dropped."""
        if worker := self._workers.get(worker_id):
            for outcome in outcomes:
                self._record(worker, outcome)
        self._count_unwritable(self._directory.flush_if_due())

    def lost(self, worker_id: str, status: str, reason: str) -> int:
        """Give up a worker that is gone: its tasks run again or, out of attempts, become rows of `status`.

        Returns:
            The number of tasks that it had leased; -1 if it had not even joined.
        """
        worker = self._workers.remove(worker_id)
        if worker is None:
            return -1
        tasks = dict(worker.leases.values())
        reclaimed = self._queue.reclaim(
            worker_id, {number: (task.slot, task.load_key) for number, task in tasks.items()}
        )
        for number, attempt in reclaimed.given_up:
            self._oom_limits.observe(tasks[number], worker.allocation, TaskStatus(status))
            self._give_up(number, Lease(tasks[number], attempt), status, reason)
        self._ledger.warnings.append(f"worker {worker_id} is gone: {reason}")
        self._observer.lost(worker.allocation, status)
        return len(tasks)

    def fetch(self, task: Task) -> TaskShard:
        """Return a task's shard with its data inside, read here, where the run was started.

        Raises:
            InputChanged: the data are not what they were when the run was planned.
        """
        if task.shard is None:
            raise ValueError(f"{task.label}: a task without a shard has no data to fetch")
        return self._registry[task.benchmark].fetch(task.shard)

    def leave(self, worker_id: str) -> None:
        """Remove a worker that ended in good order; should it hold a lease all the same, the task is not lost."""
        worker = self._workers.get(worker_id)
        if worker is not None and worker.leases:
            self.lost(worker_id, "worker_lost", "it left with a task in hand")
        self._queue.forget(worker_id)
        self._workers.remove(worker_id)

    def reject(self, slot: Slot, status: str, reason: str) -> None:
        """Turn the pending tasks of a slot that no worker will ever serve into rows of `status`."""
        for number in self._queue.cancel_slot(slot):
            self._ledger.count_untried()
            self._give_up(number, Lease(self._task(number), 1), status, reason)
            self._count_unwritable(self._directory.flush_if_due())

    def overdue(self) -> list[str]:
        """Return the workers whose lease is older than its tasks' timeouts together."""
        now_s = time.monotonic()
        return [
            worker.allocation.worker_id
            for worker in self._workers
            if worker.leases and now_s - worker.leased_at_s > self._policy.timeout_s * len(worker.leases)
        ]

    def drain(self, notice: str) -> None:
        """Lease no further task, and warn with `notice`; outcomes of tasks in flight still count."""
        if not self._draining:
            self._ledger.warnings.append(notice)
        self._draining = True
        self._count_unwritable(self._directory.flush())

    def wait_for(self, sentence: str) -> None:
        """Remember why started workers have no devices yet, and which run holds them; empty: they have some."""
        self._waiting_for = sentence

    def tick(self) -> Status:
        """Write rows that are due, and return the run's status."""
        self._count_unwritable(self._directory.flush_if_due())
        status = self.status()
        self._observer.ticked(status)
        return status

    def status(self) -> Status:
        """Return the run's status."""
        is_ending = self._draining or self._directory.failure
        return self._ledger.status(
            demand={} if is_ending else self._queue.demand(self._leasing.extra_workers()),
            workers=tuple(worker.status for worker in self._workers),
            failure=self._directory.failure,
            waiting=self._queue.pending_by_slot(),
            waiting_for=self._waiting_for,
        )

    def close(self) -> Status:
        """Write all rows, unlock the run directory, and return the run's last status."""
        self._count_unwritable(self._directory.close())
        status = self.status()
        self._observer.ticked(status)
        return status

    def _lease(self, worker: WorkerState) -> list[tuple[int, Lease]]:
        """Lease tasks to a worker, by number; tasks that would run out of memory there get their rows untried."""
        allocation = worker.allocation
        worker_id, slot, extra_workers = allocation.worker_id, allocation.slot, self._leasing.extra_workers(allocation)
        while leased := self._queue.lease(worker_id, slot, self._leasing.limit(worker), extra_workers):
            leases = [(number, Lease(self._task(number), attempt)) for number, attempt in leased]
            reasons = {number: self._oom_limits.skip_reason(lease.task, allocation) for number, lease in leases}
            for number, lease in leases:
                if reason := reasons[number]:
                    self._queue.finish(worker_id, number, lease.attempt)
                    self._ledger.count_untried()
                    self._give_up(number, lease, "skipped_oom", reason, device_columns(allocation))
            if left := [(number, lease) for number, lease in leases if not reasons[number]]:
                return left
        return []

    def _record(self, worker: WorkerState, outcome: Outcome) -> None:
        number, task = worker.leases.pop(outcome.task_id, (None, None))
        if number is None or task is None:
            return
        allocation = worker.allocation
        if not self._queue.finish(allocation.worker_id, number, outcome.attempt):
            return  # a late answer of an attempt that was given up: its rows exist already, or will
        if outcome.changed is not None:
            self._stop_changed(outcome.changed)
            return
        self._ledger.count_loads(task, outcome)
        worker.record_duration(outcome.duration_s)
        self._oom_limits.observe(task, allocation, outcome.status)
        self._cost_model.observe(task, allocation, outcome)
        self._observer.recorded(task, allocation, outcome)
        if slot := self._escalation.escalate(number, task, allocation, outcome):
            self._queue.requeue(number, slot, task.load_key)
        else:
            self._complete(number, task, outcome.rows)

    def _complete(self, number: int, task: Task, last_rows: Sequence[Row]) -> None:
        rows = [*self._escalation.finished_rows(number), *last_rows]
        benchmark = self._registry[task.benchmark]
        self._directory.add(task.sweep, rows)
        self._ledger.complete(task, rows, benchmark.columns.measure, benchmark.summary_counts(rows))
        self._observer.completed(task, rows)

    def _stop_changed(self, reason: str) -> None:
        """Stop the run because an input changed since it was planned; the task that read it gets no rows."""
        self._directory.stop(f"{reason}; nothing measured of the changed input counts as done")

    def _count_unwritable(self, rows: Sequence[Row]) -> None:
        """Count rows that were written as errors, after a flush."""
        self._ledger.count_unwritable(rows)
        if not self._directory.has_waiting:
            self._ledger.all_flushed()

    def _task(self, number: int) -> Task:
        return self._escalation.current(number, self._plan.task(number))

    def _give_up(self, number: int, lease: Lease, status: str, reason: str, facts: Row | None = None) -> None:
        """Give a task that is not measured its rows."""
        benchmark = self._registry[lease.task.benchmark]
        try:
            # A task that could not even be tried has one row: the items of a whole corpus would take long to read.
            never_tried = status == "unavailable"
            identities = ({},) if never_tried else benchmark.row_identities(lease.task)
            rows = failed_rows(lease, benchmark.columns, identities, facts or {}, status, None, reason)
        except (InputChanged, InputElsewhere) as error:  # read where the run was started: elsewhere is gone
            self._stop_changed(str(error))
        else:
            self._complete(number, lease.task, rows)
