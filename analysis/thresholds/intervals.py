"""Exact intervals of a share (Clopper and Pearson 1934)."""

from typing import NamedTuple

from scipy.special import betaincinv


class Share(NamedTuple):
    """A share with its exact 95% interval. All three are None where there is nothing to count."""

    value: float | None
    low: float | None
    high: float | None


def exact_share(successes: int, n: int, confidence: float = 0.95) -> Share:
    """Return successes / n with the interval of Clopper and Pearson."""
    if n == 0:
        return Share(None, None, None)
    tail = (1 - confidence) / 2
    low = float(betaincinv(successes, n - successes + 1, tail)) if successes else 0.0
    high = float(betaincinv(successes + 1, n - successes, 1 - tail)) if successes < n else 1.0
    return Share(successes / n, low, high)
