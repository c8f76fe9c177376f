"""Average the rows of a sweep's cells.

Invariant: rows are averaged only where every column that is known about them is equal. Factors that vary tell cells
apart; so does a column of what took effect (device, host, dtype, …) that differs inside a cell.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import numpy as np
import pandas as pd

from analysis.cell_factors import EFFECTIVE, candidate_factors, constants_of, ordered_levels, split_cells, varies
from analysis.cell_rows import CellRows, cell_rows
from analysis.cell_statistics import Clusters, by_record, describe, statistics
from analysis.in_threads import in_threads
from analysis.load import SweepRows
from analysis.notes import notes_on_averages

_MEASURED_SUFFIXES: Final = ("_s", "_bytes")


@dataclass(frozen=True)
class Averages:
    """Statistics of one sweep."""

    factors: tuple[str, ...]
    """Columns that tell cells apart, each with at least two levels."""
    levels: dict[str, list[Any]]
    """Levels by factor: those of the spec in its order, then the others sorted, then null."""
    constants: dict[str, Any]
    """Level by column, for the columns that have one level in all ok rows."""
    metrics: tuple[str, ...]
    cells: pd.DataFrame
    """A row per cell and metric. Columns: the factors, then metric, n, mean, median, sd, ci95_low, ci95_high, min,
    max, sd_above_limit, range_above_limit, rows_beside_others (rows of the cell during which other workers of the host
    had a task), most_neighbours (number of those workers), and, where the rows are scored texts, records; values have
    the unit of the metric's column."""
    notes: tuple[str, ...]
    """Sentences that a reader must know before comparing cells."""


def average(sweep: SweepRows) -> Averages:
    """Return the statistics of each cell of a sweep. Only ok rows enter a number."""
    rows, has_scores = sweep.ok, is_scored(sweep)
    candidates = candidate_factors(sweep, has_scores=has_scores)
    varying = [name for name in candidates if varies(rows[name])]
    factors = split_cells(rows, varying, has_scores=has_scores)
    levels = {name: ordered_levels(rows[name], sweep.description.factors.get(name, [])) for name in factors}
    metrics = tuple(name for name in headlines(sweep) if rows[name].notna().any())
    cells_of = cell_rows(rows, factors)
    records = cells_of.clusters(rows["record_id"]) if has_scores else None
    tables = in_threads(partial(_describe_cells, rows, cells_of, factors, records), metrics)
    cells = pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=[*factors, "metric"])
    return Averages(
        factors=tuple(factors),
        levels=levels,
        constants=constants_of(rows, [*candidates, *EFFECTIVE], factors),
        metrics=metrics,
        cells=_sorted(cells, levels, metrics),
        notes=tuple(notes_on_averages(sweep, factors, has_scores=has_scores)),
    )


def headlines(sweep: SweepRows) -> Sequence[str]:
    """Return the metrics to show: the benchmark's headlines, then the metric that the spec's figure asks for.

    A benchmark without headlines shows its metrics in seconds and bytes; without such metrics, the duration of a row.
    """
    metrics, asked = sweep.columns.metrics, sweep.description.figure.get("y")
    own = sweep.columns.headlines or [name for name in metrics if name.endswith(_MEASURED_SUFFIXES)]
    wanted = dict.fromkeys([*own, *([asked] if asked in metrics else [])])
    shown = [name for name in wanted if name in sweep.rows and pd.api.types.is_numeric_dtype(sweep.rows[name])]
    return shown or ["duration_s"]


def is_scored(sweep: SweepRows) -> bool:
    """Tell whether rows are texts, not repetitions: author and pair matter to their values, the host does not."""
    return bool(sweep.columns.identity)


def _describe_cells(
    rows: pd.DataFrame, cells: CellRows, factors: list[str], records: Clusters | None, metric: str
) -> pd.DataFrame:
    """Return the statistics of one metric, a row per cell that has a value of it.

    Args:
        rows: of all cells.
        cells: cell of each row.
        factors: that tell cells apart.
        records: of the texts of each cell; None where the rows of a cell repeat one measurement.
        metric: column to describe.
    """
    values = rows[metric].to_numpy(np.float64, na_value=np.nan)
    table = _of_repeats(rows, cells, values) if records is None else _of_texts(cells, values, records)
    levels = rows[factors].iloc[cells.firsts[table.index]].set_axis(table.index)
    levels["metric"] = metric
    together: pd.DataFrame = pd.concat([levels, table], axis=1).reset_index(drop=True)
    return together


def _of_repeats(rows: pd.DataFrame, cells: CellRows, values: Any) -> pd.DataFrame:
    """Return the statistics of cells whose rows repeat one measurement, with how many were beside other work."""
    column = pd.Series(values)
    table = describe(column.groupby(cells.number), repeats=True)
    neighbours = pd.Series(rows["neighbours"].to_numpy(np.float64, na_value=0))
    others = neighbours.fillna(0).where(column.notna(), 0)
    return table.assign(
        rows_beside_others=(others > 0).groupby(cells.number).sum().astype(int),
        most_neighbours=others.groupby(cells.number).max().astype(int),
    )


def _of_texts(cells: CellRows, values: Any, records: Clusters) -> pd.DataFrame:
    """Return the statistics of cells of scored texts: where a text is scored does not change its score."""
    ordered = cells.ordered(values)
    table = by_record(statistics(cells.moments(ordered), repeats=False), ordered, records)
    return table.assign(rows_beside_others=0, most_neighbours=0)


def _sorted(cells: pd.DataFrame, levels: dict[str, list[Any]], metrics: Sequence[str]) -> pd.DataFrame:
    """Sort by metric, then by the order of each factor's levels."""
    ranks = pd.DataFrame({"metric": [metrics.index(name) for name in cells["metric"]]})
    for name, known in levels.items():
        rank = {level: place for place, level in enumerate(known)}
        ranks[name] = [len(known) if pd.isna(level) else rank[level] for level in cells[name]]
    return cells.loc[ranks.sort_values(["metric", *levels]).index].reset_index(drop=True)
