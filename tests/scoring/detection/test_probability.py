"""The odds of a prior, against Bayes' rule written out."""

import pytest

from scoring.calibration_tables import Probability
from scoring.detection.probability import percent_of, probability_of

CURVE = Probability(share=0.25, scores=(0.6, 0.8, 1.0), machine=(1.0, 0.6, 0.0), records=10)


@pytest.mark.parametrize(("score", "fitted"), [(0.1, 1.0), (0.6, 1.0), (0.7, 0.8), (0.8, 0.6), (0.9, 0.3), (2.0, 0.0)])
def test_at_the_share_of_the_curve_the_probability_is_the_curve(score: float, fitted: float) -> None:
    assert probability_of(CURVE, score, 0.25) == pytest.approx(fitted)


def test_another_prior_moves_the_odds() -> None:
    # P(score | machine) : P(score | human) is 0.6/0.25 : 0.4/0.75, whatever the prior
    for prior in (0.01, 0.5, 0.9):
        machine, human = 0.6 / 0.25 * prior, 0.4 / 0.75 * (1 - prior)
        assert probability_of(CURVE, 0.8, prior) == pytest.approx(machine / (machine + human))
    assert probability_of(CURVE, 0.8, 0.5) == pytest.approx(0.6 / 0.25 / (0.6 / 0.25 + 0.4 / 0.75))


def test_a_probability_claims_no_certainty() -> None:
    assert [percent_of(value) for value in (0, 0.009, 0.01, 0.634, 0.99, 1)] == [
        "< 1%",
        "< 1%",
        "1%",
        "63%",
        "99%",
        "> 99%",
    ]
