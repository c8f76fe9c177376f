"""The panel of a text: the sums and scores that its two forward passes give beside the Binoculars score.

`scoring.scores` has the formulas of the scores with their sources, and docs/scoring.md explains the sums. All are over
the aligned positions: the tokens that have a next token, L − 1 of a text of L. Knows no torch.
"""

# ruff: noqa: N815 - names end in their shape

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Panel:
    """Columns of the panel. A value is None where the panel was not asked for, or where the value does not exist."""

    xent_aligned_sum: float | None = None
    """Σ xent over the aligned positions, nats; `xent_sum` follows the alignment of the score."""
    var_sum: float | None = None
    """Σ of the variance of the performer's log-probability under the observer, nats²."""
    entropy_o_sum: float | None = None
    """Σ H(o), nats."""
    entropy_q_sum: float | None = None
    """Σ H(q), nats."""
    log_rank_sum: float | None = None
    """Σ log rank, natural logarithm."""
    rank_1: int | None = None
    rank_10: int | None = None
    rank_100: int | None = None
    rank_1000: int | None = None
    """Number of tokens whose rank is 1, or at most 10, 100, 1000."""
    top1_agree: int | None = None
    """Number of positions at which the observer's most probable token is a most probable one of the performer."""
    fast_detect: float | None = None
    log_rank: float | None = None
    lrr: float | None = None
    entropy: float | None = None
    kl: float | None = None
    surprisal_sd: float | None = None
    surprisal_skew: float | None = None
    surprisal_kurtosis: float | None = None
    surprisal_delta_sd: float | None = None


@dataclass(frozen=True)
class TokenPanel:
    """Terms of each token of a text for the panel, beside nll and cross-entropy. The last rank is NaN."""

    variance_L: Floats
    """Variance of the performer's log-probability under the observer, nats²."""
    entropy_o_L: Floats
    entropy_q_L: Floats
    rank_L: Floats
    """1 + the number of tokens that the performer holds for more probable than the next token."""
    agrees_L: Floats
    """1 where the observer's most probable token is a most probable one of the performer, else 0."""

    def panel(self, nll_L: Floats, xent_L: Floats, tokens: int) -> Panel:
        """Return the panel of the first `tokens` tokens, two or more: they have `tokens` − 1 aligned positions."""
        n = tokens - 1
        nll_sum, xent_sum, var_sum = _sum(nll_L[:n]), _sum(xent_L[:n]), _sum(self.variance_L[:n])
        entropy_o_sum, entropy_q_sum = _sum(self.entropy_o_L[:n]), _sum(self.entropy_q_L[:n])
        log_rank_sum = _sum(np.log(self.rank_L[:n]))
        return Panel(
            xent_aligned_sum=_or_none(xent_sum),
            var_sum=_or_none(var_sum),
            entropy_o_sum=_or_none(entropy_o_sum),
            entropy_q_sum=_or_none(entropy_q_sum),
            log_rank_sum=_or_none(log_rank_sum),
            rank_1=_count(self.rank_L[:n], 1),
            rank_10=_count(self.rank_L[:n], 10),
            rank_100=_count(self.rank_L[:n], 100),
            rank_1000=_count(self.rank_L[:n], 1000),
            top1_agree=_count(1 - self.agrees_L[:n], 0),
            fast_detect=_ratio(xent_sum - nll_sum, math.sqrt(var_sum)),
            log_rank=_ratio(log_rank_sum, n),
            lrr=_ratio(nll_sum, log_rank_sum),
            entropy=_ratio(entropy_q_sum, n),
            kl=_ratio(_at_least_zero(xent_sum - entropy_o_sum), n),
            surprisal_sd=_or_none(_central_moment(nll_L[:n], 2, least=2) ** 0.5),
            surprisal_skew=_or_none(_standardized(nll_L[:n], 3, least=3)),
            surprisal_kurtosis=_or_none(_standardized(nll_L[:n], 4, least=4) - 3),
            surprisal_delta_sd=_or_none(_central_moment(np.diff(nll_L[:n]), 2, least=2) ** 0.5),
        )


def _sum(values: Floats) -> float:
    """Return the exact sum; NaN where a value is not finite."""
    return math.fsum(values) if np.isfinite(values).all() else math.nan


def _count(values: Floats, limit: float) -> int | None:
    """Return how many values are at most `limit`; None where a value is not known."""
    return None if np.isnan(values).any() else int((values <= limit).sum())


def _at_least_zero(value: float) -> float:
    """Return a value that cannot be negative, such as a divergence, without the little that rounding took from it."""
    return 0.0 if value < 0 else value


def _ratio(above: float, below: float) -> float | None:
    return _or_none(above / below) if below else None


def _or_none(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _central_moment(values: Floats, order: int, least: int) -> float:
    """Return the mean of (value − mean)^order over the values; NaN of fewer than `least` values."""
    if len(values) < least or not np.isfinite(values).all():
        return math.nan
    return float(((values - values.mean()) ** order).mean())


def _standardized(values: Floats, order: int, least: int) -> float:
    """Return a moment in units of the standard deviation, as scipy's `skew` and `kurtosis` do; NaN of equal values."""
    variance = _central_moment(values, 2, least)
    return _central_moment(values, order, least) / variance ** (order / 2) if variance else math.nan
