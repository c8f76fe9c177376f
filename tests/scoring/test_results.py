"""Scores from sums of tokens, where the numbers allow no score."""

import math

import numpy as np
import pytest

from scoring.results import Score, TokenSums

NAN, INFINITE = math.nan, math.inf


def score(nll: list[float], xent: list[float]) -> Score:
    return TokenSums(np.array(nll), np.array(xent), truncated=False).score("reference")


@pytest.mark.parametrize("odd", [NAN, INFINITE])
@pytest.mark.parametrize("which", ["nll", "xent"])
def test_either_sum_that_overflowed_is_a_reason_and_no_number(odd: float, which: str) -> None:
    sums = {"nll": [1.0, 2.0, NAN], "xent": [3.0, 4.0, 5.0]}
    sums[which][1] = odd
    assert score(**sums) == Score(length_tokens=3, truncated=False, null_reason="not_finite")


def test_a_cross_entropy_of_zero_has_sums_and_no_score() -> None:
    zero = score([1.0, 2.0, NAN], [0.0, 0.0, 0.0])
    assert (zero.score, zero.null_reason) == (None, "zero_cross_entropy")
    assert (zero.nll_sum, zero.xent_sum, zero.log_ppl, zero.log_xppl) == (3.0, 0.0, 1.5, 0.0)


def test_one_token_predicts_nothing() -> None:
    assert score([NAN], [1.0]) == Score(length_tokens=1, truncated=False, null_reason="one_token")


def test_sums_are_float64_whatever_their_order() -> None:
    large_and_small = [1e9, *[1e-4] * 10_000, NAN]
    assert score(large_and_small, [*large_and_small[:-1], 0.0001]).nll_sum == 1e9 + 1.0
