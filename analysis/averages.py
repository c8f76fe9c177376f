"""Average the rows of a sweep's cells.

Invariant: rows are averaged only where every column that is known about them is equal. Factors that vary tell cells
apart; so does a column of what took effect (device, host, dtype, …) that differs inside a cell.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import pandas as pd

from analysis.cell_factors import EFFECTIVE, candidate_factors, constants_of, ordered_levels, split_cells, varies
from analysis.cell_statistics import describe
from analysis.load import SweepRows
from analysis.notes import notes_on_averages
from sweeps import schema

_MEMORY: Final = ("peak_allocated_bytes", "peak_reserved_bytes", "peak_device_used_bytes", "peak_rss_bytes")
_GENERATION: Final = (
    "generation_rate_tokens_per_s",
    "inference_time_s",
    "ttft_s",
    "tpot_s",
    "prefill_tokens_per_s",
    "decode_tokens_per_s",
    *_MEMORY,
)
HEADLINES: Final[dict[str, tuple[str, ...]]] = {
    "generation": _GENERATION,
    "decoding_strategy": _GENERATION,
    "model_loading": ("load_rate_per_s", "load_time_s", "load_rate_bytes_per_s", *_MEMORY),
    "logits": ("calculation_rate_tokens_per_s", "calculation_time_s", *_MEMORY),
    "encoding": ("encoding_rate_tokens_per_s", "encoding_rate_bytes_per_s", "encoding_time_s"),
    "binoculars": ("score", "log_ppl", "log_xppl"),
}
"""Metrics that the tables of a benchmark show. Its figure shows the first. Metrics without values are left out."""
_MEASURED_SUFFIXES: Final = ("_s", "_bytes")

SCORED: Final = frozenset({"binoculars"})
"""Benchmarks whose rows are texts, not repetitions: author and pair matter to their values, the host does not."""


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
    max, sd_above_limit and range_above_limit; values have the unit of the metric's column."""
    notes: tuple[str, ...]
    """Sentences that a reader must know before comparing cells."""


def average(sweep: SweepRows) -> Averages:
    """Return the statistics of each cell of a sweep. Only ok rows enter a number."""
    rows, has_scores = sweep.ok, sweep.benchmark in SCORED
    candidates = candidate_factors(sweep, has_scores=has_scores)
    varying = [name for name in candidates if varies(rows[name])]
    factors = split_cells(rows, varying, has_scores=has_scores)
    levels = {name: ordered_levels(rows[name], sweep.description.factors.get(name, [])) for name in factors}
    metrics = tuple(name for name in headlines(sweep) if rows[name].notna().any())
    tables = [_describe_cells(rows, factors, name, repeats=not has_scores) for name in metrics]
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
    """Return the metrics to show: the benchmark's entry in HEADLINES, then the metric that the spec's figure asks for.

    A benchmark without an entry shows its columns in seconds and bytes. If it has none, the duration of a row is shown.
    """
    if sweep.benchmark in HEADLINES:
        asked = sweep.description.figure.get("y")
        measured = schema.METRICS.get(sweep.benchmark, {})
        extra = [str(asked)] if asked in measured and pd.api.types.is_numeric_dtype(sweep.rows[asked]) else []
        return list(dict.fromkeys([*HEADLINES[sweep.benchmark], *extra]))
    columns = [name for name in schema.METRICS.get(sweep.benchmark, {}) if name.endswith(_MEASURED_SUFFIXES)]
    return columns or ["duration_s"]


def _describe_cells(rows: pd.DataFrame, factors: list[str], metric: str, *, repeats: bool) -> pd.DataFrame:
    """Return the statistics of one metric, a row per cell that has a value of it."""
    values = rows[metric].astype("float64")
    keys = [rows[name] for name in factors] or [pd.Series(0, index=rows.index)]
    table = describe(values.groupby(keys, dropna=False), repeats=repeats).reset_index()
    table.insert(len(factors), "metric", metric)
    return table if factors else table.drop(columns="index")


def _sorted(cells: pd.DataFrame, levels: dict[str, list[Any]], metrics: Sequence[str]) -> pd.DataFrame:
    """Sort by metric, then by the order of each factor's levels."""
    ranks = pd.DataFrame({"metric": [metrics.index(name) for name in cells["metric"]]})
    for name, known in levels.items():
        rank = {level: place for place, level in enumerate(known)}
        ranks[name] = [len(known) if pd.isna(level) else rank[level] for level in cells[name]]
    return cells.loc[ranks.sort_values(["metric", *levels]).index].reset_index(drop=True)
