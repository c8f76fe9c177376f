"""Functions for notebooks: rows, averages, effects, figures and comparisons, as pandas frames and matplotlib figures.

The public names of `analysis`. Knows how the other modules are put together; computes nothing.
"""

import os
from pathlib import Path
from typing import Final

import pandas as pd

from analysis.assembly import measured_sweeps, names_of_runs
from analysis.cell_averages import average, is_scored
from analysis.comparison.compare import Comparison, compare_runs
from analysis.conclusions.effects import Effects
from analysis.conclusions.effects import effects as effects_of
from analysis.conclusions.limits import doubts, limits
from analysis.conclusions.sentences import claims
from analysis.figures_by_name import Figures, SectionContent, section_contents, sweep_figures
from analysis.frames import plain_texts
from analysis.load import RunRows, SweepRows, read_run
from analysis.sections.measured_sweep import MeasuredSweep
from sweeps.errors import UserError

_ALSO: Final = ("text_sha256", "round", "truncated")
"""Columns that no page shows, and that comparisons and thresholds need."""


def read(directory: str | os.PathLike[str]) -> RunRows:
    """Read a run directory, such as `runs/quickstart`. The other functions take what this one returns.

    Args:
        directory: of one run, which may go on meanwhile. `~` is the home directory.

    Returns:
        The rows of every sweep. `overview` shows them in short; `.remarks` names problems in the files.

    Raises:
        UserError: there is no such directory, or it holds no rows. For a directory of runs, the message lists them.
    """
    if not isinstance(directory, str | os.PathLike):
        raise UserError(
            f"analysis.read was given {_kind(directory)}; give the path of one run directory, such as "
            "'runs/quickstart', and read several runs one by one"
        )
    return read_run(Path(directory).expanduser(), _ALSO)


def overview(run: RunRows) -> pd.DataFrame:
    """Return the sweeps of a run.

    Args:
        run: what `read` returned.

    Returns:
        A row per sweep. Columns: sweep, benchmark, rows, ok (rows that hold a measurement), factors (columns that tell
        cells apart), metrics (that `averages` has).

    Raises:
        UserError: `run` is not what `read` returned.
    """
    return pd.DataFrame(
        [_outline(sweep) for sweep in _run(run).sweeps],
        columns=["sweep", "benchmark", "rows", "ok", "factors", "metrics"],
    )


def rows(run: RunRows, sweep: str, status: str | None = "ok") -> pd.DataFrame:
    """Return the rows of a sweep as a plain frame, for questions of your own.

    Args:
        run: what `read` returned.
        sweep: its name.
        status: rows of this status. By default those with a measurement; None: rows of every status.

    Returns:
        A row per timed iteration or scored text; each counts once, however often a task was tried. Factors, metrics
        and what took effect are columns, texts are `str`, and units are in the columns' names (docs/measurements.md).
        A few columns that no report needs are left out; `pandas.read_parquet(run.directory / sweep)` has them.

    Raises:
        UserError: the run has no such sweep, or the sweep no row of that status.
    """
    chosen = _sweep(run, sweep)
    if status is None:
        return plain_texts(chosen.rows)
    counts = chosen.rows["status"].value_counts()
    if status not in counts and status != "ok":
        held = ", ".join(f"{name} ({count:,} rows)" for name, count in counts.items()) or "no row at all"
        raise UserError(f"{sweep}: no row has the status {status!r}; this sweep has {held}. None gives all rows")
    return plain_texts(chosen.ok if status == "ok" else chosen.rows[chosen.rows["status"] == status])


def averages(run: RunRows, sweep: str) -> pd.DataFrame:
    """Return the statistics of the cells of a sweep.

    Args:
        run: what `read` returned.
        sweep: its name.

    Returns:
        A row per cell and metric, of ok rows only. Columns: the factors that vary, then metric, n (rows), mean, median,
        sd, ci95_low, ci95_high, min, max, and reasons to doubt: sd_above_limit, range_above_limit, rows_beside_others,
        most_neighbours. Values have the unit of the metric's name. No row where nothing was measured.

    Raises:
        UserError: the run has no such sweep.
    """
    return average(_sweep(run, sweep)).cells


