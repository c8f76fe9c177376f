"""Components of an AUROC: the texts of the other class that lie below each text, and their share.

Sun and Xu 2014 (doi 10.1109/LSP.2014.2337313) compute them from midranks. Here one sorting gives them: a text's midrank
among all less its midrank among its class is the number of texts of the other class below it, ties counting half.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def others_below(values: Any, is_human: Any) -> Floats:
    """Return the number of texts of the other class below each text, ties counting half; all NaN where a value is NaN.

    Args:
        values: score of each text.
        is_human: class of each text.
    """
    scores, human = np.asarray(values, np.float64), np.asarray(is_human, np.bool_)
    order = np.argsort(scores)
    ordered, of_human = scores[order], human[order]
    if len(ordered) and np.isnan(ordered[-1]):  # sorting puts NaN last
        return np.full(len(scores), np.nan)
    first, after = _ties(ordered)
    humans = np.zeros(len(scores) + 1, np.int64)
    np.cumsum(of_human, out=humans[1:])
    twice_human = humans[first] + humans[after]
    below = np.empty(len(scores))
    below[order] = np.where(of_human, first + after - twice_human, twice_human) / 2
    return below


def shares_beyond(values: Any, is_human: Any) -> Floats:
    """Return the share of machine texts above each human text, and of human texts below each machine text.

    Args:
        values: score of each text, higher being machine-like.
        is_human: class of each text. Both must be there.
    """
    human = np.asarray(is_human, np.bool_)
    below, humans = others_below(values, human), int(np.count_nonzero(human))
    return np.where(human, 1 - below / (len(human) - humans), below / humans)


def _ties(ordered: Floats) -> tuple[Any, Any]:
    """Return the first place of the values equal to each value, and the place after the last of them."""
    place = np.arange(len(ordered))
    is_first = np.append(True, ordered[1:] != ordered[:-1])
    if is_first.all():
        return place, place + 1
    starts = np.flatnonzero(is_first)
    group = np.cumsum(is_first) - 1
    return starts[group], np.append(starts[1:], len(ordered))[group]
