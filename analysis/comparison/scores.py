"""Scores of texts in two runs, compared text by text where the text is the same: the first headline of the benchmark.

Fragments of one record are not independent: the mean difference of each record is one value.
"""

from typing import Any, Final

import numpy as np
import pandas as pd
from scipy import stats

from analysis.cell_factors import grouped
from analysis.comparison.cells import label
from analysis.load import SweepRows

_TEXT: Final = ("text_sha256", "record_id", "dataset", "generator", "fragment_index", "prefix_tokens")


def compare_scores(run: SweepRows, against: SweepRows, factors: list[str], shown: list[str]) -> list[dict[str, Any]]:
    """Return a record per cell: texts in both runs, and the mean difference of their scores with its interval."""
    metric = score_of(run, against)
    if metric is None:
        return [_untested(run.name, "score", "no text has a score")]
    columns = [*dict.fromkeys([*factors, *(name for name in _TEXT if name in run.ok and name in against.ok)])]
    ours, theirs = (_values(sweep, columns, metric) for sweep in (run, against))
    if "text_sha256" not in columns:
        return [_untested(run.name, metric, "the rows do not say which texts they are of (no text_sha256)")]
    pairs = ours.drop_duplicates(columns).merge(theirs.drop_duplicates(columns), on=columns, suffixes=("", "_against"))
    if pairs.empty:
        return [_untested(run.name, metric, "no text was scored by both runs in equal cells")]
    return [
        {"sweep": run.name, "metric": metric, "cell": label(factors, shown, key)} | _paired(group, metric)
        for key, group in grouped(pairs, factors)
    ]


def score_of(run: SweepRows, against: SweepRows) -> str | None:
    """Return the first headline metric with values in either run, as score, or kl of fidelity."""
    rated = (name for sweep in (run, against) for name in sweep.columns.headlines)
    return next(
        (name for name in rated if any(name in s.ok and s.ok[name].notna().any() for s in (run, against))), None
    )


def _values(sweep: SweepRows, columns: list[str], metric: str) -> pd.DataFrame:
    """Return the texts of a sweep that have a value of the metric."""
    rows: pd.DataFrame = sweep.ok.reindex(columns=[*columns, metric])
    return rows[rows[metric].notna()]


def _paired(pairs: pd.DataFrame, metric: str) -> dict[str, Any]:
    """Return the mean paired difference over records, its 95% interval, and p."""
    differences = (pairs[metric] - pairs[f"{metric}_against"]).groupby(pairs["record_id"]).mean().to_numpy(float)
    n, mean = len(differences), float(differences.mean())
    record: dict[str, Any] = {
        "n_run": n,
        "n_against": n,
        "mean_run": float(pairs[metric].mean()),
        "mean_against": float(pairs[f"{metric}_against"].mean()),
        "difference": mean,
        "p": np.nan,
    }
    if not differences.any():
        return record | {"reason": f"all {len(pairs):,} texts have equal scores"}
    if n < 2:
        return record | {"reason": "too few to tell: one record"}
    error = float(differences.std(ddof=1)) / np.sqrt(n)
    if error < 1e-15:
        return record | {"reason": "all records differ by the same amount: nothing to test"}
    half_width = stats.t.ppf(0.975, n - 1) * error
    p = float(2 * stats.t.sf(abs(mean) / error, n - 1))
    paired = f"paired: {len(pairs):,} texts of {n:,} records"
    return record | {
        "difference_low": mean - half_width,
        "difference_high": mean + half_width,
        "p": p,
        "reason": paired,
    }


def _untested(sweep: str, metric: str, reason: str) -> dict[str, Any]:
    return {"sweep": sweep, "metric": metric, "cell": "every cell", "p": np.nan, "reason": reason}
