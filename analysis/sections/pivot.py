"""Make a table of averages with the levels of one factor as columns, as device map × quantization.

A cell without a measurement shows the status of its rows. An unsteady cell, and one measured beside other work, says
why right behind its mean.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import pandas as pd

from analysis.cell_factors import grouped, ordered_levels
from analysis.column_titles import NULL, Scale, axis_title, number, scale_of, title_of
from analysis.level_labels import text_of
from analysis.marks import few_rows_note, interval_text, reasons_of
from analysis.sections.selection import Selection
from analysis.tables import MAX_TABLE_ROWS, Table

_MAX_COLUMNS: Final = 12
"""Levels that get a column. With more, the factor is a column of names instead."""


def pivot(selection: Selection, metric: str, columns: str | None, *, first: Sequence[str] = ()) -> Table:
    """Return the means of a metric, a column per level of one factor, a row per combination of the other factors.

    The table is empty where no row has a value.

    Args:
        selection: the rows.
        metric: column that is averaged.
        columns: the factor whose levels are columns; where it does not vary, the table has one column.
        first: factors that come first in each row, also where they do not vary.
    """
    averages = selection.average(metric)
    if metric not in averages.metrics:
        return Table(title=f"Mean {title_of(metric)}", headers=(), rows=())
    scale = scale_of(metric, averages.cells["mean"])
    levels = averages.levels.get(columns or "", [])
    across = columns if columns and 1 < len(levels) <= _MAX_COLUMNS else None
    down = [*first, *(name for name in averages.factors if name not in (across, *first))]
    cells = averages.cells.assign(
        **{name: averages.constants.get(name) for name in first if name not in averages.factors}
    )
    means = _by_place(cells, down, across, lambda part: _mean(part.iloc[0].to_dict(), scale))
    failed = _by_place(
        _failed(selection, down, across), down, across, lambda part: "/".join(sorted(set(part["status"])))
    )
    keys = _in_order([*(key for key, _ in means), *(key for key, _ in failed)], down, selection)
    shown = levels if across else [None]
    heads = [f"{title_of(across)} {text_of(level)}" for level in levels] if across else [axis_title(metric, scale)]
    return Table(
        title=f"Mean {axis_title(metric, scale)}",
        headers=(*map(title_of, down), *heads),
        rows=tuple(
            (*map(text_of, key), *(means.get((key, level)) or failed.get((key, level), NULL) for level in shown))
            for key in keys[:MAX_TABLE_ROWS]
        ),
        names=len(down),
        left_out=max(0, len(keys) - MAX_TABLE_ROWS),
        note=few_rows_note(averages.cells["n"]),
    )


def _in_order(keys: Sequence[Any], down: Sequence[str], selection: Selection) -> list[Any]:
    """Return the rows of the table, each once, with the levels of each factor in the order of the spec."""
    wanted = selection.sweep.description.factors
    levels = [
        ordered_levels(pd.Series([key[at] for key in keys]), wanted.get(name, [])) for at, name in enumerate(down)
    ]
    places = [{level: place for place, level in enumerate(known)} for known in levels]
    return sorted(dict.fromkeys(keys), key=lambda key: [place[level] for place, level in zip(places, key, strict=True)])


def _mean(cell: Mapping[Any, Any], scale: Scale) -> str:
    """Return '23.81 (22.9 – 24.8)' with the reasons to doubt it."""
    return " ".join(filter(None, (number(cell["mean"], scale.divisor), interval_text(cell, scale), reasons_of(cell))))


def _failed(selection: Selection, down: Sequence[str], across: str | None) -> pd.DataFrame:
    """Return the rows without a measurement, with the factors of the table."""
    rows = selection.sweep.rows
    names = [name for name in (*down, *([across] if across else [])) if name in rows]
    return rows.loc[rows["status"] != "ok", [*names, "status"]]


def _by_place(rows: pd.DataFrame, down: Sequence[str], across: str | None, text: Any) -> dict[Any, str]:
    """Return a text by row and column of the table."""
    names = [*down, *([across] if across else [])]
    if not set(names) <= set(rows.columns):
        return {}
    places = {}
    for key, part in grouped(rows, names):
        at = (tuple(key[: len(down)]), key[len(down)] if across else None)
        places[at] = text(part)
    return places
