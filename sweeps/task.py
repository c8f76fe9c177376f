"""What flows between queue and workers: Slot, Task, Lease, Outcome and the three answers.

All frozen and small; none carries text or weights. Knows nothing of files, Ray or devices.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from sweeps.errors import UserError

Level = str | int | float | bool | list[Any] | dict[str, Any]
"""One level of a factor: any TOML value."""
Row = dict[str, Any]
"""Column name to value, as sweeps/schema.py types them."""

_DEVICE = re.compile(r"(?P<device>[a-z0-9][a-z0-9.-]*)(?: x(?P<count>[1-9][0-9]*))?")


@dataclass(frozen=True, slots=True)
class Slot:
    """What a task needs under it: some GPUs of one node, and cores; on `cpu`, cores alone."""

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
class Part:
    """A share of a cell's work, where a cell is more than one task: a shard of a corpus."""

    name: str
    """Names it within the cell, the same wherever the data lie."""
    content: Any
    """What the benchmark needs to find it, or the data themselves once they were shipped."""
    only: frozenset[str] | None = None
    """Pieces of it that are still to be done; None: all."""


@dataclass(frozen=True)
class Task:
    """One cell of a sweep, or one part of it, in one round: what to run, how often, on what."""

    sweep: str
    benchmark: str
    factors: Mapping[str, Level]
    slot: Slot
    load_key: str
    """What must be in memory for it: tasks of equal keys share one load."""
    iterations: int
    warmup: int
    seed: int
    round: int
    order_index: int
    """Position in the shuffled order; not part of the identity."""
    part: Part | None = None
    first_iteration: int = 0
    """More than 0 where iterations were added to a sweep later: the earlier ones are another task's."""
    revisions: tuple[str | None, ...] = ()
    """Fingerprints that its models had when the run was planned, in the order of `revision`; None: not seen there."""
    varying: tuple[str, ...] = ()
    """Factors with more than one level in the sweep: what its label tells."""

    @cached_property
    def cell_id(self) -> str:
        """16 hex digits over sweep, benchmark and levels."""
        return digest({"sweep": self.sweep, "benchmark": self.benchmark, "factors": self.factors})

    @cached_property
    def task_id(self) -> str:
        """16 hex digits over everything that decides what the rows mean."""
        identity = [self.cell_id, self.round, self.iterations, self.warmup, self.seed]
        if self.part is not None:
            identity.append(self.part.name)
        if self.first_iteration:
            identity.append(f"from iteration {self.first_iteration}")
        return digest(identity)

    @property
    def model(self) -> str:
        """For people: the model or models that it needs; empty where it needs none."""
        pair = self.factors.get("pair")
        names = pair if isinstance(pair, list) else [self.factors.get("model", "")]
        return " + ".join(map(str, names))

    @property
    def label(self) -> str:
        """For people: the sweep and what is particular about this task, in one line."""
        levels = [f"{name}={_short(self.factors[name])}" for name in self.varying]
        return " ".join([self.sweep, *levels, *([f"[{self.part.name}]"] if self.part else [])])


@dataclass(frozen=True, slots=True)
class Lease:
    """A task handed to one worker, as its `attempt`-th try (from 1)."""

    task: Task
    attempt: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a lease: all rows of the task, the failed one too."""

    task_id: str
    attempt: int
    rows: tuple[Row, ...]
    unfit: frozenset[str] = frozenset()
    """Pieces of the task's part that ran out of memory: their rows are the last ones."""
    loads: int = 0
    """How many times models were loaded for it: 0 when the worker held them already."""
    duration_s: float = 0.0
    changed: str | None = None
    """Name of an input that is not what it was when the run was planned; then there are no rows, and the run stops."""


@dataclass(frozen=True, slots=True)
class Run:
    """Answer: do these, in order."""

    leases: tuple[Lease, ...]
    neighbours: int
    """Workers of the same host that were busy when the lease was given."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Answer: nothing for you right now; ask again."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Stop:
    """Answer: nothing is left for your slot; leave, so that others get the device."""


Answer = Run | Wait | Stop


@dataclass(frozen=True)
class Seat:
    """What one worker owns, and what its rows say of it."""

    worker_id: str
    slot: Slot
    host: str
    device_class: str
    """Slug of what the device is: `cpu`, `tesla-k80`; `tesla-k80+gtx-1070` for a mixed slot."""
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
