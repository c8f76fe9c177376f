"""Bins of texts by their length, and the score in each: means with their interval by record, and AUROC."""

import itertools
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np
import pandas as pd

from analysis.sections.scores.by_record import mean_by_record, record_numbers
from analysis.sections.scores.setting import AUTHORS, FEWEST_RECORDS, Setting
from analysis.thresholds.clustered_auroc import clustered_aurocs, numbered, record_count, separation
from analysis.thresholds.roc import machine_like
from scoring.scores import SCORES

MOST_BINS: Final = 12
FEWEST_MEAN: Final = 5
"""Records below which a mean has no interval."""
TEXTS_OF_BIN: Final = 3 * FEWEST_RECORDS
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
    has_length = setting.rows["length_tokens"].notna()
    rows = setting.rows if has_length.all() else setting.rows[has_length]
    lengths = rows["length_tokens"].to_numpy(np.int64)
    most = min(setting.n_human, setting.n_synthetic) // TEXTS_OF_BIN
    edges = edges_of(lengths, min(MOST_BINS, max(1, most)))
    texts = _Texts(lengths, rows[score].to_numpy(np.float64), rows["is_human"].to_numpy(np.bool_), record_numbers(rows))
    number = bin_of_each(lengths, edges)
    found = []
    for place, name in enumerate(bin_names(edges)):
        inside = texts.chosen(number == place)
        auroc = _auroc(inside, score)
        for author, is_human in zip(AUTHORS, (True, False), strict=True):
            of_author = inside.chosen(inside.human == is_human)
            if len(of_author.values):
                own = _of_author(of_author)
                found.append({"setting": setting.name, "tokens": name, "author": author, **own, **auroc})
    return pd.DataFrame(found)


class _Texts(NamedTuple):
    """Some texts of a setting."""

    lengths: Any
    values: Any
    human: Any
    record: Any

    def chosen(self, inside: Any) -> "_Texts":
        """Return some of the texts."""
        return _Texts(*(column[inside] for column in self))


def _of_author(texts: _Texts) -> dict[str, Any]:
    values = texts.values
    mean = mean_by_record(values, texts.record)
    is_sure = mean.records >= FEWEST_MEAN
    low, high = np.quantile(values, [0.025, 0.975]) if len(values) >= _FEWEST_RANGE else (None, None)
    return {
        "mean_tokens": float(texts.lengths.mean()),
        "n": len(values),
        "records": mean.records,
        "mean": mean.value,
        "low": mean.low if is_sure else None,
        "high": mean.high if is_sure else None,
        "from_share": low,
        "to_share": high,
    }


def _auroc(texts: _Texts, score: str) -> dict[str, Any]:
    records = min(record_count(texts.record[texts.human]), record_count(texts.record[~texts.human]))
    if records < FEWEST_RECORDS or SCORES[score].direction is None:
        return {"auroc": None, "auroc_low": None, "auroc_high": None}
    own = separation(clustered_aurocs(machine_like(texts.values, score), texts.human, numbered(texts.record)))
    return {"auroc": own.auroc, "auroc_low": own.low, "auroc_high": own.high}
