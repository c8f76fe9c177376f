"""The probability that a text is machine-made, from its score and a prior."""

from typing import Final

import numpy as np

from scoring.calibration import Probability

SURE: Final = 0.99
"""Probability above which, or below whose complement, only the bound is shown: a curve has no more digits."""


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
    if probability > SURE:
        return f"> {SURE:.0%}"
    return f"< {1 - SURE:.0%}" if probability < 1 - SURE else f"{probability:.0%}"
