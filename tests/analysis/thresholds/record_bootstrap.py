"""Interval of an AUROC where records have several texts: records are drawn again, with all of their texts.

A fragment of a record says little that another one of it did not say, so texts must not be drawn one by one.
"""

from typing import Any, Final

import numpy as np
import numpy.typing as npt

REPEATS: Final = 1000
FEWEST_REPEATS: Final = 200
_EFFORT: Final = 2e7
"""Numbers that are drawn for an interval: where there are more than 20,000 texts, there are fewer repeats."""
_CELLS: Final = 4_000_000
"""Numbers in memory at a time."""


def bootstrap_interval(
    values: Any, is_human: Any, records: Any, seed: int, confidence: float = 0.95
) -> tuple[float, float] | None:
    """Return the percentile interval of the AUROC; None where nearly no draw has both classes, or nothing varies.

    Args:
        values: Score of each text, higher being machine-like.
        is_human: Class of each text.
        records: Record of each text.
        seed: Of the draws.
    """
    number = np.unique(np.asarray(records), return_inverse=True)[1]
    distinct, level = np.unique(np.asarray(values, np.float64), return_inverse=True)
    random = np.random.default_rng(seed)
    size = int(number.max()) + 1
    wanted = int(min(REPEATS, max(FEWEST_REPEATS, _EFFORT / max(len(number), 1))))
    at_a_time = max(1, _CELLS // max(len(number), 1))
    drawn: list[npt.NDArray[np.float64]] = []
    human = np.asarray(is_human, np.bool_)
    order = np.argsort(level, kind="stable")
    starts = np.searchsorted(level[order], np.arange(len(distinct)))
    for first in range(0, wanted, at_a_time):
        repeats = min(at_a_time, wanted - first)
        times_RB = random.multinomial(size, np.full(size, 1 / size), size=repeats)
        weights = times_RB[:, number[order]].astype(np.float64)
        drawn.append(_aurocs(weights, human[order], starts))
    found = np.concatenate(drawn)
    found = found[np.isfinite(found)]
    if len(found) < wanted // 2 or found.min() == found.max():
        return None
    tail = (1 - confidence) / 2
    low, high = np.quantile(found, [tail, 1 - tail])
    return float(low), float(high)


def _aurocs(weights: Any, human: Any, starts: Any) -> npt.NDArray[np.float64]:
    """Return the AUROC of each row of weights; texts are in the order of their values, ties beginning at `starts`."""
    human_weight = np.add.reduceat(weights * human, starts, axis=1)
    synthetic_weight = np.add.reduceat(weights * ~human, starts, axis=1)
    below = np.cumsum(human_weight, axis=1) - human_weight / 2
    pairs = human_weight.sum(axis=1) * synthetic_weight.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray((synthetic_weight * below).sum(axis=1) / pairs, np.float64)
