"""AUROC of several scores on the same texts, with intervals and tests by record.

Obuchowski 1997 (Biometrics 53, 567–578): DeLong's components, summed by record, so that texts of one record, of either
class, may depend on each other. With one text a record it is DeLong's. n log n operations, no draw.
"""

import itertools
import math
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import ndtri

from analysis.multiplicity import holm
from analysis.thresholds.delong import Aurocs, interval, p_of_difference
from analysis.thresholds.shares_beyond import shares_beyond

Floats = npt.NDArray[np.float64]
Numbers = npt.NDArray[np.int64]
CONFIDENCE: Final = 0.95


class Separation(NamedTuple):
    """AUROC of one score. The interval is None where nothing varies, as where the classes do not overlap."""

    auroc: float
    low: float | None
    high: float | None


def clustered_aurocs(values_SN: Any, is_human: Any, record: Any) -> Aurocs:
    """Return the AUROC of each score with their covariance; NaN where a class has fewer than two records.

    Args:
        values_SN: scores of each text, higher being machine-like.
        is_human: class of each text. Both must be there.
        record: number of its record, from 0.
    """
    human, numbers = np.asarray(is_human, np.bool_), np.asarray(record)
    size = int(numbers.max()) + 1
    # One score after the other: the components of many scores on millions of texts are large, their sums are not.
    found = [_of_records(values_N, human, numbers, size) for values_N in np.atleast_2d(values_SN)]
    aurocs, human_SR, machine_SR = (np.array(part) for part in zip(*found, strict=True))
    records_of_human, records_of_machine = record_count(numbers[human]), record_count(numbers[~human])
    if min(records_of_human, records_of_machine) < 2:
        return Aurocs(aurocs, np.full((len(aurocs), len(aurocs)), np.nan))
    of_human = _corrected(_products(human_SR, human_SR), records_of_human)
    of_machine = _corrected(_products(machine_SR, machine_SR), records_of_machine)
    shared = _corrected(_products(human_SR, machine_SR), record_count(numbers))
    return Aurocs(aurocs, of_human + of_machine + shared + shared.T)


def auroc_by_record(values: Any, is_human: Any, records: Any) -> tuple[float, float]:
    """Return the AUROC of one score over all texts, and its standard error with records as the units.

    Both classes of a record count together. With one text a record this is DeLong's, but for a factor of n / (n − 1).

    Args:
        values: Score of each text, higher being machine-like.
        is_human: Class of each text; both classes must be there.
        records: Record of each text.

    Returns:
        The AUROC and its standard error, which is NaN where a class has one record.
    """
    found = clustered_aurocs(values, is_human, numbered(records))
    variance = float(found.covariance_SS[0, 0])
    return float(found.values_S[0]), math.nan if math.isnan(variance) else math.sqrt(max(variance, 0.0))


def separation(aurocs: Aurocs, place: int = 0) -> Separation:
    """Return one of the AUROCs with its interval, on the logit scale."""
    value, variance = float(aurocs.values_S[place]), float(aurocs.covariance_SS[place, place])
    limits = interval(value, variance**0.5) if variance > 0 else None
    return Separation(value, *(limits or (None, None)))


def compared(aurocs: Aurocs, names: list[str]) -> pd.DataFrame:
    """Return each two scores with the difference of their AUROCs, its interval and its p after Holm.

    Returns:
        Columns: first, second, auroc_first, auroc_second, difference, low, high, p, p_holm. p is null where the
        difference does not vary.
    """
    values, covariance = aurocs.values_S, aurocs.covariance_SS
    rows = []
    for one, other in itertools.combinations(range(len(names)), 2):
        variance = covariance[one, one] + covariance[other, other] - 2 * covariance[one, other]
        half = float(ndtri((1 + CONFIDENCE) / 2)) * max(variance, 0) ** 0.5
        found = values[one] - values[other]
        p = p_of_difference(aurocs, one, other)
        limits = (None, None) if p is None else (found - half, found + half)
        rows.append((names[one], names[other], values[one], values[other], found, *limits, p))
    columns = ["first", "second", "auroc_first", "auroc_second", "difference", "low", "high", "p"]
    table = pd.DataFrame(rows, columns=columns).astype(dict.fromkeys(columns[2:], "float64"))
    return table.assign(p_holm=holm(table["p"]))


def numbered(records: Any) -> Numbers:
    """Return a number for each record, from 0, in the order of the sorted records."""
    record = np.asarray(records)
    if not len(record) or record.dtype.kind not in "iu" or record.min() < 0 or record.max() > 4 * len(record):
        return np.asarray(np.unique(record, return_inverse=True)[1], np.int64)
    is_there = np.zeros(int(record.max()) + 1, np.bool_)
    is_there[record] = True
    return np.asarray((np.cumsum(is_there) - 1)[record], np.int64)


def record_count(record: Any) -> int:
    """Return the number of different records."""
    return int(np.count_nonzero(np.bincount(record)))


def _of_records(values: Any, human: Any, record: Any, size: int) -> tuple[float, Floats, Floats]:
    """Return the AUROC, and the share of each record in its error through human and through machine texts."""
    shares, machine = shares_beyond(values, human), ~human
    of_human, of_machine = shares[human], shares[machine]
    auroc = float(of_machine.mean())
    return (
        auroc,
        np.bincount(record[human], of_human - auroc, size) / len(of_human),
        np.bincount(record[machine], of_machine - auroc, size) / len(of_machine),
    )


def _products(first_SR: Floats, second_SR: Floats) -> Floats:
    """Return the sums of products over records. BLAS would add in an order that depends on the number of cores."""
    return np.array([[float((one * other).sum()) for other in second_SR] for one in first_SR])


def _corrected(products_SS: Floats, records: int) -> Floats:
    """Return sums of squares over so many records as an estimate without bias."""
    return products_SS * records / (records - 1)
