"""Functions for notebooks: rows, averages, effects and comparisons as pandas frames.

The public names of `analysis`. Knows how the other modules are put together; computes nothing.
"""

from pathlib import Path

import pandas as pd

from analysis.cell_averages import average
from analysis.comparison.compare import Comparison, compare_runs
from analysis.conclusions.effects import Effects
from analysis.conclusions.effects import effects as effects_of
from analysis.load import RunRows, SweepRows, read_run
from sweeps.errors import UserError


def read(directory: str | Path) -> RunRows:
    """Read a run directory; `.sweeps[0].rows` is the frame of its first sweep.

    Raises:
        UserError: the directory is no run.
    """
    return read_run(Path(directory))


def averages(run: RunRows, sweep: str) -> pd.DataFrame:
    """Return the statistics of the cells of a sweep: a row per cell and metric.

    Raises:
        UserError: the run has no such sweep.
    """
    return average(_sweep(run, sweep)).cells


def effects(run: RunRows, sweep: str, metric: str) -> Effects:
    """Return the effects of the factors of a sweep on a metric; `.ranking` and `.pairs` are frames.

    Raises:
        UserError: the run has no such sweep, or the sweep has no such metric.
    """
    chosen = _sweep(run, sweep)
    numbers = [name for name in chosen.columns.metrics if name in chosen.ok and chosen.ok[name].notna().any()]
    numbers = [name for name in numbers if pd.api.types.is_numeric_dtype(chosen.ok[name])]
    if metric not in numbers:
        raise UserError(f"{sweep}: no values of {metric!r}; the metrics with values are {', '.join(numbers)}")
    return effects_of(chosen.ok, average(chosen).factors, metric)


def compare(run: RunRows, against: RunRows) -> Comparison:
    """Return the comparison of a run with an earlier one; `.cells` and `.environments` are frames."""
    return compare_runs(run, against)


def _sweep(run: RunRows, name: str) -> SweepRows:
    """Return a sweep of a run by its name."""
    for sweep in run.sweeps:
        if sweep.name == name:
            return sweep
    raise UserError(f"{run.directory}: no sweep {name!r}; this run has {', '.join(s.name for s in run.sweeps)}")
