"""Tables of a calibration as the page shows them."""

from collections.abc import Mapping
from typing import Any, Final

import pandas as pd

from analysis.column_titles import NULL, number, title_of
from analysis.level_labels import text_of
from analysis.sections.scores.wording import rate_text
from analysis.tables import MAX_TABLE_ROWS, Table
from analysis.thresholds.asked import percent
from scoring.calibration import Calibration
from scoring.calibration_tables import HeldOut, LengthGroup

_RATES: Final = ("fpr", "tpr")
_LIMITS: Final = frozenset(f"{rate}_{end}" for rate in _RATES for end in ("low", "high"))
_TITLES: Final = {
    "fpr": "FPR (exact 95%)",
    "tpr": "TPR (exact 95%)",
    "score": "score",
    "n_synthetic": "n synthetic",
    "mean_tokens_synthetic": "mean tokens synthetic",
    "auroc_matched": "AUROC matched",
    "auroc_unmatched": "AUROC unmatched",
    "auroc_of_length": "AUROC of length alone",
}
"""Titles of columns that mean something else in other tables, or have none there. `score` holds names of scores."""


def group_table(calibration: Calibration) -> Table:
    """Return each length group with its threshold, and its rates on the report part."""
    held_out = {(item.min_tokens, item.min_windows): item for item in calibration.held_out}
    promise = calibration.promise
    promised = "no promise" if promise is None else f"≤ {percent(promise.fpr)}"
    return Table(
        title="Length groups: thresholds, and rates on records held out",
        headers=(
            *("group", "threshold", "FPR promised", "FPR held out (exact 95%)", "TPR held out (exact 95%)"),
            *("n human", "n synthetic", "expected FPR", "calibrated on", "k", "beyond", "equal"),
        ),
        rows=tuple(
            _group_row(group, held_out.get((group.min_tokens, group.min_windows)), promised)
            for group in calibration.groups
        ),
        names=1,
        note=(
            "The promise is about new human texts; the rates held out are what was seen on one text of each record to "
            "which nothing was fitted. The threshold is the k-th most extreme of the scores that it was calibrated on."
        ),
    )


def group_name(group: LengthGroup | HeldOut) -> str:
    """Return the range of a group, as '20–39 tokens'."""
    if group.min_windows is not None:
        return f"{group.min_windows}–{group.max_windows} windows"
    last = "" if group.min_tokens == group.max_tokens else f"–{group.max_tokens}"
    return f"{group.min_tokens}{last} tokens"


def frame_table(frame: pd.DataFrame, title: str, csv: str) -> Table:
    """Return a frame as a table: rates as percentages with their intervals, other numbers with four digits."""
    shown = frame.head(MAX_TABLE_ROWS)
    names = [name for name in shown if not pd.api.types.is_numeric_dtype(shown[name])]
    first = [*names, *(name for name in shown if name not in names and name not in _LIMITS)]
    return Table(
        title=title,
        headers=tuple(_TITLES.get(str(name), title_of(str(name))) for name in first),
        rows=tuple(tuple(_text(str(name), row) for name in first) for row in shown.to_dict("records")),
        names=len(names),
        csv=csv,
        left_out=max(0, len(frame) - MAX_TABLE_ROWS),
    )


def _group_row(group: LengthGroup, item: HeldOut | None, promised: str) -> tuple[str, ...]:
    rates = (NULL, NULL, NULL, NULL)
    if item is not None:
        rates = (
            rate_text(item.fpr, item.fpr_low, item.fpr_high),
            rate_text(item.tpr, item.tpr_low, item.tpr_high),
            f"{item.n_human:,}",
            f"{item.n_synthetic:,}",
        )
    expected = NULL if group.expected_fpr is None else f"{group.expected_fpr:.2%}"
    counts = (NULL if count is None else f"{count:,}" for count in (group.n, group.k, group.beyond, group.equal))
    return (group_name(group), number(group.threshold), promised, *rates, expected, *counts)


def _text(name: str, row: Mapping[Any, Any]) -> str:
    value = row[name]
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str) or pd.isna(value):
        return text_of(value)
    if name in _RATES:
        return rate_text(value, row.get(f"{name}_low"), row.get(f"{name}_high"))
    if name.startswith("auroc"):
        return f"{value:.3f}"
    return f"{value:,}" if isinstance(value, int) else number(value)
