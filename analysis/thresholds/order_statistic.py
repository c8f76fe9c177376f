"""The threshold of n scores, as an order statistic, such that a false-positive rate is kept with a confidence.

Flag a text when its score is strictly beyond the k-th most extreme of n exchangeable human scores. The false-positive
rate on new human texts is then distributed Beta(k, n + 1 − k), and at most so where scores tie. k is the largest with
P(Beta(k, n + 1 − k) ≤ fpr) ≥ confidence. (Wilks 1941, tolerance limits; Vovk 2012, arXiv 1209.2673, Proposition 2b.)
The usual k = ⌊fpr (n + 1)⌋ keeps only the mean rate.
"""

import math
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.special import betainc

from scoring.scores import Direction

Floats = npt.NDArray[np.float64]


class OrderStatistic(NamedTuple):
    """A threshold, and the scores that it was taken from."""

    threshold: float
    n: int
    k: int
    beyond: int
    """Scores strictly beyond the threshold."""
    equal: int

    @property
    def expected_fpr(self) -> float:
        """Return the mean false-positive rate to be expected on new human texts, where scores do not tie."""
        return self.k / (self.n + 1)


def largest_k(n: int, fpr: float, confidence: float) -> int:
    """Return the largest k that keeps the promise with n records; 0 where even k = 1 does not."""
    low, high = 0, n  # low keeps the promise, or is 0; high + 1 does not
    while low < high:
        k = (low + high + 1) // 2
        if betainc(k, n + 1 - k, fpr) >= confidence:
            low = k
        else:
            high = k - 1
    return low


def records_needed(fpr: float, confidence: float) -> int:
    """Return the smallest n for which k = 1 keeps the promise: 1 − (1 − fpr)^n ≥ confidence."""
    n = max(1, math.ceil(math.log1p(-confidence) / math.log1p(-fpr)))
    nearly = range(max(1, n - 1), n + 1)  # the quotient of the logarithms is rounded
    return next((fewer for fewer in nearly if largest_k(fewer, fpr, confidence)), n)


def order_statistic(scores: Any, k: int, direction: Direction) -> OrderStatistic:
    """Return the k-th most extreme score as a threshold.

    Args:
        scores: Human scores, one a record.
        k: From 1 to the number of scores.
        direction: Side on which machine text lies: `lower` or `higher`.
    """
    values = np.asarray(scores, np.float64)
    place = k - 1 if direction == "lower" else len(values) - k
    threshold = float(np.partition(values, place)[place])
    flagged = int(beyond(values, threshold, direction).sum())
    return OrderStatistic(threshold, len(values), k, flagged, int((values == threshold).sum()))


def beyond(scores: Any, threshold: Any, direction: Direction) -> npt.NDArray[np.bool_]:
    """Return which scores lie strictly beyond a threshold, on the side of machine text."""
    values = np.asarray(scores, np.float64)
    return np.asarray(values < threshold if direction == "lower" else values > threshold, np.bool_)
