"""The step ROC at many false-positive rates, with bands that come of drawing records again."""

# ruff: noqa: N815 - names end in their shape: G rates of a grid, B draws, R records

from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
REPEATS: Final = 200
_GRID: Final = 80
"""False-positive rates that a curve is drawn at."""


class Roc(NamedTuple):
    """A step ROC. It begins at the smallest false-positive rate that n human texts can show, 1 / n."""

    fpr_G: Floats
    tpr_G: Floats
    low_G: Floats
    high_G: Floats


def roc_bands(values: Any, is_human: Any, record: Any, seed: int = 0) -> Roc:
    """Return the ROC of a score, with the pointwise 95% band of its true-positive rate.

    A draw takes records with replacement, each with all of its texts. Nothing is interpolated.

    Args:
        values: score of each text, higher being machine-like.
        is_human: class of each text.
        record: number of its record, from 0.
        seed: of the draws.
    """
    human, record = np.asarray(is_human, bool), np.asarray(record)
    values = np.asarray(values, np.float64)
    order = np.argsort(-values[human], kind="stable")
    ordered, of_human = values[human][order], record[human][order]
    machine = np.sort(-values[~human], kind="stable")
    of_machine = record[~human][np.argsort(-values[~human], kind="stable")]
    above = np.searchsorted(machine, -ordered, side="left")  # machine texts strictly above each human one
    fpr_G = np.unique(np.append(np.geomspace(1 / len(ordered), 1, _GRID), [0.001, 0.01, 0.05]))
    fpr_G = fpr_G[fpr_G >= 1 / len(ordered)]
    size = int(record.max()) + 1
    ones = np.ones(size)
    random = np.random.default_rng(seed)
    draws_BG = np.array(
        [
            _tprs(
                random.multinomial(size, np.full(size, 1 / size)).astype(np.float64), of_human, of_machine, above, fpr_G
            )
            for _ in range(REPEATS)
        ]
    )
    low_G, high_G = np.nanquantile(draws_BG, [0.025, 0.975], axis=0)
    return Roc(fpr_G, _tprs(ones, of_human, of_machine, above, fpr_G), low_G, high_G)


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
