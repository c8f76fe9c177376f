"""Tables as the page shows them: every cell is text, and long tables are cut.

Knows the content and order of each table, and the name of the CSV file that holds the whole table. Does not know rows,
HTML, or how that file is written.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import pandas as pd

from analysis.averages import Averages
from analysis.column_titles import NULL, axis_title, number, scale_of, title_of
from analysis.level_labels import text_of
from sweeps.printable import middle_out

MAX_TABLE_ROWS: Final = 500
"""Rows of a table on the page. The page says how many more the CSV file holds."""
MAX_REASON: Final = 2_000
"""Characters of a reason on the page. Longer reasons lose their middle; the CSV file holds them whole."""
MARK: Final = "⚠"
"""Mark behind unsteady values. A footnote of the page explains the mark."""
_STATISTICS: Final = ("n", "mean", "median", "sd", "95% CI from", "to", "min", "max", "")


@dataclass(frozen=True)
class Table:
    """A table of the page. Every cell is text."""

    title: str
    headers: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    names: int = 0
    """Number of columns, from the left, that hold names and not numbers."""
    csv: str | None = None
    """Path of the CSV file, relative to the page."""
    left_out: int = 0
    """Number of rows that only the CSV file holds."""
    on_demand: int = 0
    """Number of columns, from the right, that the page shows when the reader asks for them."""
    note: str = ""
    """Sentence below the table."""


def overview(averages: Averages, file_name: str) -> Table | None:
    """Return the table of cells × metrics: mean ± half the confidence interval. None if nothing was measured."""
    if not averages.metrics:
        return None
    factors = list(averages.factors)
    scales = {name: scale_of(name, _of(averages, name)["mean"]) for name in averages.metrics}
    lines: dict[tuple[Any, ...], dict[str, str]] = {}
    left_out: set[tuple[Any, ...]] = set()
    for cell in averages.cells.to_dict("records"):
        key = tuple(None if pd.isna(cell[name]) else cell[name] for name in factors)
        if key not in lines and len(lines) >= MAX_TABLE_ROWS:
            left_out.add(key)
            continue
        texts = lines.setdefault(key, {})
        texts[str(cell["metric"])] = _mean_and_half_width(cell, scales[cell["metric"]].divisor)
    return Table(
        title="Averages",
        headers=(*map(title_of, factors), *(axis_title(name, scales[name]) for name in averages.metrics)),
        rows=tuple(
            (*map(text_of, key), *(texts.get(name, NULL) for name in averages.metrics)) for key, texts in lines.items()
        ),
        names=len(factors),
        csv=f"tables/{file_name}-averages.csv",
        left_out=len(left_out),
    )


def statistics(averages: Averages, metric: str, file_name: str) -> Table:
    """Return the table of one metric's statistics, a row per cell."""
    cells = _of(averages, metric)
    scale = scale_of(metric, cells["mean"])
    shown = ("mean", "median", "sd", "ci95_low", "ci95_high", "min", "max")
    return Table(
        title=axis_title(metric, scale),
        headers=(*map(title_of, averages.factors), *_STATISTICS),
        rows=tuple(
            (
                *(text_of(cell[name]) for name in averages.factors),
                str(cell["n"]),
                *(number(cell[name], scale.divisor) for name in shown),
                _mark(cell),
            )
            for cell in cells.head(MAX_TABLE_ROWS).to_dict("records")
        ),
        names=len(averages.factors),
        csv=f"tables/{file_name}-averages.csv",
        left_out=max(0, len(cells) - MAX_TABLE_ROWS),
    )


def auc_table(table: pd.DataFrame, file_name: str) -> Table:
    """Return the table of AUCs (see auc.auc_by_cell), a row per combination of the factors other than author."""
    factors = [name for name in table.columns if name not in ("auc", "n_human", "n_synthetic")]
    return Table(
        title="AUC: how often a human text scores above a synthetic one",
        headers=(*map(title_of, factors), "AUC", "n human", "n synthetic"),
        rows=tuple(
            (
                *(text_of(cell[name]) for name in factors),
                number(cell["auc"]),
                f"{cell['n_human']:,}",
                f"{cell['n_synthetic']:,}",
            )
            for cell in table.head(MAX_TABLE_ROWS).to_dict("records")
        ),
        names=len(factors),
        csv=f"tables/{file_name}-separation.csv",
        left_out=max(0, len(table) - MAX_TABLE_ROWS),
    )


def failure_table(table: pd.DataFrame, file_name: str) -> Table | None:
    """Return the table of failures (see failures.failures); None if every row is ok."""
    if table.empty:
        return None
    shown = table.head(MAX_TABLE_ROWS)[["status", "where", "reason", "rows", "cells"]].astype(str)
    return Table(
        title="Rows without a measurement",
        headers=("status", "where", "reason", "rows", "cells"),
        rows=tuple(
            (*row[:2], middle_out(row[2], MAX_REASON), *row[3:]) for row in shown.itertuples(index=False, name=None)
        ),
        names=3,
        csv=f"tables/{file_name}-not-ok.csv",
        left_out=max(0, len(table) - MAX_TABLE_ROWS),
    )


def _of(averages: Averages, metric: str) -> pd.DataFrame:
    """Return the cells of one metric."""
    return averages.cells[averages.cells["metric"] == metric]


def _mark(cell: Mapping[Any, Any]) -> str:
    """Return the mark of an unsteady cell; '' for a steady one."""
    return MARK if cell["sd_above_limit"] or cell["range_above_limit"] else ""


def _mean_and_half_width(cell: Mapping[Any, Any], divisor: float) -> str:
    """Return '12.31 ± 0.40 ⚠', the half width with as many decimals as the mean; the mean alone for n = 1."""
    mean = number(cell["mean"], divisor)
    if pd.isna(cell["sd"]):
        return mean
    places = len(mean.partition(".")[2])
    half_width = (cell["ci95_high"] - cell["ci95_low"]) / 2 / divisor
    return f"{mean} ± {half_width:,.{places}f} {_mark(cell)}".rstrip()
