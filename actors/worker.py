"""The worker: pull tasks, keep the model between tasks, run the tasks, hand their rows back.

A plain class that the inline pool and the Ray actor share; it knows neither of them. An exception inside a task
becomes that task's row. Only a device that is beyond use ends the worker.
"""

import datetime
import gc
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, NoReturn

from actors import failures
from actors.benchmarks.base import OOM_ITEM, Benchmark
from actors.checks import model_revisions
from actors.devices import pinning
from sweeps.errors import InputChanged, InputElsewhere
from sweeps.plan.declaration import Factors
from sweeps.schedule.protocol import CoordinatorClient
from sweeps.store.rows import device_columns, failed_row, failed_rows, measured_row
from sweeps.task import Allocation, Answer, Lease, Outcome, Row, Run, Stop, Task, Wait


class DevicePoisoned(RuntimeError):
    """The CUDA context is broken; only a fresh process can use the device again."""


@dataclass
class _Held:
    """The resource that a worker has in memory, its load key, and the benchmark that can unload it."""

    load_key: str
    benchmark: Benchmark
    content: Any


class Worker:
    """Owner of an allocation, for as long as the coordinator has tasks for it."""

    def __init__(
        self,
        allocation: Allocation,
        benchmarks: Mapping[str, Benchmark],
        environment: tuple[dict[str, Any], str],
    ) -> None:
        """
        Args:
            allocation: devices of this worker, to which the process is pinned already.
            benchmarks: benchmarks by name.
            environment: content and id, as actors.probes.environment.describe returns them.
        """
        self._allocation = allocation
        self._benchmarks = benchmarks
        self._environment = environment
        self._held: _Held | None = None
        self._coordinator: CoordinatorClient | None = None
        self._failed_load: tuple[str, failures.Failure] | None = None

    def begin(self, coordinator: CoordinatorClient) -> Answer:
        """Join the coordinator, and ask it for the first tasks."""
        content, environment_id = self._environment
        coordinator.join(self._allocation, content, environment_id)
        return coordinator.exchange(self._allocation.worker_id, ())

    def work(self, coordinator: CoordinatorClient, first: Answer | None = None) -> None:
        """Pull and run tasks until the coordinator's answer is Stop.

        Args:
            coordinator: client of the run's coordinator.
            first: the answer that `begin` returned, if `begin` was called already.

        Raises:
            DevicePoisoned: the device is beyond use; the rows so far were delivered.
        """
        self._coordinator = coordinator
        answer = first or self.begin(coordinator)
        while not isinstance(answer, Stop):
            outcomes: list[Outcome] = []
            match answer:
                case Run(leases, neighbours, budget_s):
                    leased_s = time.perf_counter()
                    for lease in leases:
                        outcome, failure = self._run(lease, neighbours)
                        outcomes.append(outcome)
                        if failure is not None and failure.poisons_device:
                            self._leave_device(coordinator, outcomes, failure)
                        if time.perf_counter() - leased_s > budget_s:
                            break  # the tasks take longer than was expected: other workers may have use for the rest
                case Wait(seconds):
                    time.sleep(seconds)
            answer = coordinator.exchange(self._allocation.worker_id, outcomes)
        self._unload()

    def _run(self, lease: Lease, neighbours: int) -> tuple[Outcome, failures.Failure | None]:
        """Run one task from lease to outcome; an exception inside the task is part of the outcome."""
        try:
            return self._outcome(lease, neighbours)
        except InputChanged as error:
            return Outcome(lease.task.task_id, lease.attempt, (), changed=str(error)), None

    def _outcome(self, lease: Lease, neighbours: int) -> tuple[Outcome, failures.Failure | None]:
        """Run one task to its rows.

        Raises:
            InputChanged: the task's rows would be of another input than the planned one.
        """
        started_s = time.perf_counter()
        task = lease.task
        first = task.first_iteration
        benchmark = self._benchmarks[task.benchmark]
        columns = benchmark.columns
        rows: list[Row] = []
        oom_items: list[str] = []
        loads = 0
        clock = _RowClock()
        failure: failures.Failure | None = None
        try:
            factors = benchmark.factors.model_validate(dict(task.factors))
            loads = self._load(task, benchmark, factors)
            for metrics in self._metrics(task, benchmark, factors):
                facts = self._facts(neighbours) | clock.lap()
                if OOM_ITEM in metrics:
                    oom_items.append(metrics.pop(OOM_ITEM))
                model_revisions.check_row(task, metrics, self._allocation.host)
                rows.append(measured_row(lease, columns, first + len(rows), facts, metrics))
        except InputChanged:
            raise
        except Exception as error:  # noqa: BLE001 - the protocol: an exception inside a task is a row
            model_revisions.check_models(task)
            failure = failures.classify(error)
            facts = self._facts(neighbours) | clock.lap()
            why = (failure.status, failure.error_type, failure.message)
            if rows:
                rows.append(failed_row(lease, columns, first + len(rows), facts, *why))
            else:
                rows = failed_rows(lease, columns, self._row_identities(task, benchmark), facts, *why)
        duration_s = time.perf_counter() - started_s
        return Outcome(task.task_id, lease.attempt, tuple(rows), frozenset(oom_items), loads, duration_s), failure

    def _metrics(self, task: Task, benchmark: Benchmark, factors: Factors) -> Iterator[Row]:
        """Yield the task's metrics; data that this node cannot see are fetched from the driver's node."""
        held = self._held.content if self._held else None
        try:
            yield from benchmark.rows(held, task, factors)
        except InputElsewhere:
            if self._coordinator is None:
                raise
            yield from benchmark.rows(held, replace(task, shard=self._coordinator.fetch(task)), factors)

    def _row_identities(self, task: Task, benchmark: Benchmark) -> Iterator[Row]:
        """Yield identity columns of every row of a task that failed before producing any."""
        try:
            yield from benchmark.row_identities(task)
        except InputElsewhere:
            if self._coordinator is not None:
                yield from benchmark.row_identities(replace(task, shard=self._coordinator.fetch(task)))

    def _load(self, task: Task, benchmark: Benchmark, factors: Factors) -> int:
        """Load the task's resource unless the worker holds it already; return the number of loads."""
        weights = benchmark.weights(factors, self._devices) if self._allocation.device_uuids else None
        if weights is not None:
            from actors.checks import preflight  # imports torch, which a worker without GPUs may never need

            preflight.check_build(weights.quantization, self._devices)
        if self._held is not None and self._held.load_key == task.load_key:
            return 0
        if self._failed_load is not None and self._failed_load[0] == task.load_key:
            raise failures.KnownLoadFailure(self._failed_load[1])
        self._unload()
        try:
            if weights is not None and task.loads:
                preflight.check_room(weights)
            content = benchmark.load(factors, self._devices)
        except Exception as error:
            failure = failures.classify(error)
            if failure.status != "error":  # unsupported or out of memory: the next cell would fail alike
                self._failed_load = (task.load_key, failure)
            raise
        self._held = _Held(task.load_key, benchmark, content)
        # Otherwise a collection before every timed span would search all of torch and transformers: 0.2 s were seen.
        gc.collect()
        gc.freeze()
        return int(task.loads)

    @property
    def _devices(self) -> tuple[str, ...]:
        """Torch names of the allocation's devices."""
        return tuple(f"cuda:{index}" for index in range(len(self._allocation.device_uuids))) or ("cpu",)

    def _unload(self) -> None:
        if self._held is not None:
            held, self._held = self._held, None
            gc.unfreeze()
            held.benchmark.unload(held.content)

    def _facts(self, neighbours: int) -> Row:
        return device_columns(self._allocation) | {
            "device_uuid": ",".join(self._allocation.device_uuids) or None,
            "threads_effective": pinning.threads_effective(),
            "affinity": list(pinning.affinity()),
            "neighbours": neighbours,
            "environment_id": self._environment[1],
        }

    def _leave_device(
        self, coordinator: CoordinatorClient, outcomes: list[Outcome], failure: failures.Failure
    ) -> NoReturn:
        coordinator.deliver(self._allocation.worker_id, outcomes)
        raise DevicePoisoned(f"{self._allocation.device_name}: {failure.message}")


class _RowClock:
    """Measures start and duration of each row; the first row includes the warm-ups."""

    def __init__(self) -> None:
        self._start()

    def lap(self) -> Row:
        """Return the columns of the row that ends now; the next row begins."""
        columns: Row = {"started_at": self._started_at, "duration_s": time.perf_counter() - self._started_s}
        self._start()
        return columns

    def _start(self) -> None:
        self._started_at = datetime.datetime.now(datetime.UTC)
        self._started_s = time.perf_counter()
