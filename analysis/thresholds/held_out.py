"""Rates on the report part: on records to which nothing was fitted."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from analysis.thresholds.intervals import exact_share
from analysis.thresholds.order_statistic import beyond
from analysis.thresholds.randomness import one_of_each
from scoring.calibration_tables import HeldOut, LengthGroup
from scoring.scores import Direction


def flagged(texts: pd.DataFrame, groups: Sequence[LengthGroup], score: str, direction: Direction) -> pd.DataFrame:
    """Return the texts that are in a group, with whether the group's threshold flags them.

    Args:
        texts: With `group_number`, the number of the group; −1 outside of all.
        groups: In the order of these numbers.
    """
    inside = texts[texts["group_number"] >= 0]
    thresholds = np.array([group.threshold for group in groups])[inside["group_number"].to_numpy(np.int64)]
    return inside.assign(flagged=beyond(inside[score], thresholds, direction))


def held_out(texts: pd.DataFrame, groups: Sequence[LengthGroup], seed: int) -> tuple[HeldOut, ...]:
    """Return the rates of each group, of one text a record, class and group.

    Args:
        texts: Texts of the report part as `flagged` returns them.
        groups: The groups.
        seed: Of the draw.
    """
    drawn = one_of_each(texts, ("record", "is_human", "group_number"), seed)
    return tuple(_rates(drawn[drawn["group_number"] == number], group) for number, group in enumerate(groups))


def rates(drawn: pd.DataFrame) -> dict[str, Any]:
    """Return the rates of some texts, with exact intervals: the columns of `HeldOut` but its ranges."""
    human = drawn.loc[drawn["is_human"], "flagged"]
    synthetic = drawn.loc[~drawn["is_human"], "flagged"]
    fpr, tpr = exact_share(int(human.sum()), len(human)), exact_share(int(synthetic.sum()), len(synthetic))
    return {
        "n_human": len(human),
        "false_positives": int(human.sum()),
        "fpr": fpr.value,
        "fpr_low": fpr.low,
        "fpr_high": fpr.high,
        "n_synthetic": len(synthetic),
        "true_positives": int(synthetic.sum()),
        "tpr": tpr.value,
        "tpr_low": tpr.low,
        "tpr_high": tpr.high,
    }


def _rates(drawn: pd.DataFrame, group: LengthGroup) -> HeldOut:
    ranges = group.model_dump(include={"min_tokens", "max_tokens", "min_windows", "max_windows"})
    return HeldOut(**ranges, **rates(drawn))
