"""Human against synthetic scores, by record: difference of means, tests, effect size.

Fragments of one record are not independent: every interval and every p is by record.

- Difference of means: over all texts; its variance is that of the sum of each record's share in it (cluster-robust, a
  record being a cluster; Liang and Zeger 1986), times R / (R − 1); Student's t with R − 1 degrees of freedom.
- Welch's test: of the means of each record and class. It takes the classes for independent.
- Paired test: Student's, of the mean difference between the human and the synthetic texts of a record that have the
  same place in it.
- Cohen's d: over all texts, with the pooled standard deviation.
"""

from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import stdtr, stdtrit

from analysis.row_codes import combined_codes
from analysis.thresholds.clustered_auroc import numbered

Floats = npt.NDArray[np.float64]
CONFIDENCE: Final = 0.95
_PLACE: Final = ("dataset", "record_id", "fragment_index", "start_word", "prefix_tokens")
"""Columns that a human and a synthetic text have in common where they are paired. A null is equal to a null."""


class Difference(NamedTuple):
    """Human less synthetic. A value that the texts do not carry is None."""

    mean_human: float | None
    mean_synthetic: float | None
    difference: float | None
    low: float | None
    high: float | None
    cohens_d: float | None
    p_welch: float | None
    p_paired: float | None
    n_human: int
    n_synthetic: int
    records: int
    pairs: int
    paired_records: int


class Mean(NamedTuple):
    """A mean with its interval by record; the interval is None where there are fewer than two records."""

    value: float
    low: float | None
    high: float | None
    records: int


def difference(rows: pd.DataFrame, score: str = "score") -> Difference:
    """Return the difference between the classes in a score.

    Args:
        rows: texts with is_human, record_id, the score, and the columns by which texts are paired.
        score: column.
    """
    values = rows[score].to_numpy(np.float64)
    human = rows["is_human"].to_numpy(bool)
    record = record_numbers(rows)
    n_human, n_synthetic = int(human.sum()), int((~human).sum())
    counts = (n_human, n_synthetic, int(record.max()) + 1 if len(record) else 0)
    if not min(n_human, n_synthetic):
        of_human, of_synthetic = (float(v.mean()) if len(v) else None for v in (values[human], values[~human]))
        return Difference(of_human, of_synthetic, None, None, None, None, None, None, *counts, 0, 0)
    mean_human, mean_synthetic = float(values[human].mean()), float(values[~human].mean())
    found = mean_human - mean_synthetic
    share = np.where(human, (values - mean_human) / n_human, -(values - mean_synthetic) / n_synthetic)
    half = _half_width(np.bincount(record, share))
    paired = paired_differences(rows, score)
    return Difference(
        mean_human,
        mean_synthetic,
        found,
        None if half is None else found - half,
        None if half is None else found + half,
        _cohens_d(values[human], values[~human]),
        _welch(_record_means(values[human], record[human]), _record_means(values[~human], record[~human])),
        _one_sample(paired.groupby("record_id")["difference"].mean().to_numpy(np.float64)),
        *counts,
        len(paired),
        paired["record_id"].nunique(),
    )


def mean_by_record(values: Floats, record: npt.NDArray[np.int64]) -> Mean:
    """Return the mean of some texts with its interval, records being the clusters.

    Args:
        values: score of each text.
        record: number of its record.
    """
    number = numbered(record)
    mean = float(values.mean())
    half = _half_width(np.bincount(number, (values - mean) / len(values)))
    records = int(number.max()) + 1
    return Mean(mean, None, None, records) if half is None else Mean(mean, mean - half, mean + half, records)


def record_numbers(rows: pd.DataFrame) -> npt.NDArray[np.int64]:
    """Return a number for each record, from 0."""
    return np.asarray(pd.factorize(rows["record_id"])[0], np.int64)


def paired_differences(rows: pd.DataFrame, score: str) -> pd.DataFrame:
    """Return record_id and difference of each human text and synthetic text of a record that have the same place in it.

    Where human texts name the generator of the synthetic text that they stand beside, the generator must be the same.
    """
    human = rows["is_human"].to_numpy(np.bool_)
    place = [name for name in _PLACE if name in rows]
    if "generator" in rows and rows["generator"][human].notna().all():
        place.append("generator")
    codes, size = combined_codes(rows, place)
    of_human, of_synthetic = np.flatnonzero(human), np.flatnonzero(~human)
    beside = np.full(size, -1)
    beside[codes[of_human[::-1]]] = of_human[::-1]  # of several human texts with one place, the first stays
    partner = beside[codes[of_synthetic]]
    pairs = np.flatnonzero(partner >= 0)
    pairs = pairs[np.argsort(partner[pairs], kind="stable")]
    values = rows[score].to_numpy(np.float64)
    first, second = partner[pairs], of_synthetic[pairs]
    return pd.DataFrame(
        {"record_id": rows["record_id"].array.take(first), "difference": values[first] - values[second]}
    )


def _half_width(shares: Any) -> float | None:
    """Return half the interval of an estimate, from the share of each record in its error; None for one record."""
    records = len(shares)
    if records < 2:
        return None
    variance = float((shares**2).sum()) * records / (records - 1)
    return float(stdtrit(records - 1, (1 + CONFIDENCE) / 2) * variance**0.5)


def _record_means(values: Floats, record: npt.NDArray[np.int64]) -> Floats:
    sums, counts = np.bincount(record, values), np.bincount(record)
    return sums[counts > 0] / counts[counts > 0]


def _cohens_d(human: Floats, synthetic: Floats) -> float | None:
    degrees = len(human) + len(synthetic) - 2
    if degrees < 1:
        return None
    pooled = (((human - human.mean()) ** 2).sum() + ((synthetic - synthetic.mean()) ** 2).sum()) / degrees
    return float((human.mean() - synthetic.mean()) / pooled**0.5) if pooled > 0 else None


def _welch(human: Floats, synthetic: Floats) -> float | None:
    """Return the two-sided p of Welch's test; None where a class has one record, or nothing varies."""
    if min(len(human), len(synthetic)) < 2:
        return None
    squares = human.var(ddof=1) / len(human), synthetic.var(ddof=1) / len(synthetic)
    if not sum(squares) > 0:
        return None
    degrees = sum(squares) ** 2 / (squares[0] ** 2 / (len(human) - 1) + squares[1] ** 2 / (len(synthetic) - 1))
    return _two_sided((human.mean() - synthetic.mean()) / sum(squares) ** 0.5, degrees)


def _one_sample(values: Floats) -> float | None:
    """Return the two-sided p of a mean of 0; None for one value, or where nothing varies."""
    if len(values) < 2 or not (deviation := values.std(ddof=1)) > 0:
        return None
    return _two_sided(values.mean() / deviation * len(values) ** 0.5, len(values) - 1)


def _two_sided(t: Any, degrees: float) -> float:
    return float(2 * stdtr(degrees, -abs(t)))
