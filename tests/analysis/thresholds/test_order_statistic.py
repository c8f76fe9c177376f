"""The k-th most extreme score keeps the promise; the usual quantile does not."""

import math

import numpy as np
import pytest
from scipy.stats import beta, binomtest

from analysis.thresholds.intervals import exact_share
from analysis.thresholds.order_statistic import beyond, largest_k, order_statistic, records_needed


@pytest.mark.parametrize(
    ("fpr", "smallest", "k_of_1000", "k_of_5000"), [(0.05, 59, 39, 225), (0.01, 299, 5, 39), (0.001, 2995, 0, 2)]
)
def test_the_table_of_the_documentation(fpr: float, smallest: int, k_of_1000: int, k_of_5000: int) -> None:
    assert records_needed(fpr, 0.95) == smallest
    assert (largest_k(smallest, fpr, 0.95), largest_k(smallest - 1, fpr, 0.95)) == (1, 0)
    assert (largest_k(1000, fpr, 0.95), largest_k(5000, fpr, 0.95)) == (k_of_1000, k_of_5000)


@pytest.mark.parametrize(("fpr", "confidence"), [(0.05, 0.95), (0.2, 0.5), (0.5, 0.99), (0.013, 0.8)])
def test_k_is_the_largest_that_the_beta_distribution_allows(fpr: float, confidence: float) -> None:
    for n in (*range(1, 60), 500):
        kept = [k for k in range(1, n + 1) if beta.cdf(fpr, k, n + 1 - k) >= confidence]
        assert largest_k(n, fpr, confidence) == max(kept, default=0)
    assert largest_k(records_needed(fpr, confidence), fpr, confidence) >= 1


def test_scores_that_equal_the_threshold_are_counted_and_not_flagged() -> None:
    scores = [0.5, 0.7, 0.7, 0.7, 0.9]
    low = order_statistic(scores, 3, "lower")
    assert (low.threshold, low.n, low.k, low.beyond, low.equal, low.expected_fpr) == (0.7, 5, 3, 1, 3, 0.5)
    high = order_statistic(scores, 2, "higher")
    assert (high.threshold, high.beyond, high.equal) == (0.7, 1, 3)
    assert beyond(scores, 0.7, "lower").tolist() == [True, False, False, False, False]
    assert beyond(scores, 0.7, "higher").tolist() == [False, False, False, False, True]


def kept_share(n: int, k: int, fpr: float, step: float, repeats: int = 4000) -> float:
    """Share of calibrations on normal scores whose rate on new texts is at most `fpr`; scores are rounded to `step`."""
    from scipy.special import ndtr

    scores = np.random.default_rng(n + k).normal(size=(repeats, n))
    threshold = np.partition(scores, k - 1, axis=1)[:, k - 1]
    if not step:
        return float((ndtr(threshold) <= fpr).mean())
    # A rounded score is strictly below a rounded threshold where the score itself is below the middle of the two.
    return float((ndtr(np.round(threshold / step) * step - step / 2) <= fpr).mean())


@pytest.mark.parametrize(("n", "fpr"), [(300, 0.05), (1000, 0.01), (299, 0.01)])
@pytest.mark.parametrize("step", [0.0, 0.25])
def test_the_rate_is_kept_as_often_as_promised_and_the_usual_quantile_fails_the_same_test(
    n: int, fpr: float, step: float
) -> None:
    lowest = 0.95 - 3 * math.sqrt(0.95 * 0.05 / 4000)
    assert kept_share(n, largest_k(n, fpr, 0.95), fpr, step) >= lowest
    marginal = math.floor(fpr * (n + 1))
    if not step:
        assert kept_share(n, marginal, fpr, step) < 0.85 < lowest


def test_intervals_are_exact() -> None:
    for successes, n in ((0, 30), (3, 50), (26, 91), (6, 91), (50, 50)):
        expected = binomtest(successes, n).proportion_ci(method="exact")
        found = exact_share(successes, n)
        assert found == pytest.approx((successes / n, expected.low, expected.high), abs=1e-9)
    assert exact_share(0, 0) == (None, None, None)


def test_numbers_of_any_size_end() -> None:
    assert records_needed(1e-9, 0.95) == 2_995_732_273
    assert records_needed(1e-300, 0.95) > 10**300
    assert records_needed(0.999999, 0.5) == records_needed(0.5, 0.5) == 1
