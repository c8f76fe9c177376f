"""Rows in, statistics per cell out: mean, median, sd, n, 95% confidence interval, and a mark where unsteady.

The invariant: rows are averaged only when nothing that is known about them differs. Factors that vary tell
cells apart; so does whatever took effect (device, host, dtype, …) where it differs inside a cell.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd
from scipy.special import stdtrit

from analysis.load import Sweep
from sweeps import schema

CONFIDENCE: Final = 0.95
SD_LIMIT: Final = 0.10
"""Standard deviation over mean above which a cell is marked as unsteady, as pyperf does."""
RANGE_LIMIT: Final = 1.5
"""Largest over smallest value above which a cell is marked as unsteady."""

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
"""What a benchmark's tables show, the first also its figure; those without values are left out."""
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
    "revision",
    "host",
    "environment_id",
)
"""What took effect, and where; splits a cell where it differs inside it."""
SCORED: Final = frozenset({"binoculars"})
"""Benchmarks whose values spread over texts, not repetitions: author and pair matter, the host does not."""
_EFFECTIVE_FOR_SCORES: Final = ("dtype_effective", "revision")


@dataclass(frozen=True)
class Averages:
    """Statistics of one sweep."""

    factors: tuple[str, ...]
    """Columns that tell cells apart; each has at least two levels."""
    levels: dict[str, list[Any]]
    """Levels of those, in the spec's order, else sorted, null last."""
    constants: dict[str, Any]
    """What is the same in every ok row."""
    metrics: tuple[str, ...]
    cells: pd.DataFrame
    """A row per cell and metric: the factors, then metric, n, mean, median, sd, ci95_low, ci95_high, min,
    max, sd_above_limit, range_above_limit; in the metric's own unit."""
    notes: tuple[str, ...]
    """What a reader must know before comparing cells."""


def average(sweep: Sweep) -> Averages:
    """Statistics per cell of a sweep's ok rows; no row that failed enters any number."""
    rows = sweep.ok
    candidates = [name for name in _candidates(sweep) if name in rows.columns]
    factors = _split(rows, [name for name in candidates if _varies(rows[name])], sweep.benchmark)
    levels = {name: _ordered(rows[name], sweep.spec.get("factors", {}).get(name, [])) for name in factors}
    metrics = tuple(name for name in headlines(sweep) if name in rows and rows[name].notna().any())
    tables = [_describe_cells(rows, factors, name, sweep.benchmark not in SCORED) for name in metrics]
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
    """The metrics to show: the benchmark's entry and what its figure asks for; without an entry, its columns
    in measured units, else the row's time.
    """
    if sweep.benchmark in HEADLINES:
        asked = (sweep.spec.get("figure") or {}).get("y")
        measured = schema.METRICS.get(sweep.benchmark, {})
        extra = [asked] if asked in measured and pd.api.types.is_numeric_dtype(sweep.rows[asked]) else []
        return list(dict.fromkeys([*HEADLINES[sweep.benchmark], *extra]))
    columns = [name for name in schema.METRICS.get(sweep.benchmark, {}) if name.endswith(_MEASURED_SUFFIXES)]
    return columns or ["duration_s"]


def describe(values: Any, repeats: bool = True) -> pd.DataFrame:
    """Statistics of a grouped float column, a row a group; groups without values are left out.

    The interval is mean ± t(0.975, n-1) · sd / √n (Student); sd and interval are null for n = 1. `repeats`
    says that the values repeat one measurement, so that a wide spread deserves a mark.
    """
    table: pd.DataFrame = values.agg(["count", "mean", "median", "std", "min", "max"])
    table = table.rename(columns={"count": "n", "std": "sd"})[table["count"] > 0].copy()
    quantile = stdtrit(table["n"].clip(lower=2) - 1, (1 + CONFIDENCE) / 2)
    half_width = quantile * table["sd"] / np.sqrt(table["n"])
    table["ci95_low"] = table["mean"] - half_width
    table["ci95_high"] = table["mean"] + half_width
    table["sd_above_limit"] = repeats & (table["sd"] > SD_LIMIT * table["mean"].abs())
    table["range_above_limit"] = repeats & (table["min"] >= 0) & (table["max"] > RANGE_LIMIT * table["min"])
    order = ["n", "mean", "median", "sd", "ci95_low", "ci95_high", "min", "max"]
    return table[[*order, "sd_above_limit", "range_above_limit"]]


