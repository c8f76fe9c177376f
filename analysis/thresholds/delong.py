"""AUROC of scores on the same texts, with their covariance (DeLong, DeLong and Clarke-Pearson 1988).

Computed from midranks (Sun and Xu 2014, doi 10.1109/LSP.2014.2337313). Fragments of one record are not independent: of
them the components are summed by record (Obuchowski 1997, "Nonparametric analysis of clustered ROC curve data").
"""

# ruff: noqa: N815 - names end in their shape

import math
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.special import expit, ndtr, ndtri
from scipy.stats import rankdata

Floats = npt.NDArray[np.float64]


class Aurocs(NamedTuple):
    """AUROC of each score, and their covariance. A tie counts half."""

    values_S: Floats
    covariance_SS: Floats


def delong(human_SH: Any, synthetic_SM: Any) -> Aurocs:
    """Return the AUROC of S scores on the same H human and M synthetic texts, higher values being machine-like.

    The covariance is NaN where a class has one text.
    """
    of_human_SH, of_synthetic_SM = _components(np.atleast_2d(human_SH), np.atleast_2d(synthetic_SM))
    h, m = of_human_SH.shape[1], of_synthetic_SM.shape[1]
    values = of_synthetic_SM.mean(axis=1)
    if min(h, m) < 2:
        return Aurocs(values, np.full((len(values), len(values)), np.nan))
    return Aurocs(values, _covariance(of_synthetic_SM) / m + _covariance(of_human_SH) / h)


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
    human = np.asarray(is_human, np.bool_)
    scores = np.asarray(values, np.float64)
    of_human, of_synthetic = _components(scores[None, human], scores[None, ~human])
    auroc = float(of_synthetic.mean())
    record = np.unique(np.asarray(records), return_inverse=True)[1]
    size = int(record.max()) + 1
    deviations = [
        np.bincount(record[inside], weights=component[0] - auroc, minlength=size) / inside.sum()
        for inside, component in ((human, of_human), (~human, of_synthetic))
    ]
    units = [len(np.unique(record[inside])) for inside in (human, ~human)]
    if min(units) < 2:
        return auroc, math.nan
    own = sum(n / (n - 1) * float(each @ each) for n, each in zip(units, deviations, strict=True))
    shared = 2 * size / (size - 1) * float(deviations[0] @ deviations[1])
    return auroc, math.sqrt(max(own + shared, 0.0))


def interval(auroc: float, standard_error: float, confidence: float = 0.95) -> tuple[float, float] | None:
    """Return an interval on the logit scale, which stays within 0 and 1; None where there is no variance to go by."""
    if not 0 < auroc < 1 or not standard_error > 0:
        return None
    half = float(ndtri((1 + confidence) / 2)) * standard_error / (auroc * (1 - auroc))
    logit = math.log(auroc / (1 - auroc))
    return float(expit(logit - half)), float(expit(logit + half))


def p_of_difference(aurocs: Aurocs, first: int, second: int) -> float | None:
    """Return the two-sided p of two scores having one AUROC; None where their difference has no variance."""
    covariance = aurocs.covariance_SS
    variance = covariance[first, first] + covariance[second, second] - 2 * covariance[first, second]
    if not variance > 1e-15:
        return None
    z = abs(aurocs.values_S[first] - aurocs.values_S[second]) / math.sqrt(variance)
    return float(2 * ndtr(-z))


def _components(human_SH: Any, synthetic_SM: Any) -> tuple[Floats, Floats]:
    """Return the share of synthetic texts above each human text, and of human texts below each synthetic one."""
    h, m = human_SH.shape[1], synthetic_SM.shape[1]
    ranks = rankdata(np.hstack([human_SH, synthetic_SM]), axis=1)
    of_synthetic_SM = (ranks[:, h:] - rankdata(synthetic_SM, axis=1)) / h
    of_human_SH = 1 - (ranks[:, :h] - rankdata(human_SH, axis=1)) / m
    return of_human_SH, of_synthetic_SM


def _covariance(components: Floats) -> Floats:
    return np.atleast_2d(np.cov(components))
