"""AUROC of scores on the same texts, with their covariance (DeLong, DeLong and Clarke-Pearson 1988).

Every text counts as independent of the others; for fragments of one record see `clustered_auroc`.
"""

# ruff: noqa: N815 - names end in their shape

import math
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.special import expit, ndtr, ndtri

from analysis.thresholds.shares_beyond import shares_beyond

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
    h = human_SH.shape[1]
    human = np.arange(h + synthetic_SM.shape[1]) < h
    shares_SN = np.array([shares_beyond(values, human) for values in np.hstack([human_SH, synthetic_SM])])
    return shares_SN[:, :h], shares_SN[:, h:]


def _covariance(components: Floats) -> Floats:
    return np.atleast_2d(np.cov(components))
