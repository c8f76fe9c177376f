"""The probability that a text is machine-made, from its score and a prior."""

from typing import Final

import numpy as np

from scoring.calibration_tables import Probability

LEAST: Final = 0.01
MOST: Final = 0.99
"""Probabilities that are shown as numbers. Beyond them only the bound is shown: a curve has no more digits."""


def probability_of(curve: Probability, score: float, prior: float) -> float:
    """Return P(machine | score) at a prior.

    The curve is linear between its points and constant outside. Bayes: the odds of the curve, which hold at a prior of
    `curve.share`, are multiplied by the odds of `prior` over those of `curve.share`.
    """
    fitted = float(np.interp(score, curve.scores, curve.machine))
    machine = fitted * prior / curve.share
    human = (1 - fitted) * (1 - prior) / (1 - curve.share)
    return machine / (machine + human)


def percent_of(probability: float) -> str:
    """Return a probability for people: `63%`, `> 99%`, `< 1%`."""
    if probability > MOST:
        return f"> {MOST:.0%}"
    return f"< {LEAST:.0%}" if probability < LEAST else f"{probability:.0%}"
