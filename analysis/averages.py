"""Rows in, statistics per cell out: mean, median, sd, n, 95% confidence interval, and a mark where unsteady.

The invariant: rows are averaged only when nothing that is known about them differs. Factors that vary tell
cells apart; so does whatever took effect (device, host, dtype, …) where it differs inside a cell.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd
import pyarrow as pa
from scipy.special import stdtrit

from analysis.columns import text_of
from analysis.load import Sweep

CONFIDENCE: Final = 0.95
SD_LIMIT: Final = 0.10
"""Standard deviation over mean above which a cell is marked as unsteady, as pyperf does."""
RANGE_LIMIT: Final = 1.5
"""Largest over smallest value above which a cell is marked as unsteady."""

_MEASURED_SUFFIXES: Final = ("_s", "_bytes")

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
"""Columns that tell cells apart beside the schema's own for the benchmark; those that a benchmark lacks are
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
"""Columns of what took effect, and where; one splits a cell where it differs inside it."""
_OF_MODEL_AND_QUANTIZATION: Final = frozenset({"quantized_share"})
"""Columns that two factors decide together: that such a one differs between cells is no news."""
_EFFECTIVE_FOR_SCORES: Final = ("dtype_effective", "quantized_share", "revision")
_NO_FACTOR: Final = frozenset({"status", "started_at", "task_id"})
"""Columns that no spec can vary, whatever a file says."""
_SCORES: Final = ("score", "null_reason", "author", "generator", "record_id")
"""Columns of scores of texts, which the notes on them need."""
_MAX_NAMED: Final = 12


@dataclass(frozen=True)
class Averages:
    """Statistics of one sweep."""

    factors: tuple[str, ...]
    """Columns that tell cells apart; each has at least two levels."""
    levels: dict[str, list[Any]]
    """Levels of those, in the spec's order, else sorted, null last."""
    constants: dict[str, Any]
    """Levels that are the same in every ok row, by column."""
    metrics: tuple[str, ...]
    cells: pd.DataFrame
    """A row per cell and metric: the factors, then metric, n, mean, median, sd, ci95_low, ci95_high, min,
    max, sd_above_limit, range_above_limit; in the metric's own unit."""
    notes: tuple[str, ...]
    """Sentences that a reader must know before comparing cells."""


def average(sweep: Sweep) -> Averages:
    """Statistics per cell of a sweep's ok rows; no row that failed enters any number."""
    rows = sweep.ok
    candidates = _candidates(sweep)
    factors = _split(rows, [name for name in candidates if _varies(rows[name])], is_scored(sweep))
    levels = {name: _ordered(rows[name], sweep.description.factors.get(name, [])) for name in factors}
    metrics = tuple(name for name in headlines(sweep) if rows[name].notna().any())
    tables = [_describe_cells(rows, factors, name, not is_scored(sweep)) for name in metrics]
    cells = pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=[*factors, "metric"])
    return Averages(
        factors=tuple(factors),
        levels=levels,
        constants=_constants(rows, [*candidates, *EFFECTIVE], factors),
        metrics=metrics,
        cells=_sorted(cells, levels, metrics),
        notes=tuple(_notes(sweep, factors)),
    )


def headlines(sweep: Sweep) -> Sequence[str]:
    """The metrics to show: the benchmark's headlines and what its figure asks for; without headlines, its metrics in
    measured units, else the row's time.
    """
    metrics, asked = sweep.columns.metrics, sweep.description.figure.get("y")
    own = sweep.columns.headlines or [name for name in metrics if name.endswith(_MEASURED_SUFFIXES)]
    wanted = dict.fromkeys([*own, *([asked] if asked in metrics else [])])
    shown = [name for name in wanted if name in sweep.rows and pd.api.types.is_numeric_dtype(sweep.rows[name])]
    return shown or ["duration_s"]


def is_scored(sweep: Sweep) -> bool:
    """Values spread over texts or other items, not over repetitions: author and pair matter, the host does not."""
    return bool(sweep.columns.identity)


def describe(values: Any, repeats: bool = True) -> pd.DataFrame:
    """Statistics of a grouped float column, a row a group; groups without values are left out.

    The interval is mean ± t(0.975, n-1) · sd / √n (Student); sd and interval are null for n = 1. `repeats`
    says that the values repeat one measurement, so that a wide spread deserves a mark.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        table: pd.DataFrame = values.agg(["count", "mean", "median", "std", "min", "max"])
    table = table.rename(columns={"count": "n", "std": "sd"})[table["count"] > 0].copy()
    quantile = stdtrit(table["n"].clip(lower=2) - 1, (1 + CONFIDENCE) / 2)
    with np.errstate(over="ignore", invalid="ignore"):  # values near the largest float: the interval is infinite
        half_width = quantile * table["sd"] / np.sqrt(table["n"])
        table["ci95_low"] = table["mean"] - half_width
        table["ci95_high"] = table["mean"] + half_width
        table["sd_above_limit"] = repeats & (table["sd"] > SD_LIMIT * table["mean"].abs())
        table["range_above_limit"] = repeats & (table["min"] >= 0) & (table["max"] > RANGE_LIMIT * table["min"])
    order = ["n", "mean", "median", "sd", "ci95_low", "ci95_high", "min", "max"]
    return table[[*order, "sd_above_limit", "range_above_limit"]]


def grouped(rows: pd.DataFrame, factors: Sequence[str]) -> list[tuple[tuple[Any, ...], pd.DataFrame]]:
    """Groups of rows by factors, nulls being the level None; without factors, all rows are one group."""
    if rows.empty:
        return []
    if not factors:
        return [((), rows)]
    groups: Any = rows.groupby(list(factors), dropna=False)
    return [(tuple(None if pd.isna(level) else level for level in key), group) for key, group in groups]


def _candidates(sweep: Sweep) -> list[str]:
    """Factor columns: the spec's in its order, then what a spec may have named; the author of a text last."""
    author = ["author"] if is_scored(sweep) else []
    names = dict.fromkeys([*sweep.description.factors, *FACTORS, *sweep.columns.factors, *author])
    measured = {name for name, kind in sweep.columns.metrics.items() if kind == pa.float64()}
    return [name for name in names if name in sweep.rows and name not in measured and name not in _NO_FACTOR]