def separation(sweep: Sweep, averages: Averages) -> pd.DataFrame:
    """How well the score tells human from synthetic text, per cell without its author.

    Columns: the factors but author, auc, n_human, n_synthetic. auc is the probability that a human text
    scores above a synthetic one, ties counting half; null where one of the two is missing.
    """
    factors = [name for name in averages.factors if name != "author"]
    scored = sweep.ok[sweep.ok["score"].notna()] if "score" in sweep.ok else sweep.ok
    records = [
        dict(zip(factors, key, strict=True)) | _auc(group["author"] == "human", group["score"])
        for key, group in grouped(scored, factors)
    ]
    return pd.DataFrame(records, columns=[*factors, "auc", "n_human", "n_synthetic"])


def grouped(rows: pd.DataFrame, factors: Sequence[str]) -> list[tuple[tuple[Any, ...], pd.DataFrame]]:
    """Groups of rows by factors, nulls being a level; without factors, all rows are one group."""
    if rows.empty:
        return []
    if not factors:
        return [((), rows)]
    return [
        (key if isinstance(key, tuple) else (key,), group) for key, group in rows.groupby(list(factors), dropna=False)
    ]


def _auc(is_human: Any, score: Any) -> dict[str, Any]:
    from sklearn.metrics import roc_auc_score  # takes seconds, and only scores need it

    n_human, n = int(is_human.sum()), len(is_human)
    auc = float(roc_auc_score(is_human, score)) if 0 < n_human < n else None
    return {"auc": auc, "n_human": n_human, "n_synthetic": n - n_human}


def _candidates(sweep: Sweep) -> list[str]:
    """Factor columns: the spec's in its order, then what a spec may have named; the author of a text last."""
    own = schema.FACTORS.get(sweep.benchmark, {})
    author = ["author"] if sweep.benchmark in SCORED else []
    return list(dict.fromkeys([*sweep.spec.get("factors", {}), *FACTORS, *own, *author]))


def _split(rows: pd.DataFrame, factors: list[str], benchmark: str) -> list[str]:
    """Add what took effect where it differs inside a cell; cell_id last, for a factor that has no column."""
    scored = benchmark in SCORED
    for name in _EFFECTIVE_FOR_SCORES if scored else (*EFFECTIVE, "cell_id"):
        if name in rows and any(_varies(group[name]) for _, group in grouped(rows, factors)):
            factors = [*factors, name]
    return factors


def _varies(column: Any) -> bool:
    return int(column.nunique(dropna=False)) > 1


def _ordered(column: Any, wanted: Sequence[Any]) -> list[Any]:
    """Levels that occur: in the spec's order, then others sorted, null last."""
    seen = [level.item() if isinstance(level, np.generic) else level for level in column.dropna().unique()]
    levels = [level for level in wanted if level in seen]
    levels += sorted(level for level in seen if level not in levels)
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
        ranks[name] = [len(known) if pd.isna(level) else known.index(level) for level in cells[name]]
    return cells.loc[ranks.sort_values(["metric", *levels]).index].reset_index(drop=True)


def _constants(rows: pd.DataFrame, names: Sequence[str], factors: Sequence[str]) -> dict[str, Any]:
    present = [name for name in names if name in rows and name not in factors and not rows.empty]
    alone = {name: rows[name].iloc[0] for name in present if not _varies(rows[name])}
    return {name: level for name, level in alone.items() if not pd.isna(level)}


def _notes(sweep: Sweep, factors: Sequence[str]) -> Iterable[str]:
    for name in EFFECTIVE if sweep.benchmark not in SCORED else ():
        if name in sweep.ok and name not in factors and _is_confounded(sweep.ok, name, factors):
            places = ", ".join(map(str, _ordered(sweep.ok[name], [])))
            yield f"{name} differs between cells ({places}): a difference between cells may come from that."
    if sweep.benchmark in SCORED:
        yield from _notes_on_scores(sweep)


def _notes_on_scores(sweep: Sweep) -> Iterable[str]:
    """Texts without a score, and what the intervals do not know."""
    reasons = sweep.ok.loc[sweep.ok["score"].isna(), "null_reason"].fillna("no reason given").value_counts()
    for reason, count in reasons.items():
        yield f"{count:,} texts have no score and enter no number: {reason}."
    generators: list[Any] = list(sweep.ok["generator"].dropna().unique())
    if len(generators) > 1:
        yield f"Texts of several generators are taken together: {', '.join(sorted(generators))}."
    if sweep.ok.duplicated(["record_id", "author"]).any():
        yield "Fragments of one record are not independent: the intervals are narrower than they should be."


def _is_confounded(rows: pd.DataFrame, name: str, factors: Sequence[str]) -> bool:
    """Varies, though no single factor explains how."""
    if not _varies(rows[name]):
        return False
    return all(any(_varies(group[name]) for _, group in grouped(rows, [factor])) for factor in factors)
