"""AUROC of scores on the same texts, with their covariance (DeLong, DeLong and Clarke-Pearson 1988).

Computed from midranks (Sun and Xu 2014, doi 10.1109/LSP.2014.2337313). Texts must be of different records: fragments of
one record are not independent.
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
    human, synthetic = np.atleast_2d(human_SH), np.atleast_2d(synthetic_SM)
    h, m = human.shape[1], synthetic.shape[1]
    ranks = rankdata(np.hstack([human, synthetic]), axis=1)
    above_human_SM = (ranks[:, h:] - rankdata(synthetic, axis=1)) / h  # share of human texts below each synthetic one
    below_synthetic_SH = 1 - (ranks[:, :h] - rankdata(human, axis=1)) / m
    values = above_human_SM.mean(axis=1)
    if min(h, m) < 2:
        return Aurocs(values, np.full((len(values), len(values)), np.nan))
    return Aurocs(values, _covariance(above_human_SM) / m + _covariance(below_synthetic_SH) / h)


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


def holm(p_values: Any) -> Floats:
    """Return p values adjusted for their number (Holm 1979). NaN stays NaN and is not counted."""
    p = np.asarray(p_values, np.float64)
    known = np.flatnonzero(~np.isnan(p))
    order = known[np.argsort(p[known], kind="stable")]
    adjusted = np.full(len(p), np.nan)
    adjusted[order] = np.minimum(1, np.maximum.accumulate(p[order] * np.arange(len(order), 0, -1)))
    return adjusted


def _covariance(components: Floats) -> Floats:
    return np.atleast_2d(np.cov(components))
