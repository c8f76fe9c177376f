"""Thresholds that maximise F1, accuracy or Youden's J: for comparison with published work, without any promise."""

from typing import Any, Final

import numpy as np
import pandas as pd

from analysis.thresholds.held_out import rates
from analysis.thresholds.order_statistic import beyond
from analysis.thresholds.randomness import one_of_each
from analysis.thresholds.roc import machine_like
from analysis.thresholds.settings import direction_of

OBJECTIVES: Final = ("f1", "accuracy", "youden")
NO_PROMISE: Final = "fitted: promises nothing"


def fitted_table(texts: pd.DataFrame, score: str, seed: int = 0) -> pd.DataFrame:
    """Return the threshold that is best by each objective, and its rates on the report part.

    Fitted to one text a record and class of the choose and calibrate parts, whatever its length.

    Returns:
        Columns: objective, promise, threshold (texts strictly beyond are flagged), fitted_value, and those of
        `held_out.rates`. Empty where a class is missing.
    """
    drawn = one_of_each(texts, ("record", "is_human"), seed)
    fitted, report = drawn[drawn["part"] != "report"], drawn[drawn["part"] == "report"]
    human = fitted["is_human"].to_numpy(np.bool_)
    if not 0 < human.sum() < len(human):
        return pd.DataFrame(columns=["objective", "promise", "threshold", "fitted_value"])
    direction = direction_of(score)
    values = machine_like(fitted[score], score)
    # Strictly beyond each value; and below all values, where every text is flagged.
    cuts = np.concatenate([[np.nextafter(values.min(), -np.inf)], np.unique(values)])
    found = (~human).sum() - np.searchsorted(np.sort(values[~human]), cuts, side="right")
    wrong = human.sum() - np.searchsorted(np.sort(values[human]), cuts, side="right")
    rows = []
    for objective in OBJECTIVES:
        worth = _worth(objective, found, wrong, int((~human).sum()), int(human.sum()))
        best = int(np.argmax(worth))
        threshold = float(-cuts[best] if direction == "lower" else cuts[best])
        row = {"objective": objective, "promise": NO_PROMISE, "threshold": threshold, "fitted_value": worth[best]}
        rows.append(row | rates(report.assign(flagged=beyond(report[score], threshold, direction))))
    return pd.DataFrame(rows)


def _worth(objective: str, found: Any, wrong: Any, n_synthetic: int, n_human: int) -> Any:
    """Return the value of an objective at each threshold, by the machine and the human texts that are flagged there."""
    if objective == "f1":
        return 2 * found / (found + wrong + n_synthetic)
    if objective == "accuracy":
        return (found + n_human - wrong) / (n_synthetic + n_human)
    return found / n_synthetic - wrong / n_human
