"""Numbers of notebook 03 as text: AUROCs, p values, rates, and the claim that they carry."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import pandas as pd
from scipy.special import logit, ndtri

from analysis.column_titles import NULL
from analysis.marks import TOO_FEW
from analysis.sections.scores.setting import FEWEST_RECORDS
from analysis.thresholds.separation import OTHER_WAY

NOT_TURNED: Final = f"{OTHER_WAY}; the AUROC is not turned round"
CHANCE: Final = "chance alone may give that; the AUROC is not turned round"
_MAX_LISTED: Final = 8


def is_beyond_chance(row: Mapping[Any, Any], looks: int) -> bool:
    """Tell whether an AUROC differs from 0.5, with 95% confidence over all AUROCs that were looked at (Bonferroni).

    Args:
        row: auroc, auroc_low, auroc_high (95%, on the logit scale), and what `fewest_records` reads. Without an
            interval the classes do not overlap, or there are too few records.
        looks: number of AUROCs among which this one stands out.
    """
    if pd.isna(row["auroc_low"]) or pd.isna(row["auroc_high"]):
        return bool(row["auroc"] in (0, 1) and fewest_records(row) >= FEWEST_RECORDS)
    error = float(logit(row["auroc_high"]) - logit(row["auroc_low"])) / (2 * ndtri(0.975))
    return bool(abs(logit(row["auroc"])) > ndtri(1 - 0.025 / looks) * error)


def fewest_records(row: Mapping[Any, Any]) -> int:
    """Return the number of records of the class that has fewer.

    Args:
        row: fewest_records. Else n_human and n_synthetic, of one text a record and class. Else records, of both classes
            each.
    """
    if "fewest_records" in row:
        return int(row["fewest_records"])
    counts = (row["n_human"], row["n_synthetic"]) if "n_human" in row else (row["records"],)
    return int(min(counts))


def other_way(row: Mapping[Any, Any], looks: int) -> str:
    """Return what an AUROC below 0.5 says: that the score points the other way only where chance is excluded."""
    return NOT_TURNED if is_beyond_chance(row, looks) else CHANCE


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