def effects(run: RunRows, sweep: str, metric: str) -> Effects:
    """Return the effects of the factors of a sweep on a metric.

    Args:
        run: what `read` returned.
        sweep: its name.
        metric: a column of numbers, such as 'generation_rate_tokens_per_s'.

    Returns:
        Among others these frames: `.ranking` has a row per factor and interaction, with its share of the variation and
        its p, adjusted for all tests; `.found` has those that are significant; `.pairs` has a row per pair of levels,
        with their ratio and its 95% interval. `sentences` says the same in words.

    Raises:
        UserError: the run has no such sweep, its rows are scored texts, or it has no values of the metric.
    """
    chosen = _sweep(run, sweep)
    if is_scored(chosen):
        raise UserError(
            f"{sweep}: its rows are scored texts, and texts of one record depend on each other: no effects of factors. "
            "The sections of the study compare scores by record: analysis.study_sections(run)"
        )
    numbers = [name for name in chosen.columns.metrics if name in chosen.ok and chosen.ok[name].notna().any()]
    numbers = [name for name in numbers if pd.api.types.is_numeric_dtype(chosen.ok[name])]
    if metric not in numbers:
        has = f"the metrics with values are {', '.join(numbers)}" if numbers else "no row holds a measurement"
        raise UserError(f"{sweep}: no values of {metric!r}; {has}")
    return effects_of(chosen.ok, average(chosen).factors, metric)


def sentences(run: RunRows, sweep: str, metric: str) -> list[str]:
    """Return what the rows of a sweep say about a metric, in words: what is claimed, then what is not, and why.

    Args:
        run: what `read` returned.
        sweep: its name.
        metric: a column of numbers, such as 'generation_rate_tokens_per_s'.

    Returns:
        Sentences. In a sweep without any effect, a false one in at most 5% of cases (docs/statistics.md).

    Raises:
        UserError: the run has no such sweep, its rows are scored texts, or it has no values of the metric.
    """
    found = effects(run, sweep, metric)
    claimed = claims(found)
    return [*claimed, *doubts(claimed, _sweep(run, sweep).ok), *limits(found)]


def figures(run: RunRows, sweep: str) -> Figures:
    """Return the figures that the report shows for a sweep.

    As the last line of a cell they are shown with their captions. Each is a `matplotlib.figure.Figure` of its own,
    without pyplot: change its axes (`.axes`), and save it with `.savefig("rate.svg")`.

    Args:
        run: what `read` returned.
        sweep: its name.

    Returns:
        A dictionary from the name of a figure to the figure, in the order of the page. The names are those of the files
        in `report/figures`. `.captions` has a caption by name; `.notes` says what could not be drawn.

    Raises:
        UserError: the run has no such sweep, or its figure cannot be drawn.
    """
    return sweep_figures(_measured(run, sweep))


def study_sections(run: RunRows, sweep: str) -> tuple[SectionContent, ...]:
    """Return the sections of the published study that the rows of a sweep give.

    Args:
        run: what `read` returned.
        sweep: its name.

    Returns:
        Each section with its heading, sentences, figures, tables (text, as the page has them) and frames (numbers).
        None where the sweep fits no section.

    Raises:
        UserError: the run has no such sweep.
    """
    return section_contents(_measured(run, sweep))


def compare(run: RunRows, against: RunRows) -> Comparison:
    """Return the comparison of a run with an earlier one, cell by cell.

    Args:
        run: what `read` returned.
        against: the same of the earlier run.

    Returns:
        Frames: `.cells` has a row per cell of both runs, with ratio, 95% interval, adjusted p and verdict; `.only` has
        the cells of one run only; `.environments` says what differs between the machines; `.noise` has the noise floor.
        `.sentences` says it in words, and `.slower(0.05)` has the cells that are slower by more than 5%, and surely so.

    Raises:
        UserError: an argument is not what `read` returned.
    """
    return compare_runs(_run(run), _run(against))


def _run(run: object) -> RunRows:
    """Return a run, checked: a path is easily given in its place."""
    if isinstance(run, RunRows):
        return run
    how = f"read it first: analysis.read({str(run)!r})" if isinstance(run, str | os.PathLike) else "see analysis.read"
    raise UserError(f"a run is needed, as analysis.read returns it, and {_kind(run)} was given; {how}")


def _sweep(run: RunRows, name: str) -> SweepRows:
    """Return a sweep of a run by its name."""
    known = {sweep.name: sweep for sweep in _run(run).sweeps}
    if name not in known:
        raise UserError(f"{run.directory}: no sweep {name!r}; this run has {', '.join(known)}")
    return known[name]


def _measured(run: RunRows, name: str) -> MeasuredSweep:
    """Return a sweep of a run as the page of that run has it."""
    chosen = _sweep(run, name)
    return next(one for one in measured_sweeps([run], names_of_runs([run])) if one.rows is chosen)


def _outline(sweep: SweepRows) -> tuple[str, str, int, int, str, str]:
    """Return the row of a sweep in the overview."""
    found = average(sweep)
    counts = (len(sweep.rows), len(sweep.ok))
    return sweep.name, sweep.benchmark, *counts, ", ".join(found.factors), ", ".join(found.metrics)


def _kind(value: object) -> str:
    """Return a value in a message, as 'a list'."""
    return f"a {type(value).__name__}"
