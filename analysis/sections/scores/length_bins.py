"""Bins of texts by their length, and the score in each: means with their interval by record, and AUROC."""

import itertools
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import pandas as pd

from analysis.sections.scores.by_record import mean_by_record, record_numbers
from analysis.sections.scores.clustered_auroc import clustered_aurocs, separation
from analysis.sections.scores.scored import AUTHORS, FEWEST_RECORDS, Setting
from analysis.thresholds.roc import machine_like
from scoring.scores import SCORES

MOST_BINS: Final = 12
FEWEST_MEAN: Final = 5
"""Records below which a mean has no interval."""
_TEXTS_OF_BIN: Final = 3 * FEWEST_RECORDS
"""Texts of each author that a bin should have. There are fewer bins where there are fewer texts."""
_FEWEST_RANGE: Final = 40
"""Texts below which the middle 95% is not told."""


def edges_of(lengths: Any, most: int = MOST_BINS) -> list[int]:
    """Return the first length of each bin, and one more than the last length: about as many texts in each bin."""
    values = np.asarray(lengths, np.int64)
    if not len(values):
        return []
    inner = np.quantile(values, np.arange(1, most) / most, method="higher").astype(np.int64)
    return sorted({int(values.min()), *inner.tolist(), int(values.max()) + 1})


def bin_of_each(lengths: Any, edges: Sequence[int]) -> Any:
    """Return the number of the bin of each length; −1 for a length outside of all."""
    number = np.searchsorted(edges, np.asarray(lengths, np.int64), side="right") - 1
    return np.where(number < len(edges) - 1, number, -1)


def bin_names(edges: Sequence[int]) -> list[str]:
    """Return the range of each bin, as '20–39'."""
    return [f"{low}–{after - 1}" if after - 1 > low else str(low) for low, after in itertools.pairwise(edges)]


def by_length(setting: Setting, score: str) -> pd.DataFrame:
    """Return the score of each author in each bin of tokens.

    Returns:
        Columns: setting, tokens (range), author, mean_tokens, n, records, mean, low, high (95% interval of the mean, by
        record), from_share, to_share (middle 95% of the texts), auroc, auroc_low, auroc_high (of the bin). A value
        that the bin's texts do not carry is null.
    """
    rows = setting.rows[setting.rows["length_tokens"].notna()]
    most = min(setting.n_human, setting.n_synthetic) // _TEXTS_OF_BIN
    edges = edges_of(rows["length_tokens"], min(MOST_BINS, max(1, most)))
    number = bin_of_each(rows["length_tokens"], edges)
    record = record_numbers(rows)
    found = []
    for place, name in enumerate(bin_names(edges)):
        inside = number == place
        auroc = _auroc(rows[inside], record[inside], score)
        for author, is_human in zip(AUTHORS, (True, False), strict=True):
            chosen = inside & (rows["is_human"] == is_human).to_numpy(bool)
            if chosen.any():
                of_author = _of_author(rows[chosen], record[chosen], score)
                found.append({"setting": setting.name, "tokens": name, "author": author, **of_author, **auroc})
    return pd.DataFrame(found)


def _of_author(rows: pd.DataFrame, record: Any, score: str) -> dict[str, Any]:
    values = rows[score].to_numpy(np.float64)
    mean = mean_by_record(values, record)
    is_sure = mean.records >= FEWEST_MEAN
    low, high = np.quantile(values, [0.025, 0.975]) if len(values) >= _FEWEST_RANGE else (None, None)
    return {
        "mean_tokens": float(rows["length_tokens"].mean()),
        "n": len(values),
        "records": mean.records,
        "mean": mean.value,
        "low": mean.low if is_sure else None,
        "high": mean.high if is_sure else None,
        "from_share": low,
        "to_share": high,
    }


def _auroc(rows: pd.DataFrame, record: Any, score: str) -> dict[str, Any]:
    human = rows["is_human"].to_numpy(bool)
    records = min(len(np.unique(record[human])), len(np.unique(record[~human])))
    if records < FEWEST_RECORDS or SCORES[score].direction is None:
        return {"auroc": None, "auroc_low": None, "auroc_high": None}
    numbers = np.unique(record, return_inverse=True)[1]
    own = separation(clustered_aurocs(machine_like(rows[score], score), human, numbers))
    return {"auroc": own.auroc, "auroc_low": own.low, "auroc_high": own.high}
