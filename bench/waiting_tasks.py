"""Sweeps of tasks that only wait, and the made-up CPU allocations on which they run."""

from typing import Any, Final

from sweeps.plan.spec import Spec, Sweep
from sweeps.task import Allocation, Slot

SLOT: Final = Slot("cpu", 0, 1)
WORKERS_PER_HOST: Final = 8
"""Number of workers of a host, as on a machine with many GPUs; the workers of one host are neighbours."""


def allocations(count: int) -> list[Allocation]:
    """Return made-up allocations on hosts of WORKERS_PER_HOST devices each."""
    return [
        Allocation(f"w{index}", SLOT, f"host{index // WORKERS_PER_HOST}", "cpu", "a place to wait")
        for index in range(count)
    ]


def waiting_spec(**levels: list[Any]) -> Spec:
    """Return a spec of one no-op sweep, with these levels in place of the defaults."""
    factors: dict[str, list[Any]] = {"device": ["cpu"], "cpu_cores": [1], "index": [0], "wait_s": [0.0]}
    return Spec(
        name="scale",
        sweep=[Sweep(name="noop", benchmark="noop", iterations=1, warmup=0, factors=factors | levels)],
    )
