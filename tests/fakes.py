"""Benchmarks that fail on demand, and specs around them. Their columns are noop's."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar, Literal

from actors.benchmarks.base import OneTaskPerCell, timed_rows
from actors.benchmarks.noop import NoopFactors
from sweeps.errors import Unsupported
from sweeps.plan.declaration import Factors
from sweeps.plan.grid import Plan
from sweeps.plan.spec import Spec, Sweep
from sweeps.planning import make_plan
from sweeps.schema import COLUMNS, Columns
from sweeps.task import Row, Task

Fault = Literal["none", "raise", "oom_host", "oom_gpu", "unsupported", "poison", "hang", "die", "die_once", "load"]


class FaultyFactors(NoopFactors):
    thing: str = "a"
    fault: Fault = "none"
    marker: str = ""
    """A file that `die_once` leaves behind, and whose lines count loads."""


class Faulty(OneTaskPerCell):
    columns: ClassVar[Columns] = COLUMNS["noop"]
    factors: ClassVar[type[Factors]] = FaultyFactors
    resource_kind: ClassVar[str] = "thing"
    load_factors: ClassVar[tuple[str, ...]] = ("thing",)

    def load(self, factors: FaultyFactors, devices: tuple[str, ...]) -> str:
        if factors.fault == "load":
            raise Unsupported(f"{factors.thing} cannot be loaded")
        return factors.thing

    def unload(self, held: str) -> None:
        pass

    def rows(self, held: str, task: Task, factors: FaultyFactors) -> Iterator[Row]:
        assert held == factors.thing
        return timed_rows(task, lambda number: _measure(number, factors))


def _measure(number: int, factors: FaultyFactors) -> Row:
    time.sleep(factors.wait_s)
    match factors.fault:
        case "raise" if number == 1:
            raise ValueError("a fault <b>on purpose</b>")
        case "oom_host":
            raise MemoryError("cannot allocate 1 TiB")
        case "oom_gpu":
            raise RuntimeError("CUDA out of memory. Tried to allocate 20.00 MiB")
        case "unsupported":
            raise Unsupported("no kernels for this card")
        case "poison":
            raise RuntimeError("CUDA error: an illegal memory access was encountered")
        case "hang":
            time.sleep(3600)
        case "die":
            os.kill(os.getpid(), signal.SIGKILL)
        case "die_once" if not Path(factors.marker).exists():
            Path(factors.marker).touch()
            os.kill(os.getpid(), signal.SIGKILL)
    return {}


REGISTRY: dict[str, Any] = {"noop": Faulty()}


def plan_of(spec: Spec, registry: Any = REGISTRY) -> Plan:
    """The plan of a spec of which nothing was measured yet."""
    return make_plan(spec, registry, Path("/nowhere"))


def faulty_spec(
    name: str = "faulty", iterations: int = 1, warmup: int = 0, seed: int = 0, **factors: list[Any]
) -> Spec:
    """One sweep `s` over those factors, every other one spelled out."""
    defaults: dict[str, list[Any]] = {
        "device": ["cpu"],
        "cpu_cores": [1],
        "index": [0],
        "wait_s": [0.0],
        "thing": ["a"],
        "fault": ["none"],
        "marker": [""],
    }
    sweep = Sweep(
        name="s", benchmark="noop", iterations=iterations, warmup=warmup, seed=seed, factors=defaults | factors
    )
    return Spec(name=name, sweep=[sweep])
