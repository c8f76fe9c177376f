"""The values that flow between queue and workers: Slot, Task, Lease, Outcome and the three answers.

All frozen and small; none carries text or weights. Knows nothing of files, Ray or devices.
"""

import hashlib
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from sweeps.errors import UserError
from sweeps.task_status import TaskStatus

Level = str | int | float | bool | list[Any] | dict[str, Any]
"""One level of a factor: any TOML value."""
Row = dict[str, Any]
"""Column name to value, as sweeps/schema.py types them."""

NO_LOAD: Final = ""
"""Load key of tasks that need nothing in memory."""

_DEVICE = re.compile(r"(?P<device>[a-z0-9][a-z0-9.-]*)(?: x(?P<count>[1-9][0-9]*))?")


@dataclass(frozen=True, slots=True)
class Slot:
    """Devices that a task asks for: some GPUs of one node, and cores; on `cpu`, cores alone."""

    device: str
    """`cpu`, `gpu` (any), or the slug of a device class, such as `k80` or `tesla-k80`."""
    gpus: int
    cores: int

    @classmethod
    def parse(cls, device: str, cores: int) -> "Slot":
        """Read `cpu`, `gpu`, `k80` or `gpu x3`.

        Raises:
            UserError: not of that form.
        """
        match = _DEVICE.fullmatch(device)
        if match is None or (match["device"] == "cpu" and match["count"]):
            raise UserError(
                f"device {device!r} is not a device; write 'cpu', 'gpu', a device's slug such as 'gtx-1070', "
                "or several of one node as 'gpu x3'"
            )
        gpus = 0 if match["device"] == "cpu" else int(match["count"] or 1)
        return cls(match["device"], gpus, cores)

    def __str__(self) -> str:
        count = f" x{self.gpus}" if self.gpus > 1 else ""
        return f"{self.device}{count}, {self.cores} core{'s' if self.cores != 1 else ''}"


@dataclass(frozen=True)
class TaskShard:
    """A share of a cell's work, where a cell is more than one task: some rows of a corpus."""

    name: str
    """Unique within the cell, and the same wherever the data lie."""
    content: Any
    """Place of the data, for the benchmark to read; or the data themselves, once they were fetched for a worker."""
    remaining: frozenset[str] | None = None
    """Names of the shard's items that are still to be done; None: all."""


@dataclass(frozen=True)
class Task:
    """One cell of a sweep, or one shard of it, in one round: what to run, how often, on which slot."""

    sweep: str
    benchmark: str
    factors: Mapping[str, Level]
    slot: Slot
    load_key: str
    """Names what must be in memory for the task: tasks of equal keys share one load. NO_LOAD: nothing."""
    iterations: int
    warmup: int
    seed: int
    round: int
    order_index: int
    """Position in the order of leases; not part of the identity."""
    shard: TaskShard | None = None
    first_iteration: int = 0
    """More than 0 where iterations were added to a sweep later: the earlier ones are another task's."""
    revisions: tuple[str | None, ...] = ()
    """Fingerprints of its models when the run was planned, in the order of `revision`; None: not seen there."""
    varying: tuple[str, ...] = ()
    """Factors with more than one level in the sweep: its label shows their levels."""
    defaulted: tuple[str, ...] = ()
    """Factors that are at their default and were added to the benchmark later: no part of the identity."""

    @cached_property
    def cell_id(self) -> str:
        """16 hex digits over sweep, benchmark and levels."""
        factors = {name: level for name, level in self.factors.items() if name not in self.defaulted}
        return digest({"sweep": self.sweep, "benchmark": self.benchmark, "factors": factors})

    @cached_property
    def task_id(self) -> str:
        """16 hex digits over everything that decides what the rows mean."""
        identity = [self.cell_id, self.round, self.iterations, self.warmup, self.seed]
        if self.shard is not None:
            identity.append(self.shard.name)
        if self.first_iteration:
            identity.append(f"from iteration {self.first_iteration}")
        return digest(identity)

    @property
    def loads(self) -> bool:
        """True where a worker must have something in memory for the task."""
        return self.load_key != NO_LOAD

    @property
    def model(self) -> str:
        """Model or models that the task needs, for people; empty where it needs none."""
        pair = self.factors.get("pair")
        names = pair if isinstance(pair, list) else [self.factors.get("model", "")]
        return " + ".join(map(str, names))

    @property
    def label(self) -> str:
        """Sweep and varying levels of the task, for people, in one line."""
        levels = [f"{name}={_short(self.factors[name])}" for name in self.varying]
        return " ".join([self.sweep, *levels, *([f"[{self.shard.name}]"] if self.shard else [])])


@dataclass(frozen=True, slots=True)
class Lease:
    """A task handed to one worker, as its `attempt`-th try (from 1)."""

    task: Task
    attempt: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """Result of a lease: all rows of the task, the failed one too."""

    task_id: str
    attempt: int
    rows: tuple[Row, ...]
    oom_items: frozenset[str] = frozenset()
    """Names of the items of the task's shard that ran out of memory: their rows are the last ones."""
    loads: int = 0
    """Number of loads of models for the task: 0 when the worker held them already."""
    duration_s: float = 0.0
    changed: str | None = None
    """Reason that names an input which changed since the run was planned: there are no rows, and the run stops."""

    @property
    def status(self) -> TaskStatus:
        """Status of the task: that of its last row."""
        return TaskStatus(self.rows[-1]["status"])


@dataclass(frozen=True, slots=True)
class Run:
    """Answer of the coordinator: run these tasks, in order."""

    leases: tuple[Lease, ...]
    neighbours: int
    """Number of other workers of the same host that were busy when the lease was given."""
    budget_s: float = math.inf
    """Time after which the worker hands in its outcomes before it runs the next of the leases."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Answer of the coordinator: no task for this worker right now; ask again."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Stop:
    """Answer of the coordinator: no task is left for this worker's slot; end, so that other workers get the devices."""


Answer = Run | Wait | Stop


@dataclass(frozen=True)
class Allocation:
    """Devices that one worker owns, as its rows name them."""

    worker_id: str
    slot: Slot
    host: str
    device_class: str
    """Slug of the device: `cpu`, `tesla-k80`; `tesla-k80+gtx-1070` for a mixed slot."""
    device_name: str
    device_uuids: tuple[str, ...] = ()
    cores: tuple[int, ...] = ()
    """Ids of the cores that are this worker's own; empty where pinning is not possible."""


def digest(content: object) -> str:
    """16 hex digits of the canonical JSON of `content`."""
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode(errors="surrogatepass")).hexdigest()[:16]


def _short(level: Level) -> str:
    text = level if isinstance(level, str) else json.dumps(level)
    return text if len(text) <= 40 else text[:19] + "…" + text[-20:]
