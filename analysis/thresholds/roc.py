"""Points of the step ROC: the share of machine texts that is found at a share of human texts that is flagged."""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from scoring.scores import SCORES

Floats = npt.NDArray[np.float64]


class OperatingPoint(NamedTuple):
    """A threshold chosen on the texts that it is counted on: it promises nothing about other texts."""

    threshold: float
    false_positives: int
    true_positives: int


def machine_like(values: Any, score: str) -> Floats:
    """Return values of a score so turned that machine text is to be expected at the higher ones."""
    turned = np.asarray(values, np.float64)
    return -turned if SCORES[score].direction == "lower" else turned


def at_fpr(human: Any, synthetic: Any, fpr: float) -> OperatingPoint:
    """Return the point of the step ROC that finds most, among those that flag at most a share `fpr` of human texts.

    Nothing is interpolated: the share of human texts that is flagged may be smaller. Values: higher is machine-like.
    """
    ordered = np.sort(np.asarray(human, np.float64))[::-1]
    allowed = int(np.floor(fpr * len(ordered) + 1e-9))
    threshold = float(ordered[allowed]) if allowed < len(ordered) else -np.inf
    return OperatingPoint(threshold, int((ordered > threshold).sum()), int((np.asarray(synthetic) > threshold).sum()))
