"""Add load and generation times of like cells: the time from a cold start to the last token."""

from typing import Any, Final

import pandas as pd

from analysis.column_titles import axis_title, number, scale_of, title_of
from analysis.level_labels import text_of
from analysis.sections.measured_sweep import MeasuredSweep
from analysis.sections.selection import Selection
from analysis.tables import MAX_TABLE_ROWS, Table

_LOAD: Final = "load_time_s"
_GENERATE: Final = "inference_time_s"
_SHARED: Final = ("model", "device_map", "quantization", "cpu_cores")
"""Factors in which a load and a generation must agree."""


def cold_start_table(sweep: MeasuredSweep, generation: Selection) -> Table | None:
    """Return load + generation time by cell; None where no sweep on the page loaded such a model in such a way.

    Cold loads count where there are any: with warm ones the files were in the page cache. Of several sources the
    fastest counts.
    """
    loads = [_means(_cold(Selection(loads).with_device_map()), _LOAD) for loads in sweep.on_page("model_loading")]
    if not loads:
        return None
    load = pd.concat(loads).sort_values(_LOAD).drop_duplicates(list(_SHARED))
    both = _means(generation, _GENERATE).merge(load, on=list(_SHARED)).head(MAX_TABLE_ROWS)
    if both.empty:
        return None
    both["sum"] = both[_LOAD] + both[_GENERATE]
    scale = scale_of(_LOAD, both["sum"])
    return Table(
        title="Time from a cold start: load + generate",
        headers=(
            *map(title_of, _SHARED),
            axis_title("sum_s", scale),
            axis_title(_LOAD, scale),
            axis_title(_GENERATE, scale),
        ),
        rows=tuple(
            (
                *(text_of(cell[name]) for name in _SHARED),
                *(number(cell[name], scale.divisor) for name in ("sum", _LOAD, _GENERATE)),
            )
            for cell in both.sort_values("sum").to_dict("records")
        ),
        names=len(_SHARED),
        note="Sums of two means. Loads are cold where cold ones were measured, from the fastest source.",
    )


def _cold(selection: Selection) -> Selection:
    """Return the cold loads; all loads where none was cold."""
    return selection.among("cache_state", ["cold"]) or selection


def _means(selection: Selection, metric: str) -> pd.DataFrame:
    """Return the mean of a metric by the factors that loads and generations share."""
    ok = selection.sweep.ok
    groups: Any = ok.groupby(list(_SHARED), dropna=False)
    means: pd.DataFrame = groups[metric].mean().reset_index()
    return means[means[metric].notna()]
