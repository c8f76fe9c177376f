"""Adjust p values for the number of tests, so that a family of tests makes a false claim in at most 5% of cases.

Knows arrays of p values. Does not know rows or sentences.
"""

from typing import Any

import numpy as np


def holm(p: Any) -> Any:
    """Return p values adjusted by Holm's step-down method (Holm 1979). NaN is no test: NaN stays NaN and counts not.

    Args:
        p: array of p values, of any order.
    """
    values = np.asarray(p, dtype=float)
    adjusted = np.full(values.shape, np.nan)
    tested = np.flatnonzero(~np.isnan(values))
    order = tested[np.argsort(values[tested], kind="stable")]
    steps = values[order] * np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return adjusted


def p_text(p: float) -> str:
    """Return a p value for a sentence: 'p < 0.001' or 'p = 0.012'."""
    return "p < 0.001" if p < 0.001 else f"p = {p:.2g}"
