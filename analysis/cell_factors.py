"""Columns that tell the cells of a sweep apart, and the levels of these columns.

Knows factors (what a spec asks for) and what took effect (device, host, dtype, …). Does not know metrics' values.
"""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import pandas as pd
import pyarrow as pa

from analysis.cell_rows import cell_rows
from analysis.load import SweepRows
from analysis.row_codes import count_combinations

FACTORS: Final = (
    "model",
    "observer",
    "performer",
    "device",
    "device_map",
    "quantization",
    "dtype",
    "cpu_cores",
    "decoding_strategy",
    "cache_state",
    "storage_device",
    "dataset",
    "input_words",
    "prefix_tokens",
)
"""Columns that tell cells apart, beside the benchmark's own factors. A column that the rows lack is
ignored."""
EFFECTIVE: Final = (
    "device_name",
    "device_map_effective",
    "dtype_effective",
    "threads_effective",
    "rayon_threads_effective",
    "quantized_share",
    "generation_mode_effective",
    "peak_rss_method",
    "filesystem",
    "revision",
    "host",
    "environment_id",
)
"""Columns that say what took effect, and where. A column that differs inside a cell splits the cell."""
EFFECTIVE_FOR_SCORES: Final = ("dtype_effective", "quantized_share", "revision")
"""The same for benchmarks of scores: where a text is scored does not change its score."""
_OF_PAIR: Final = ("observer", "performer")
_NO_FACTOR: Final = frozenset({"status", "started_at", "task_id", "panel"})
"""Columns that are never factors, even if an environment file names them. `panel` adds columns and changes no score: an
older run that was continued has rows with and without it."""


def grouped(rows: pd.DataFrame, factors: Sequence[str]) -> list[tuple[tuple[Any, ...], pd.DataFrame]]:
    """Return the groups of rows of equal factors, each with its levels. Null is the level None.

    Without factors, all rows are one group.
    """
    if rows.empty:
        return []
    if not factors:
        return [((), rows)]
    groups: Any = rows.groupby(list(factors), dropna=False)
    return [(tuple(None if pd.isna(level) else level for level in key), group) for key, group in groups]


def grouped_places(rows: pd.DataFrame, factors: Sequence[str]) -> list[tuple[tuple[Any, ...], Any]]:
    """Return the groups of rows of equal factors, each with its levels and the places of its rows, see `grouped`."""
    if not len(rows):  # `empty` is true of rows without columns, too
        return []
    cells = cell_rows(rows, factors)
    firsts = rows[[*factors]].iloc[cells.firsts].reset_index(drop=True)
    groups = grouped(firsts, factors) if factors else [((), firsts)]
    return [(key, cells.places(int(first.index[0]))) for key, first in groups]


def candidate_factors(sweep: SweepRows, *, has_scores: bool) -> list[str]:
    """Return the columns that may be factors: the spec's in its order, then those of FACTORS and of the benchmark.

    The author of a text comes last, and only where the rows are texts with scores.
    """
    author = ["author"] if has_scores else []
    names = dict.fromkeys([*sweep.description.factors, *FACTORS, *sweep.columns.factors, *author])
    measured = {name for name, kind in sweep.columns.metrics.items() if kind == pa.float64()}
    left_out = measured | _NO_FACTOR | _said_by_pair(sweep.rows)
    return [name for name in names if name in sweep.rows and name not in left_out]


def _said_by_pair(rows: pd.DataFrame) -> set[str]:
    """Return observer and performer where the pair of a row says them."""
    if "pair" not in rows:
        return set()
    return {name for name in _OF_PAIR if name in rows and not varies_within(rows, name, ["pair"])}


def split_cells(rows: pd.DataFrame, factors: list[str], *, has_scores: bool) -> list[str]:
    """Return the factors, with each column of what took effect that differs inside a cell.

    `cell_id` is tried last: it tells cells apart that differ only in a factor without a column.
    """
    for name in EFFECTIVE_FOR_SCORES if has_scores else (*EFFECTIVE, "cell_id"):
        if name in rows and name not in factors and varies_within(rows, name, factors):
            factors = [*factors, name]
    return factors


def varies_within(rows: pd.DataFrame, name: str, factors: Sequence[str]) -> bool:
    """Tell whether some group of rows of equal factors holds several levels of `name`. Null is a level."""
    if not factors or not varies(rows[name]):
        return varies(rows[name])
    return count_combinations(rows, [*factors, name]) > count_combinations(rows, factors)


def varies(column: Any) -> bool:
    """Tell whether a column holds several levels. Null is a level."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        codes = column.cat.codes.to_numpy()
        return len(codes) > 0 and bool(codes.min() < codes.max())
    return int(column.nunique(dropna=False)) > 1


def _seen(column: Any) -> list[Any]:
    """Return the levels that occur, null left out."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        codes = column.cat.codes.to_numpy()
        return [column.cat.categories[code] for code in pd.unique(codes) if code >= 0]
    return [level.item() if isinstance(level, np.generic) else level for level in column.dropna().unique()]


def ordered_levels(column: Any, wanted: Sequence[Any]) -> list[Any]:
    """Return the levels that occur: those of `wanted` in its order, then the others sorted, then null."""
    seen = _seen(column)
    known = set(seen)
    levels = [level for level in dict.fromkeys(wanted) if level in known]
    placed = set(levels)
    levels += sorted(level for level in seen if level not in placed)
    return levels + [None] * bool(column.isna().any())


def constants_of(rows: pd.DataFrame, names: Sequence[str], factors: Sequence[str]) -> dict[str, Any]:
    """Return the level of each column, beside the factors, that has one level in all rows. Nulls are left out."""
    present = [name for name in names if name in rows and name not in factors and not rows.empty]
    alone = {name: rows[name].iloc[0] for name in present if not varies(rows[name])}
    return {name: level for name, level in alone.items() if not pd.isna(level)}
