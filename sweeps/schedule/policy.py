"""The behaviour of a run, as its command line asks for."""

from dataclasses import dataclass, field
from typing import Literal

from sweeps.store.finished import Again

Isolation = Literal["device", "node"]


@dataclass(frozen=True)
class Policy:
    """Isolation, time limit, retries and restart of a run."""

    isolation: Isolation = "device"
    timeout_s: float = 3600.0
    again: Again = field(default_factory=Again)
    fresh: bool = False
    command: str = ""
    """Command that continues the run: kept beside the rows."""
