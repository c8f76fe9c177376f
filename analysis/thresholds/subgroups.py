"""False-positive rates of subgroups at the calibrated thresholds: where the promise, which is about all, does not hold.

A frame of texts is that of `held_out.flagged`: texts of the report part.
"""

from collections.abc import Sequence

import pandas as pd

from analysis.thresholds.held_out import rates
from analysis.thresholds.randomness import one_of_each

ALL = "all"


def subgroup_table(flagged: pd.DataFrame, columns: Sequence[str], fpr: float, seed: int = 0) -> pd.DataFrame:
    """Return the rates of each level of each column, of one text a record and class, drawn with the seed.

    Returns:
        Columns: column, level, n_human, false_positives, fpr, fpr_low, fpr_high, above_promise, n_synthetic,
        true_positives, tpr, tpr_low, tpr_high. above_promise: the exact 95% interval of the rate lies above `fpr`.
    """
    rows = [{"column": ALL, "level": ALL} | _rates(flagged, fpr, seed)]
    for column in columns:
        rows += [
            {"column": column, "level": str(level)} | _rates(flagged[flagged[column] == level], fpr, seed)
            for level in flagged[column].dropna().drop_duplicates().sort_values()
        ]
    return pd.DataFrame(rows)


def _rates(texts: pd.DataFrame, fpr: float, seed: int) -> dict[str, object]:
    found = rates(one_of_each(texts, ("record", "is_human"), seed))
    low = found["fpr_low"]
    keys = ("n_human", "false_positives", "fpr", "fpr_low", "fpr_high")
    return {key: found[key] for key in keys} | {"above_promise": low is not None and low > fpr} | found