def _split(rows: pd.DataFrame, factors: list[str], scored: bool) -> list[str]:
    """Add what took effect where it differs inside a cell; cell_id last, for a factor that has no column."""
    for name in _EFFECTIVE_FOR_SCORES if scored else (*EFFECTIVE, "cell_id"):
        if name in rows and name not in factors and _varies_within(rows, name, factors):
            factors = [*factors, name]
    return factors


def _varies_within(rows: pd.DataFrame, name: str, factors: Sequence[str]) -> bool:
    """Some group of rows of equal factors holds several levels of `name`; nulls being a level."""
    if not factors or not _varies(rows[name]):
        return _varies(rows[name])
    levels = rows[[*factors, name]].drop_duplicates()
    return bool(levels.duplicated(list(factors)).any())


def _varies(column: Any) -> bool:
    return int(column.nunique(dropna=False)) > 1


def _ordered(column: Any, wanted: Sequence[Any]) -> list[Any]:
    """Levels that occur: in the spec's order, then others sorted, null last."""
    seen = [level.item() if isinstance(level, np.generic) else level for level in column.dropna().unique()]
    known = set(seen)
    levels = [level for level in dict.fromkeys(wanted) if level in known]
    placed = set(levels)
    levels += sorted(level for level in seen if level not in placed)
    return levels + [None] * bool(column.isna().any())


def _describe_cells(rows: pd.DataFrame, factors: list[str], metric: str, repeats: bool) -> pd.DataFrame:
    values = rows[metric].astype("float64")
    keys = [rows[name] for name in factors] or [pd.Series(0, index=rows.index)]
    table = describe(values.groupby(keys, dropna=False), repeats).reset_index()
    table.insert(len(factors), "metric", metric)
    return table if factors else table.drop(columns="index")


def _sorted(cells: pd.DataFrame, levels: dict[str, list[Any]], metrics: Sequence[str]) -> pd.DataFrame:
    """Metric by metric, cells in the order of their levels."""
    ranks = pd.DataFrame({"metric": [metrics.index(name) for name in cells["metric"]]})
    for name, known in levels.items():
        rank = {level: place for place, level in enumerate(known)}
        ranks[name] = [len(known) if pd.isna(level) else rank[level] for level in cells[name]]
    return cells.loc[ranks.sort_values(["metric", *levels]).index].reset_index(drop=True)


def _constants(rows: pd.DataFrame, names: Sequence[str], factors: Sequence[str]) -> dict[str, Any]:
    present = [name for name in names if name in rows and name not in factors and not rows.empty]
    alone = {name: rows[name].iloc[0] for name in present if not _varies(rows[name])}
    return {name: level for name, level in alone.items() if not pd.isna(level)}


def _notes(sweep: Sweep, factors: Sequence[str]) -> Iterable[str]:
    for name in EFFECTIVE if not is_scored(sweep) else ():
        if name in _OF_MODEL_AND_QUANTIZATION:
            continue
        if name in sweep.rows and name not in factors and _is_confounded(sweep.ok, name, factors):
            levels = _ordered(sweep.ok[name], [])
            more = f" and {len(levels) - _MAX_NAMED} more" if len(levels) > _MAX_NAMED else ""
            places = ", ".join(map(text_of, levels[:_MAX_NAMED])) + more
            yield f"{name} differs between cells ({places}): a difference between cells may come from that."
    if is_scored(sweep) and set(_SCORES) <= set(sweep.rows):
        yield from _notes_on_scores(sweep.ok, factors)


def _notes_on_scores(rows: pd.DataFrame, factors: Sequence[str]) -> Iterable[str]:
    """Texts without a score, and what the intervals do not know."""
    reasons = rows.loc[rows["score"].isna(), "null_reason"].fillna("no reason given").value_counts()
    for reason, count in list(reasons.items())[:_MAX_NAMED]:
        yield f"{count:,} texts have no score and enter no number: {text_of(reason)}."
    if len(reasons) > _MAX_NAMED:
        rest = reasons.iloc[_MAX_NAMED:]
        yield f"{rest.sum():,} texts have no score for {len(rest):,} other reasons."
    strangers = rows["score"].notna() & ~rows["author"].isin(("human", "synthetic"))
    if count := int(strangers.sum()):
        yield f"{count:,} texts are neither of author human nor synthetic, and enter no AUC."
    generators: list[Any] = sorted(rows["generator"].dropna().unique())
    if len(generators) > 1:
        more = f" and {len(generators) - _MAX_NAMED} more" if len(generators) > _MAX_NAMED else ""
        named = ", ".join(map(text_of, generators[:_MAX_NAMED]))
        yield f"Texts of several generators are taken together: {named}{more}."
    if rows.duplicated(list({"cell_id", "record_id", "author", *factors})).any():
        yield "Fragments of one record are not independent: the intervals are narrower than they should be."


def _is_confounded(rows: pd.DataFrame, name: str, factors: Sequence[str]) -> bool:
    """Varies, though no single factor explains how."""
    return _varies(rows[name]) and all(_varies_within(rows, name, [factor]) for factor in factors)
