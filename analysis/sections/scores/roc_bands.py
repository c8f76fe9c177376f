"""The step ROC at many false-positive rates, with bands that come of drawing records again."""

# ruff: noqa: N815 - names end in their shape: G rates of a grid, B draws, R records

from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
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
    order = np.argsort(-values[human], kind="stable")
    ordered, of_human = values[human][order], record[human][order]
    machine = np.sort(-values[~human], kind="stable")
    of_machine = record[~human][np.argsort(-values[~human], kind="stable")]
    above = np.searchsorted(machine, -ordered, side="left")  # machine texts strictly above each human one
    fpr_G = np.unique(np.append(np.geomspace(1 / len(ordered), 1, _GRID), [0.001, 0.01, 0.05]))
    fpr_G = fpr_G[fpr_G >= 1 / len(ordered)]
    size = int(record.max()) + 1
    tpr_G = _tprs(np.ones(size), of_human, of_machine, above, fpr_G)
    if not with_band:
        return Roc(fpr_G, tpr_G, np.full(len(fpr_G), np.nan), np.full(len(fpr_G), np.nan))
    random, chances = np.random.default_rng(seed), np.full(size, 1 / size)
    draws = (random.multinomial(size, chances).astype(np.float64) for _ in range(REPEATS))
    low_G, high_G = np.nanquantile(
        [_tprs(times_R, of_human, of_machine, above, fpr_G) for times_R in draws], [0.025, 0.975], axis=0
    )
    return Roc(fpr_G, tpr_G, low_G, high_G)


def _tprs(times_R: Floats, of_human: Any, of_machine: Any, above: Any, fpr_G: Floats) -> Floats:
    """Return the true-positive rates where each record counts so many times; NaN where a class has no text."""
    flagged = np.cumsum(times_R[of_human])
    found = np.append(0.0, np.cumsum(times_R[of_machine]))
    if not flagged[-1] or not found[-1]:
        return np.full(len(fpr_G), np.nan)
    # The threshold is the first human text that may no longer be flagged; none: every text may be.
    place = np.searchsorted(flagged, fpr_G * flagged[-1] + 1e-9, side="right")
    number = np.where(place < len(above), above[np.minimum(place, len(above) - 1)], len(of_machine))
    return np.asarray(found[number] / found[-1], np.float64)
