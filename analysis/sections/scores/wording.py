"""Numbers of notebook 03 as text: AUROCs, p values, rates, and the claim that they carry."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import pandas as pd

from analysis.column_titles import NULL
from analysis.marks import TOO_FEW
from analysis.thresholds.separation import OTHER_WAY

NOT_TURNED: Final = f"{OTHER_WAY}; the AUROC is not turned round"
CHANCE: Final = "the interval holds 0.5, so chance is not excluded; the AUROC is not turned round"
_MAX_LISTED: Final = 8


def other_way(row: Mapping[Any, Any]) -> str:
    """Return what an AUROC below 0.5 says: that the score points the other way only where its interval does."""
    return NOT_TURNED if pd.isna(row["auroc_high"]) or row["auroc_high"] < 0.5 else CHANCE


def auroc_text(value: Any, low: Any, high: Any) -> str:
    """Return '0.964 (0.941–0.982)', without the interval where there is none."""
    if pd.isna(value):
        return NULL
    limits = f" ({low:.3f}–{high:.3f})" if pd.notna(low) and pd.notna(high) else ""
    return f"{value:.3f}{limits}"


def score_text(value: Any) -> str:
    """Return a score, or a difference of scores or AUROCs, with three decimals and never as '-0.000'; '–' for null."""
    return NULL if pd.isna(value) else f"{value:z.3f}"


def limits_text(low: Any, high: Any) -> str:
    """Return '0.081 to 0.121'; 'too few to tell' where there is no interval."""
    return TOO_FEW if pd.isna(low) or pd.isna(high) else f"{score_text(low)} to {score_text(high)}"


def p_text(p: Any) -> str:
    """Return a p value with two significant digits; '< 0.0001' for a smaller one."""
    if pd.isna(p):
        return NULL
    return "< 0.0001" if p < 1e-4 else f"{p:.2g}"


def rate_text(value: Any, low: Any = None, high: Any = None) -> str:
    """Return '4.7% (3.2%–6.6%)', without the interval where there is none."""
    if pd.isna(value):
        return NULL
    limits = f" ({low:.1%}–{high:.1%})" if pd.notna(low) and pd.notna(high) else ""
    return f"{value:.1%}{limits}"


def listed(names: Sequence[str]) -> str:
    """Return 'a, b and c'; of many names the first, and the number of the others."""
    if len(names) > _MAX_LISTED:
        return f"{', '.join(names[:_MAX_LISTED])} and {len(names) - _MAX_LISTED} more"
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))
