"""AUROC of several scores on the same texts, with intervals and tests by record.

Obuchowski 1997 (Biometrics 53, 567–578): DeLong's components, summed by record, so that texts of one record, of either
class, may depend on each other. With one text a record it is DeLong's. n log n operations, no draw.
"""

import itertools
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import ndtri
from scipy.stats import rankdata

from analysis.multiplicity import holm
from analysis.thresholds.delong import Aurocs, interval, p_of_difference

Floats = npt.NDArray[np.float64]
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
    values, human = np.atleast_2d(values_SN), np.asarray(is_human, bool)
    record_H, record_M = np.asarray(record)[human], np.asarray(record)[~human]
    size = int(np.max(record)) + 1
    # One score after the other: the components of many scores on millions of texts are large, their sums are not.
    found = [_components(scores_N[human], scores_N[~human], record_H, record_M, size) for scores_N in values]
    aurocs, human_SR, machine_SR = (np.array(part) for part in zip(*found, strict=True))
    records_of_human, records_of_machine = len(np.unique(record_H)), len(np.unique(record_M))
    if min(records_of_human, records_of_machine) < 2:
        return Aurocs(aurocs, np.full((len(aurocs), len(aurocs)), np.nan))
    of_human = _corrected(human_SR @ human_SR.T, records_of_human)
    of_machine = _corrected(machine_SR @ machine_SR.T, records_of_machine)
    shared = _corrected(human_SR @ machine_SR.T, len(np.unique(record)))
    return Aurocs(aurocs, of_human + of_machine + shared + shared.T)


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


def _components(human: Any, machine: Any, record_H: Any, record_M: Any, size: int) -> tuple[float, Floats, Floats]:
    """Return the AUROC, and the share of each record in its error through human and through machine texts."""
    h, m = len(human), len(machine)
    ranks = rankdata(np.concatenate([human, machine]))
    below_H = 1 - (ranks[:h] - rankdata(human)) / m
    above_M = (ranks[h:] - rankdata(machine)) / h
    auroc = float(above_M.mean())
    return auroc, np.bincount(record_H, below_H - auroc, size) / h, np.bincount(record_M, above_M - auroc, size) / m


def _corrected(products_SS: Floats, records: int) -> Floats:
    """Return sums of squares over so many records as an estimate without bias."""
    return products_SS * records / (records - 1)
