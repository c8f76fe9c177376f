"""CPU time of a coordinator for one exchange and one tick, measured in this process, without Ray."""

import itertools
import pickle
import statistics
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from actors.benchmarks import BENCHMARKS
from bench.waiting_tasks import allocations, waiting_spec
from sweeps.planning import make_plan
from sweeps.schedule.coordinator import Coordinator
from sweeps.schedule.policy import Policy
from sweeps.schema import COLUMNS
from sweeps.store.rows import measured_row
from sweeps.task import Allocation, Lease, Outcome, Run

TICKS: Final = 10
"""Number of ticks over which the mean is taken."""


@dataclass(frozen=True)
class CoordinatorCost:
    """Mean CPU seconds of a coordinator without Ray."""

    exchange_s: float
    tick_s: float


def coordinator_cost(workers: int, calls: int) -> CoordinatorCost:
    """Measure a coordinator in `calls` exchanges; in each, one of `workers` workers hands in a task and gets the next.

    Returns:
        The mean CPU time of an exchange, and of a tick with its status pickled for the supervisor.
    """
    with tempfile.TemporaryDirectory() as directory:
        spec = waiting_spec(index=list(range(workers + calls)))
        coordinator = Coordinator(make_plan(spec, BENCHMARKS, Path(directory)), BENCHMARKS, Policy())
        coordinator.open()
        leased = {allocation.worker_id: _first_lease(coordinator, allocation) for allocation in allocations(workers)}
        exchanges_s = []
        for worker_id in itertools.islice(itertools.cycle(leased), calls):
            outcomes = [_outcome(lease) for lease in leased[worker_id].leases]
            started_s = time.process_time()
            answer = coordinator.exchange(worker_id, outcomes)
            exchanges_s.append(time.process_time() - started_s)
            if isinstance(answer, Run):
                leased[worker_id] = answer
        tick_s = _tick_s(coordinator)
        coordinator.close()
    return CoordinatorCost(statistics.mean(exchanges_s), tick_s)


def _tick_s(coordinator: Coordinator) -> float:
    started_s = time.process_time()
    for _ in range(TICKS):
        pickle.dumps(coordinator.tick())  # as Ray does on the status's way to the supervisor
    return (time.process_time() - started_s) / TICKS


def _first_lease(coordinator: Coordinator, allocation: Allocation) -> Run:
    coordinator.join(allocation, {}, "scale")
    answer = coordinator.exchange(allocation.worker_id, [])
    if not isinstance(answer, Run):
        raise TypeError(f"{allocation.worker_id} got no task: {answer}")
    return answer


def _outcome(lease: Lease) -> Outcome:
    row = measured_row(lease, COLUMNS["noop"], 0, {}, {})
    return Outcome(lease.task.task_id, lease.attempt, (row,), duration_s=5.0)
