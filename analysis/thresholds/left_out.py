"""Thresholds fitted without a dataset or a generator, and the rates that they have on it."""

from collections.abc import Sequence
from typing import Any, Final

import pandas as pd

from analysis.thresholds.held_out import rates
from analysis.thresholds.order_statistic import beyond, largest_k, order_statistic, records_needed
from analysis.thresholds.randomness import one_of_each
from analysis.thresholds.settings import direction_of

COLUMNS: Final = ("dataset", "generator")


def left_out_table(
    texts: pd.DataFrame,
    score: str,
    fpr: float,
    confidence: float = 0.95,
    columns: Sequence[str] = COLUMNS,
    seed: int = 0,
) -> pd.DataFrame:
    """Return, for each level of a column and each length group, the threshold of the other levels and its rates here.

    The threshold is from human texts of the calibrate part with another level, the rates from texts of the report part
    with this level, one a record and class.

    Args:
        texts: With record, part, is_human, length_group and the score.
        score: Its name.
        fpr: Of the promise.
        confidence: Of the promise.
        columns: Columns whose levels are left out, one at a time.
        seed: Of the draws.

    Returns:
        Columns: left_out, level, length_group, n_elsewhere, threshold, reason, and those of `held_out.rates`. The
        threshold is null, with the reason, where the others have too few records.
    """
    inside = texts[texts["length_group"].notna()]
    drawn = one_of_each(inside, ("record", "is_human", "length_group", *columns), seed)
    rows = []
    for column in columns:
        levels = drawn[column].dropna().drop_duplicates().sort_values()
        for level in levels if len(levels) > 1 else ():
            for group in drawn["length_group"].drop_duplicates():
                of_group = drawn[drawn["length_group"] == group]
                found = _row(of_group, of_group[column] == level, score, fpr, confidence, seed)
                rows.append({"left_out": column, "level": str(level), "length_group": group} | found)
    return pd.DataFrame(rows, columns=None if rows else ["left_out", "level", "length_group", "threshold", "reason"])


def _row(texts: pd.DataFrame, here: Any, score: str, fpr: float, confidence: float, seed: int) -> dict[str, Any]:
    elsewhere = texts[~here & texts["is_human"] & (texts["part"] == "calibrate")].drop_duplicates("record")
    k = largest_k(len(elsewhere), fpr, confidence)
    row: dict[str, Any] = {"n_elsewhere": len(elsewhere), "threshold": None, "reason": ""}
    if not k:
        return row | {"reason": f"too few records elsewhere: {records_needed(fpr, confidence):,} are needed"}
    direction = direction_of(score)
    threshold = order_statistic(elsewhere[score], k, direction).threshold
    tried = texts[here & (texts["part"] == "report")]
    tried = one_of_each(tried.assign(flagged=beyond(tried[score], threshold, direction)), ("record", "is_human"), seed)
    return row | {"threshold": threshold} | rates(tried)
