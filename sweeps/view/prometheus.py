"""Exports a run to Prometheus: counts, rates and the queue's depth, by the labels that a person would group them by.

Knows no Ray: `ray.util.metrics`, or anything with its `Counter` and `Gauge`, is handed in. Every task passes
here, so events are added up first and exported when the coordinator ticks, some times a second.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from sweeps.schedule.observer import Observer
from sweeps.schedule.run_status import Status
from sweeps.task import Allocation, Outcome, Row, Task
from sweeps.task_status import TaskStatus

Labels = tuple[str, ...]
"""Values of an instrument's labels, in their order."""


class Meters(Protocol):
    """Makes instruments, in the way of ray.util.metrics."""

    def Counter(self, name: str, description: str, tag_keys: Labels) -> Any: ...  # noqa: N802 - Ray's name
    def Gauge(self, name: str, description: str, tag_keys: Labels) -> Any: ...  # noqa: N802


@dataclass(frozen=True)
class Instrument:
    """An instrument's name, description and labels; the label `run` comes before them."""

    name: str
    description: str
    labels: Labels

    @property
    def keys(self) -> Labels:
        """All labels."""
        return ("run", *self.labels)


TASKS: Final = Instrument("sweeps_tasks", "Tasks with all their rows", ("benchmark", "status", "device_class"))
ROWS: Final = Instrument("sweeps_rows", "Rows", ("benchmark", "status", "device_class"))
LOADS: Final = Instrument("sweeps_model_loads", "Models loaded into memory", ("worker", "device_class", "model"))
OUT_OF_MEMORY: Final = Instrument(
    "sweeps_out_of_memory", "Tasks that ran out of memory, escalated or not", ("worker", "device_class", "kind")
)
LOST: Final = Instrument("sweeps_workers_lost", "Workers that died or were killed", ("status", "device_class"))
COUNTERS: Final = (TASKS, ROWS, LOADS, OUT_OF_MEMORY, LOST)

TOKENS_PER_S: Final = Instrument(
    "sweeps_tokens_per_s", "Tokens per second in a worker's latest task", ("worker", "device_class", "benchmark")
)
QUEUE: Final = Instrument("sweeps_queue_depth", "Tasks that wait for a slot", ("slot",))
WORKERS: Final = Instrument("sweeps_workers", "Workers on a slot", ("slot",))
GAUGES: Final = (TOKENS_PER_S, QUEUE, WORKERS)

NO_DEVICE: Final = "none"
"""The device class of a task that no device was found for."""


class Metrics(Observer):
    """Exports what a coordinator of one run does."""

    def __init__(self, run: str, meters: Meters) -> None:
        """
        Args:
            run: the spec's name, the first label of everything.
            meters: makes the instruments.
        """
        self._run = run
        self._counters = {each: meters.Counter(each.name, each.description, tag_keys=each.keys) for each in COUNTERS}
        self._gauges = {each: meters.Gauge(each.name, each.description, tag_keys=each.keys) for each in GAUGES}
        self._counted: Counter[tuple[Instrument, Labels]] = Counter()
        self._measured: dict[tuple[Instrument, Labels], float] = {}
        self._exported: set[tuple[Instrument, Labels]] = set()

    def recorded(self, task: Task, allocation: Allocation, outcome: Outcome) -> None:
        """Count the loads of an outcome and whether memory ran out, and keep its rate."""
        if outcome.loads:
            self._counted[LOADS, (allocation.worker_id, allocation.device_class, task.model)] += outcome.loads
        if outcome.status.is_oom:
            self._counted[OUT_OF_MEMORY, (allocation.worker_id, allocation.device_class, outcome.status)] += 1
        if (rate := tokens_per_s(outcome.rows)) is not None:
            self._measured[TOKENS_PER_S, (allocation.worker_id, allocation.device_class, task.benchmark)] = rate

    def completed(self, task: Task, rows: Sequence[Row]) -> None:
        """Count a task and its rows by status."""
        self._counted[TASKS, (task.benchmark, rows[-1]["status"], _device_class(rows[-1]))] += 1
        for row in rows:
            self._counted[ROWS, (task.benchmark, row["status"], _device_class(row))] += 1

    def lost(self, allocation: Allocation, status: str) -> None:
        """Count a lost worker, and whether memory was the reason."""
        self._counted[LOST, (status, allocation.device_class)] += 1
        if TaskStatus(status).is_oom:
            self._counted[OUT_OF_MEMORY, (allocation.worker_id, allocation.device_class, status)] += 1

    def ticked(self, status: Status) -> None:
        """Export the counts since the last tick, and every gauge."""
        for (instrument, labels), count in self._counted.items():
            self._counters[instrument].inc(count, tags=self._tags(instrument, labels))
        self._counted.clear()
        now = dict(self._now(status))
        # A label that is gone gets 0: a gauge keeps its last value for ever.
        for key in self._exported | now.keys():
            instrument, labels = key
            self._gauges[instrument].set(now.get(key, 0.0), tags=self._tags(instrument, labels))
        self._exported = set(now)

    def _now(self, status: Status) -> Iterator[tuple[tuple[Instrument, Labels], float]]:
        """Yield every gauge that has a value."""
        present = {worker.worker_id for worker in status.workers}
        for slot, waiting in status.waiting.items():
            yield (QUEUE, (str(slot),)), float(waiting)
        for slot, count in Counter(worker.slot for worker in status.workers).items():
            yield (WORKERS, (str(slot),)), float(count)
        for key, rate in self._measured.items():
            if key[1][0] in present:
                yield key, rate

    def _tags(self, instrument: Instrument, labels: Labels) -> Mapping[str, str]:
        return dict(zip(instrument.keys, (self._run, *labels), strict=True))


def tokens_per_s(rows: Sequence[Row]) -> float | None:
    """Return tokens per second over a task's `ok` rows: the mean of their rates, or scored tokens by time.

    Returns:
        None where the rows count no tokens or nothing was measured.
    """
    measured = [row for row in rows if row["status"] == "ok"]
    rates = [row[name] for row in measured for name in row if name.endswith("_rate_tokens_per_s")]
    known = [float(rate) for rate in rates if rate is not None]
    if known:
        return sum(known) / len(known)
    tokens = sum(row.get("length_tokens") or 0 for row in measured)
    elapsed_s = sum(row.get("duration_s") or 0.0 for row in measured)
    return tokens / elapsed_s if tokens and elapsed_s else None


def _device_class(row: Row) -> str:
    return row.get("device_class") or NO_DEVICE
