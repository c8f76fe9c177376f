"""Tests of cell means whose variances differ from cell to cell: quadratic forms, and single contrasts.

A quadratic form Q = m'Mm of the cell means is compared with its expectation under 'no effect', tr(MV), by an F
distribution whose degrees of freedom follow from the variances of the cells (the ANOVA-type statistic of Brunner,
Dette and Munk 1997, 'Box-type approximations in nonparametric factorial designs'). With two cells this is Welch's t
test. Knows arrays. Does not know factors or sentences.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats


@dataclass(frozen=True)
class FTest:
    """Outcome of a test. p is NaN where nothing can be tested."""

    statistic: float
    df: float
    df_error: float
    p: float


def quadratic_test(basis: Any, mean: Any, var: Any, n: Any) -> FTest:
    """Return the test that a quadratic form of cell means is zero.

    Args:
        basis: I×r, orthonormal columns in the metric of weights n, so that Q = |basis' (√n · mean)|².
        mean, var, n: of the I cells; each n is at least 2.
    """
    weights = np.sqrt(n)
    q = float(np.sum((basis.T @ (weights * mean)) ** 2))
    spread = n * (var / n)  # of √n · mean: the variance of one value
    diagonal = np.sum(basis**2, axis=1) * spread
    trace = float(diagonal.sum())
    if trace <= 0:
        return FTest(np.nan, np.nan, np.nan, np.nan)
    squared = float(np.sum((basis.T @ (spread[:, None] * basis)) ** 2))
    df, df_error = trace**2 / squared, trace**2 / float(np.sum(diagonal**2 / (n - 1)))
    return FTest(q / trace, df, df_error, float(stats.f.sf(q / trace, df, df_error)))


def welch(difference: Any, variances: Any, df_inverse: Any) -> tuple[Any, Any, Any]:
    """Return standard error, degrees of freedom (Welch, Satterthwaite) and two-sided p of differences of means.

    Args:
        difference: array of differences.
        variances: sum of the variances of the means that each difference is made of.
        df_inverse: sum of their squares, each over (n - 1).
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        error = np.sqrt(variances)
        df = np.asarray(variances**2 / df_inverse)
        p = 2 * stats.t.sf(np.abs(difference) / error, df)
    return error, df, np.where(error > 0, p, np.nan)
