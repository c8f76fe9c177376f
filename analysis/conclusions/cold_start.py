"""Time from a cold start, load and generate, from two sweeps; and the longest input that fitted on each device.

Knows rows of several sweeps. Does not know effects.
"""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import pandas as pd
from scipy import stats

from analysis.cell_factors import grouped, varies
from analysis.level_labels import text_of

SHARED: Final = ("model", "host", "device", "device_map", "quantization", "dtype", "cpu_cores")
"""Columns that must be equal in both sweeps, where both have them."""


def cold_start(loads: pd.DataFrame, generations: pd.DataFrame, load_by: Sequence[str], by: Sequence[str]) -> Any:
    """Return the time of load plus generation, for cells of both sweeps whose shared factors are equal.

    Args:
        loads: rows of model_loading. Where some rows say `cache_state` cold, only these enter.
        generations: rows with `inference_time_s`.
        load_by, by: factors of each sweep beyond the shared ones, such as `source` and `max_new_tokens`.

    Returns:
        Columns: the factors, load_time_s, inference_time_s, total_s, total_low, total_high (95%; Satterthwaite; null
        where a cell has one row), n_load, n_inference. The fastest first.
    """
    shared = [name for name in SHARED if name in loads and name in generations]
    if "cache_state" in loads and (loads["cache_state"] == "cold").any():
        loads = loads[loads["cache_state"] == "cold"]
    left = _means(loads, [*shared, *(name for name in load_by if name not in shared)], "load_time_s", "load")
    right = _means(
        generations, [*shared, *(name for name in by if name not in shared)], "inference_time_s", "inference"
    )
    joined = left.merge(right, on=shared) if shared else left.merge(right, how="cross")
    total = joined["load_time_s"] + joined["inference_time_s"]
    parts = {name: joined[f"var_{name}"] / joined[f"n_{name}"] for name in ("load", "inference")}
    variance = parts["load"] + parts["inference"]
    with np.errstate(divide="ignore", invalid="ignore"):
        df = variance**2 / sum(parts[name] ** 2 / (joined[f"n_{name}"] - 1) for name in parts)
        half_width = stats.t.ppf(0.975, df) * np.sqrt(variance)
    table = joined.assign(total_s=total, total_low=total - half_width, total_high=total + half_width)
    return table.drop(columns=["var_load", "var_inference"]).sort_values("total_s", ignore_index=True)


def _means(rows: pd.DataFrame, factors: Sequence[str], metric: str, name: str) -> pd.DataFrame:
    """Return mean, variance and n of the ok rows of each cell."""
    ok = rows[(rows["status"] == "ok") & rows[metric].notna()] if "status" in rows else rows[rows[metric].notna()]
    table = ok.groupby(list(factors), dropna=False)[metric].agg(["mean", "var", "count"]).reset_index()
    return table.rename(columns={"mean": metric, "var": f"var_{name}", "count": f"n_{name}"})


def longest_inputs(rows: pd.DataFrame, length: str, by: Sequence[str]) -> pd.DataFrame:
    """Return the longest input that was measured, and the shortest longer one that ran out of memory, by cell.

    Args:
        rows: of every status.
        length: column of the input's length, such as input_words.
        by: columns such as device and model.

    Returns:
        Columns: by, longest, first_out_of_memory (null: no longer input failed), sentence.
    """
    records = []
    for key, group in grouped(rows, list(by)):
        fitted = group.loc[group["status"] == "ok", length].max()
        out = group.loc[group["status"].isin(("oom_gpu", "oom_host")), length]
        failed = out[out > fitted].min() if pd.notna(fitted) else out.min()
        where = ", ".join(text_of(level) for name, level in zip(by, key, strict=True) if varies(rows[name]))
        sentence = _on_length(fitted, failed, length.partition("_")[2])
        named = f"{where}: {sentence}" if where else sentence
        found = {"longest": fitted, "first_out_of_memory": failed, "sentence": named}
        records.append(dict(zip(by, key, strict=True)) | found)
    return pd.DataFrame(records, columns=[*by, "longest", "first_out_of_memory", "sentence"])


def _on_length(fitted: Any, failed: Any, unit: str) -> str:
    if pd.isna(fitted):
        return "no input was measured." if pd.isna(failed) else f"already {failed:,.0f} {unit} ran out of memory."
    if pd.isna(failed):
        return f"{fitted:,.0f} {unit} fitted; nothing longer ran out of memory, so more may fit."
    return f"{fitted:,.0f} {unit} is the longest input that fitted; {failed:,.0f} ran out of memory."
