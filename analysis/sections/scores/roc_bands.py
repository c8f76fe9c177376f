"""The step ROC at many false-positive rates, with bands that come of drawing records again."""

# ruff: noqa: N815 - names end in their shape: G rates of a grid, B draws, R records

from functools import lru_cache
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int32]
REPEATS: Final = 200
_MOST_UNITS: Final = 20_000
"""Units that are drawn. Of more records, several are one unit: the band stays the same, and the time is bounded."""
_GRID: Final = 80
"""False-positive rates that a curve is drawn at."""


class Roc(NamedTuple):
    """A step ROC. It begins at the smallest false-positive rate that n human texts can show, 1 / n."""

    fpr_G: Floats
    tpr_G: Floats
    low_G: Floats
    high_G: Floats


def roc_bands(values: Any, is_human: Any, record: Any, seed: int = 0, *, with_band: bool = True) -> Roc:
    """Return the ROC of a score, with the pointwise 95% band of its true-positive rate.

    A draw takes records with replacement, each with all of its texts. Nothing is interpolated.

    Args:
        values: score of each text, higher being machine-like.
        is_human: class of each text.
        record: number of its record, from 0.
        seed: of the draws.
        with_band: without, the band is NaN, and nothing is drawn.
    """
    human, record = np.asarray(is_human, bool), np.asarray(record) % _MOST_UNITS
    values = np.asarray(values, np.float64)
    ordered, of_human = _highest_first(values[human], record[human])
    machine, of_machine = _highest_first(values[~human], record[~human])
    above = np.searchsorted(-machine, -ordered, side="left")  # synthetic texts strictly above each human one
    fpr_G = np.unique(np.append(np.geomspace(1 / len(ordered), 1, _GRID), [0.001, 0.01, 0.05]))
    fpr_G = fpr_G[fpr_G >= 1 / len(ordered)]
    size = int(record.max()) + 1
    tpr_G = _tprs(np.ones(size, np.int32), of_human, of_machine, above, fpr_G)
    if not with_band:
        return Roc(fpr_G, tpr_G, np.full(len(fpr_G), np.nan), np.full(len(fpr_G), np.nan))
    drawn = [_tprs(times_R, of_human, of_machine, above, fpr_G) for times_R in _draws(size, seed)]
    low_G, high_G = np.nanquantile(drawn, [0.025, 0.975], axis=0)
    return Roc(fpr_G, tpr_G, low_G, high_G)


def _highest_first(values: Floats, record: Any) -> tuple[Floats, Any]:
    """Return values and their records, the highest value first. The order of equal values does not matter."""
    order = np.argsort(-values)
    return values[order], record[order].astype(np.int32)


@lru_cache(maxsize=1)
def _draws(size: int, seed: int) -> Counts:
    """Return how often each record is drawn in each draw: the same for every curve of a figure."""
    random, chances = np.random.default_rng(seed), np.full(size, 1 / size)
    return np.array([random.multinomial(size, chances) for _ in range(REPEATS)], np.int32)


def _tprs(times_R: Any, of_human: Any, of_machine: Any, above: Any, fpr_G: Floats) -> Floats:
    """Return the true-positive rates where each record counts so many times; NaN where a class has no text."""
    flagged, found = np.cumsum(times_R[of_human]), np.cumsum(times_R[of_machine])
    if not flagged[-1] or not found[-1]:
        return np.full(len(fpr_G), np.nan)
    # The threshold is the first human text that may no longer be flagged; none: every text may be.
    allowed = np.floor(fpr_G * flagged[-1] + 1e-9).astype(flagged.dtype)
    place = np.searchsorted(flagged, allowed, side="right")
    number = np.where(place < len(above), above[np.minimum(place, len(above) - 1)], len(of_machine))
    return np.where(number > 0, found[number - 1], 0) / float(found[-1])
