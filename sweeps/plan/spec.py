"""Spec, Sweep and Figure: the keys of a sweep file, with their types, bounds and descriptions.

spec_file.py finds a file and applies `--set`, spec_checks.py holds a sweep against its benchmark, spec_reader.py does
both.
"""

import re
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
RESERVED_NAMES: Final = ("report",)
"""Directories of a run that are not sweeps."""
MAX_REPEATS: Final = 1_000_000
MAX_SEED: Final = 2**63 - 1
"""Largest seed that every generator takes."""


def _is_name(name: str) -> str:
    if not _NAME.fullmatch(name) or name in RESERVED_NAMES:
        raise ValueError(
            "a name becomes a directory: letters, digits, '_', '-' and '.', at most 64, no path, "
            f"and not {' or '.join(map(repr, RESERVED_NAMES))}"
        )
    return name


Name = Annotated[str, AfterValidator(_is_name)]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Figure(_Strict):
    """Columns that the report draws for a sweep; left out, the report chooses them."""

    y: str = Field(description="metric on the y axis")
    x: str = Field(description="column on the x axis")
    panel: str | None = Field(default=None, description="column with a panel for each of its levels")
    series: str | None = Field(default=None, description="column with a line or group of bars for each of its levels")


class Sweep(_Strict):
    """A grid of factors and the one benchmark that is measured in every cell of it."""

    name: Name = Field(description="name of the sweep and of its directory; `--set` begins with it")
    benchmark: str = Field(description="what is measured in every cell")
    iterations: int = Field(default=3, ge=1, le=MAX_REPEATS, description="timed rows a cell")
    warmup: int = Field(default=1, ge=0, le=MAX_REPEATS, description="untimed runs before the timed ones of a cell")
    rounds: int = Field(
        default=1,
        ge=1,
        le=MAX_REPEATS,
        description="how often the whole grid is gone through, each time in a fresh order",
    )
    seed: int = Field(default=0, ge=0, le=MAX_SEED, description="seed of the order of tasks and of prompts")
    factors: dict[str, list[Any]] = Field(
        default_factory=dict, description="for every factor the list of its levels; a factor left out has its default"
    )
    exclude: list[dict[str, Any]] = Field(
        default_factory=list, description="rules: cells that match all keys of one rule are left out, and counted"
    )
    figure: Figure | None = Field(default=None, description="columns of the report's figure; left out, it chooses")


class Spec(_Strict):
    """A named set of sweeps that run together and share a run directory."""

    name: Name = Field(description="name of the spec and of its run directory")
    sweep: list[Sweep] = Field(min_length=1, description="one table `[[sweep]]` for each sweep")


class Defaults(_Strict):
    """Levels that depend on the cluster, for factors that a spec leaves out."""

    device: str
    cpu_cores: int
