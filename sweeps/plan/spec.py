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
DEFAULT_CORES: Final = 4
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

    y: str = Field(description="metric on the y axis: a column of numbers")
    x: str = Field(description="column on the x axis")
    panel: str | None = Field(default=None, description="column whose levels have a panel each")
    series: str | None = Field(default=None, description="column whose levels have a line, or a group of bars, each")


class Sweep(_Strict):
    """A grid of factors and the one benchmark that is measured in every cell of it."""

    name: Name = Field(
        description="name of the sweep and of its directory, and the first word of its `--set`; allowed as in a spec's "
        "name"
    )
    benchmark: str = Field(description="name of the benchmark that is measured in every cell")
    iterations: int = Field(
        default=3, ge=1, le=MAX_REPEATS, description="timed runs of a cell in each round; each of them is a row"
    )
    warmup: int = Field(
        default=1, ge=0, le=MAX_REPEATS, description="untimed runs of a cell before its timed ones; they have no rows"
    )
    rounds: int = Field(
        default=1, ge=1, le=MAX_REPEATS, description="passes through the whole grid, each in a fresh random order"
    )
    seed: int = Field(
        default=0,
        ge=0,
        le=MAX_SEED,
        description="seed of the order of tasks, of the texts of prompts, and of sampled tokens",
    )
    factors: dict[str, list[Any]] = Field(
        default_factory=dict, description="list of levels for each factor; a factor left out has its default"
    )
    exclude: list[dict[str, Any]] = Field(
        default_factory=list,
        description="rules that leave cells out: a rule names factors, each with a level or a list of levels, and "
        "leaves out the cells that match all of them",
    )
    figure: Figure | None = Field(
        default=None, description="columns of the sweep's figure in the report; without it the report chooses them"
    )


class Spec(_Strict):
    """A named set of sweeps that run together and share a run directory."""

    name: Name = Field(
        description="name of the spec and of its run directory: letters, digits, `_`, `-` and `.`, at most 64"
    )
    include: list[str] = Field(
        default_factory=list,
        exclude=True,
        description="other specs whose sweeps come first: names of built-in specs, or paths relative to this file",
    )
    sweep: list[Sweep] = Field(
        min_length=1, description="one table `[[sweep]]` for each sweep; at least one, if none is included"
    )


class Defaults(_Strict):
    """Levels that depend on the cluster, for factors that a spec leaves out."""

    device: str = Field(description='`"gpu"` where the cluster has a GPU, else `"cpu"`')
    cpu_cores: int = Field(description=f"{DEFAULT_CORES}, or as many as there are")
