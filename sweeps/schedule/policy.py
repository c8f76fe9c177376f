"""How a run behaves, as its command line asks for."""

from dataclasses import dataclass, field
from typing import Literal

from sweeps.store.finished import Again

Isolation = Literal["device", "node"]


@dataclass(frozen=True)
class Policy:
    """How a run behaves, beyond what it runs."""

    isolation: Isolation = "device"
    timeout_s: float = 3600.0
    again: Again = field(default_factory=Again)
    fresh: bool = False
    command: str = ""
    """The command that carries on: kept beside the rows."""
