"""Time from a cold start: the load of a model plus a generation, from the rows of two sweeps.

An estimate, not a test. Knows rows of both sweeps. Does not know effects or sentences.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd
from scipy import stats

from analysis.cell_statistics import FEWEST
from analysis.conclusions.marked_means import marked_means
from analysis.marks import MARK

SHARED: Final = (
    "model",
    "revision",
    "host",
    "device",
    "device_map",
    "max_memory",
    "device_name",
    "quantization",
    "dtype",
    "cpu_cores",
)
"""Columns that must be equal in both sweeps, where both have values of them."""
_NULL_IS_A_LEVEL: Final = ("max_memory",)
"""Columns whose null says that nothing was asked for, not that nothing is known."""


@dataclass(frozen=True)
class Matched:
    """How many configurations have both a load and a generation, and which of the two the others lack."""

    both: int
    without_load: int
    without_generation: int


def cold_start(
    loads: pd.DataFrame, generations: pd.DataFrame, load_by: Sequence[str], by: Sequence[str]
) -> pd.DataFrame:
    """Return the time of load plus generation, for cells of both sweeps whose shared columns are equal.

    Args:
        loads: rows of model_loading. Where some ok rows say `cache_state` cold, only these enter.
        generations: rows with `inference_time_s`.
        load_by, by: factors of each sweep beyond SHARED, such as `source` and `max_new_tokens`. One that both sweeps
            know must be equal in both.

    Returns:
        Columns: the factors, load_time_s, inference_time_s, total_s, total_low, total_high (95% on the logarithmic
        scale, Satterthwaite; null where one of the two means is of fewer than 5 values), n_load, n_inference, doubts
        ('' for none). The fastest first.
    """
    shared = shared_factors(loads, generations, (*load_by, *by))
    left = _means(_cold(loads), [*shared, *(name for name in load_by if name not in shared)], "load_time_s", "load")
    right = _means(
        generations, [*shared, *(name for name in by if name not in shared)], "inference_time_s", "inference"
    )
    joined = left.merge(right, on=shared) if shared else left.merge(right, how="cross")
    total = joined["load_time_s"] + joined["inference_time_s"]
    factor = np.exp(_half_width(joined) / total)
    table = joined.assign(total_s=total, total_low=total / factor, total_high=total * factor, doubts=_doubts(joined))
    unused = [f"{name}_{side}" for name in ("var", "doubts") for side in ("load", "inference")]
    return table.drop(columns=unused).sort_values("total_s", kind="stable", ignore_index=True)


def shared_factors(loads: pd.DataFrame, generations: pd.DataFrame, also: Sequence[str]) -> list[str]:
    """Return the columns of SHARED, and other factors, that both sweeps have values of."""
    names = dict.fromkeys((*SHARED, *also))
    return [name for name in names if _is_known(loads, name) and _is_known(generations, name)]


def matched(loads: pd.DataFrame, generations: pd.DataFrame, load_by: Sequence[str], by: Sequence[str]) -> Matched:
    """Return how many configurations `cold_start` adds up, and how many it cannot.

    The loads of a configuration from several sources count once.
    """
    shared = shared_factors(loads, generations, (*load_by, *by))
    if not shared:
        return Matched(len(generations), 0, 0)
    known = _cold(loads)[lambda rows: rows["load_time_s"].notna()][shared].astype("object").drop_duplicates()
    measured = generations[generations["inference_time_s"].notna()]
    cells = measured[list(dict.fromkeys((*shared, *by)))].astype("object").drop_duplicates()
    sides = cells.merge(known, on=shared, how="outer", indicator=True)["_merge"].value_counts()
    return Matched(int(sides["both"]), int(sides["left_only"]), int(sides["right_only"]))


def _is_known(rows: pd.DataFrame, name: str) -> bool:
    return name in rows and (name in _NULL_IS_A_LEVEL or bool(rows[name].notna().any()))


def _cold(loads: pd.DataFrame) -> pd.DataFrame:
    """Return the cold loads; all loads where none was cold."""
    if "cache_state" not in loads:
        return loads
    is_cold = loads["cache_state"] == "cold"
    return loads[is_cold] if (is_cold & (loads["status"] == "ok")).any() else loads


def _means(rows: pd.DataFrame, factors: Sequence[str], metric: str, side: str) -> pd.DataFrame:
    """Return mean, variance, n and doubts of each cell, named by the side of the sum."""
    texts = {name: rows[name].astype("object") for name in factors if isinstance(rows[name].dtype, pd.CategoricalDtype)}
    table = marked_means(rows.assign(**texts), factors, metric)
    return table.rename(columns={"mean": metric} | {name: f"{name}_{side}" for name in ("var", "n", "doubts")})


def _half_width(joined: pd.DataFrame) -> Any:
    """Return half the 95% interval of each sum; null where a mean is of too few values."""
    parts = {side: joined[f"var_{side}"] / joined[f"n_{side}"] for side in ("load", "inference")}
    variance = parts["load"] + parts["inference"]
    with np.errstate(divide="ignore", invalid="ignore"):
        df = variance**2 / sum(parts[side] ** 2 / (joined[f"n_{side}"] - 1) for side in parts)
        half_width = stats.t.ppf(0.975, df) * np.sqrt(variance)
    enough = joined[["n_load", "n_inference"]].min(axis=1) >= FEWEST
    return half_width.where(variance > 0, 0.0).where(enough)


def _doubts(joined: pd.DataFrame) -> list[str]:
    """Return the reasons to doubt either mean of a sum."""
    together = []
    for load, generation in zip(joined["doubts_load"], joined["doubts_inference"], strict=True):
        named = [
            f"{side}: {text.removeprefix(MARK).strip()}"
            for side, text in (("load", load), ("generation", generation))
            if text
        ]
        together.append(f"{MARK} {'; '.join(named)}" if named else "")
    return together
