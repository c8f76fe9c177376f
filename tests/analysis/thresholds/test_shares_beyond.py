"""Counts of the other class below each text, beside the count pair by pair."""

import numpy as np
import pytest

from analysis.thresholds.shares_beyond import others_below, shares_beyond


@pytest.mark.parametrize("digits", [0, 1, 15], ids=["many ties", "some ties", "none"])
def test_every_pair_of_texts_is_counted_and_a_tie_half(digits: int) -> None:
    draw = np.random.default_rng(0)
    values, human = np.round(draw.normal(size=200), digits), draw.random(200) < 0.3
    below = [
        sum((other < value) + 0.5 * (other == value) for other in values[human != own])
        for value, own in zip(values, human, strict=True)
    ]
    assert list(others_below(values, human)) == below
    shares = shares_beyond(values, human)
    assert shares[human] == pytest.approx(1 - np.array(below)[human] / (~human).sum())
    assert shares[~human] == pytest.approx(np.array(below)[~human] / human.sum())


def test_a_value_that_is_no_number_makes_no_share() -> None:
    assert np.isnan(shares_beyond([1.0, np.nan, 2.0], [True, False, False])).all()
