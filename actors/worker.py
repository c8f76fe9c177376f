"""The worker: pull, keep the model, run, hand rows back.

A plain class that the inline pool and the Ray actor share; it knows neither. Whatever goes wrong inside a
task becomes that task's row; only a device that is beyond use ends the worker.
"""

import contextlib
import datetime
import gc
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, NoReturn

from actors import failures, pinning
from actors.benchmarks.base import UNFIT, Benchmark
from models.errors import ModelError
from sweeps.errors import InputChanged, InputElsewhere
from sweeps.rows import failed_row, failed_rows, measured_row
from sweeps.supervisor import Line
from sweeps.task import Answer, Lease, Outcome, Row, Run, Seat, Stop, Wait


class DevicePoisoned(RuntimeError):
    """The CUDA context is broken; only a fresh process can use the device again."""


@dataclass
class _Held:
    """What the worker has in memory, under which key, and who can unload it."""

    load_key: str
    benchmark: Benchmark
    content: Any


class Worker:
    """Owns a seat for as long as the coordinator has something for it."""

    def __init__(
        self,
        seat: Seat,
        benchmarks: Mapping[str, Benchmark],
        environment: tuple[dict[str, Any], str],
    ) -> None:
        """
        Args:
            seat: what this worker owns; the process is pinned to it already.
            benchmarks: by name.
            environment: content and id, as actors.environment.describe gives it.
        """
        self._seat = seat
        self._benchmarks = benchmarks
        self._environment = environment
        self._held: _Held | None = None
        self._line: Line | None = None
        self._failed_load: tuple[str, failures.Failure] | None = None

    def begin(self, coordinator: Line) -> Answer:
        """Join, and ask for the first time."""
        content, environment_id = self._environment
        coordinator.join(self._seat, content, environment_id)
        return coordinator.exchange(self._seat.worker_id, ())

    def work(self, coordinator: Line, first: Answer | None = None) -> None:
        """Pull and run until told to stop; `first` is what `begin` returned, if it was called already.

        Raises:
            DevicePoisoned: after the rows so far were handed in.
        """
        self._line = coordinator
        answer = first or self.begin(coordinator)
        while not isinstance(answer, Stop):
            outcomes: list[Outcome] = []
            match answer:
                case Run(leases, neighbours):
                    for lease in leases:
                        outcome, failure = self._run(lease, neighbours)
                        outcomes.append(outcome)
                        if failure is not None and failure.poisons_device:
                            self._leave_device(coordinator, outcomes, failure)
                case Wait(seconds):
                    time.sleep(seconds)
            answer = coordinator.exchange(self._seat.worker_id, outcomes)
        self._unload()

    def _run(self, lease: Lease, neighbours: int) -> tuple[Outcome, failures.Failure | None]:
        """One task from lease to outcome; never raises for what happens inside it."""
        try:
            return self._outcome(lease, neighbours)
        except InputChanged as error:
            return Outcome(lease.task.task_id, lease.attempt, (), changed=str(error)), None

    def _outcome(self, lease: Lease, neighbours: int) -> tuple[Outcome, failures.Failure | None]:
        """Run one task to its rows.

        Raises:
            InputChanged: no rows of this task would be of what was planned.
        """
        started_s = time.perf_counter()
        first = lease.task.first_iteration
        rows: list[Row] = []
        unfit: list[str] = []
        loads = 0
        clock = _RowClock()
        failure: failures.Failure | None = None
        try:
            self._check_build(lease)
            loads = self._load(lease)
            for metrics in self._metrics(lease):
                facts = self._facts(neighbours) | clock.lap()
                if UNFIT in metrics:
                    unfit.append(metrics.pop(UNFIT))
                self._refuse_replaced(lease, metrics)
                rows.append(measured_row(lease, first + len(rows), facts, metrics))
        except InputChanged:
            raise
        except Exception as error:  # noqa: BLE001 - the protocol: an exception inside a task is a row
            _refuse_replaced_since(lease)
            failure = failures.classify(error)
            facts = self._facts(neighbours) | clock.lap()
            why = (failure.status, failure.error_type, failure.message)
            if rows:
                rows.append(failed_row(lease, first + len(rows), facts, *why))
            else:
                rows = failed_rows(lease, self._pieces(lease), facts, *why)
        duration_s = time.perf_counter() - started_s
        outcome = Outcome(lease.task.task_id, lease.attempt, tuple(rows), frozenset(unfit), loads, duration_s)
        return outcome, failure

    def _metrics(self, lease: Lease) -> Iterator[Row]:
        benchmark, task = self._benchmarks[lease.task.benchmark], lease.task
        held = self._held.content if self._held else None
        factors = benchmark.factors.model_validate(dict(task.factors))
        try:
            yield from benchmark.rows(held, task, factors)
        except InputElsewhere:
            if self._line is None:
                raise
            yield from benchmark.rows(held, replace(task, part=self._line.ship(task)), factors)

    def _pieces(self, lease: Lease) -> Iterator[Row]:
        """Of a task of which nothing was measured."""
        benchmark, task = self._benchmarks[lease.task.benchmark], lease.task
        try:
            yield from benchmark.pieces(task)
        except InputElsewhere:
            if self._line is not None:
                yield from benchmark.pieces(replace(task, part=self._line.ship(task)))

    def _refuse_replaced(self, lease: Lease, metrics: Row) -> None:
        """See that a row is of the model that the run was planned with, where that is known.

        Raises:
            InputChanged: the model's directory was replaced since, or is another one on this node.
        """
        revisions = str(metrics.get("revision") or "").split(", ")
        for planned, seen in zip(lease.task.revisions, revisions, strict=False):
            if planned is not None and seen and seen != planned:
                raise InputChanged(
                    f"{lease.task.model}: the model that {self._seat.host} has there is {seen}; the run was planned "
                    f"with {planned}: replaced since, or not the same on every node"
                )

    def _check_build(self, lease: Lease) -> None:
        """Refuse what no library of this process can compute on the seat's GPUs, before anything goes there."""
        quantization = lease.task.factors.get("quantization")
        if self._seat.device_uuids and quantization is not None:  # which every benchmark has that loads weights
            from actors import preflight  # imports torch, which a worker without GPUs may never need

            preflight.check_build(str(quantization), self._devices)

    def _load(self, lease: Lease) -> int:
        """Have in memory what the task needs; how many loads that took."""
        task = lease.task
        if self._held is not None and self._held.load_key == task.load_key:
            return 0
        if self._failed_load is not None and self._failed_load[0] == task.load_key:
            raise failures.Repeated(self._failed_load[1])
        self._unload()
        benchmark = self._benchmarks[task.benchmark]
        factors = benchmark.factors.model_validate(dict(task.factors))
        try:
            if self._seat.device_uuids and benchmark.holds != "nothing":
                from actors import preflight

                preflight.check_room(factors, self._devices)
            content = benchmark.load(factors, self._devices)
        except Exception as error:
            failure = failures.classify(error)
            if failure.status != "error":  # unsupported or out of memory: so it is for the next cell too
                self._failed_load = (task.load_key, failure)
            raise
        self._held = _Held(task.load_key, benchmark, content)
        # A collection before every timed span searches all of torch and transformers otherwise: 0.2 s seen.
        gc.collect()
        gc.freeze()
        return int(benchmark.holds != "nothing")

    @property
    def _devices(self) -> tuple[str, ...]:
        """Torch names of what the seat has."""
        return tuple(f"cuda:{index}" for index in range(len(self._seat.device_uuids))) or ("cpu",)

    def _unload(self) -> None:
        if self._held is not None:
            held, self._held = self._held, None
            gc.unfreeze()
            held.benchmark.unload(held.content)

    def _facts(self, neighbours: int) -> Row:
        return {
            "host": self._seat.host,
            "device_class": self._seat.device_class,
            "device_name": self._seat.device_name,
            "device_uuid": ",".join(self._seat.device_uuids) or None,
            "worker_id": self._seat.worker_id,
            "threads_effective": pinning.threads_effective(),
            "affinity": list(pinning.affinity()),
            "neighbours": neighbours,
            "environment_id": self._environment[1],
        }

    def _leave_device(self, coordinator: Line, outcomes: list[Outcome], failure: failures.Failure) -> NoReturn:
        coordinator.deliver(self._seat.worker_id, outcomes)
        raise DevicePoisoned(f"{self._seat.device_name}: {failure.message}")


def _refuse_replaced_since(lease: Lease) -> None:
    """See that a task did not fail because its model is another one by now.

    Raises:
        InputChanged: a model's directory was replaced since the run was planned.
    """
    task = lease.task
    if not any(task.revisions):
        return
    from models.resolve import resolve

    pair = task.factors.get("pair")
    for name, planned in zip(pair if isinstance(pair, list) else [task.factors["model"]], task.revisions, strict=False):
        with contextlib.suppress(ModelError):  # gone, which the row says
            if planned is not None and (seen := resolve(str(name)).revision) != planned:
                raise InputChanged(f"{name}: the model there is {seen}; planned was {planned}: replaced since")


class _RowClock:
    """When each row began, and how long it took, warm-ups included in the first."""

    def __init__(self) -> None:
        self._start()

    def lap(self) -> Row:
        """Columns of the row that ends now; the next one begins."""
        columns: Row = {"started_at": self._started_at, "duration_s": time.perf_counter() - self._started_s}
        self._start()
        return columns

    def _start(self) -> None:
        self._started_at = datetime.datetime.now(datetime.UTC)
        self._started_s = time.perf_counter()
