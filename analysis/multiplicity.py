"""Adjust p values for the number of tests, so that a family of tests makes a false claim in at most 5% of cases.

Knows arrays of p values. Does not know rows or sentences.
"""

from typing import Any, Final

import numpy as np

_LEAST: Final = 0.001
"""Least p value that is written as a number."""


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
    return f"p {p_value_text(p)}" if p < _LEAST else f"p = {p_value_text(p)}"


def p_value_text(p: float) -> str:
    """Return a p value for a column of p values: '< 0.001' or '0.012'."""
    return f"< {_LEAST}" if p < _LEAST else f"{p:.2g}"
