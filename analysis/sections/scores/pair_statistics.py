"""Statistics of every setting, and the comparison of settings on the texts that all of them scored."""

from collections.abc import Sequence
from functools import reduce
from typing import Any, Final

import numpy as np
import pandas as pd

from analysis.multiplicity import holm
from analysis.sections.scores.by_record import difference, record_numbers
from analysis.sections.scores.clustered_auroc import clustered_aurocs, compared, separation
from analysis.sections.scores.scored import FEWEST_RECORDS, Setting
from analysis.thresholds.randomness import places
from analysis.thresholds.roc import machine_like

_TEXT: Final = ("dataset", "record_id", "author", "generator", "fragment_index", "start_word", "prefix_tokens")
_CONCLUSIONS: Final = ("low", "high", "p_welch", "p_paired", "auroc_low", "auroc_high")
"""Columns that are null where there are too few records."""


def statistics(settings: Sequence[Setting], score: str = "score") -> pd.DataFrame:
    """Return the statistics of each setting, highest AUROC first.

    Returns:
        Columns: setting, those of `by_record.Difference`, p_welch_holm and p_paired_holm (adjusted over the settings),
        auroc, auroc_low, auroc_high. Tests and intervals are null where a class has fewer than 20 records.
    """
    table = pd.DataFrame([_row(setting, score) for setting in settings])
    for name in ("p_welch", "p_paired"):
        table[f"{name}_holm"] = holm(table[name].astype("float64"))
    return table.sort_values("auroc", ascending=False, na_position="last", kind="stable", ignore_index=True)


def comparisons(settings: Sequence[Setting], score: str = "score") -> tuple[pd.DataFrame, str]:
    """Return each two settings with the difference of their AUROCs on the texts that all settings scored, or why not.

    Returns:
        The table of `clustered_auroc.compared`, with a row for each two settings; empty where nothing is compared. And
        a sentence: the number of texts that are compared, or the reason why there are none.
    """
    both = [setting for setting in settings if setting.n_human and setting.n_synthetic]
    if len(both) < 2:
        return pd.DataFrame(), "Nothing is compared: fewer than two pairs scored texts of both authors."
    keyed = [_keyed(setting, score) for setting in both]
    shared = reduce(lambda left, right: left.intersection(right), [frame.index for frame in keyed]).sort_values()
    if shared.empty:
        return pd.DataFrame(), "The pairs are not compared: no text was scored by all of them."
    first = keyed[0].loc[shared]
    human = first["is_human"].to_numpy(bool)
    records = first.groupby("is_human")["record_id"].nunique().reindex([True, False], fill_value=0)
    if records.min() < FEWEST_RECORDS:
        return pd.DataFrame(), (
            f"The pairs are not compared: texts of {records[True]:,} records with human and {records[False]:,} with "
            f"machine text were scored by all of them, and {FEWEST_RECORDS} of each are needed."
        )
    values = np.array([machine_like(frame.loc[shared, score], score) for frame in keyed])
    aurocs = clustered_aurocs(values, human, record_numbers(first))
    return compared(aurocs, [setting.name for setting in both]), (
        f"Pairs are compared on the {len(shared):,} texts of {first['record_id'].nunique():,} records that all of them "
        "scored, by record, with Holm's correction."
    )


def _row(setting: Setting, score: str) -> dict[str, Any]:
    found = difference(setting.rows, score)
    row: dict[str, Any] = {"setting": setting.name, **found._asdict()}
    row |= {"auroc": None, "auroc_low": None, "auroc_high": None}
    if found.n_human and found.n_synthetic:
        values = machine_like(setting.rows[score], score)
        human = setting.rows["is_human"].to_numpy(bool)
        own = separation(clustered_aurocs(values, human, record_numbers(setting.rows)))
        row |= {"auroc": own.auroc, "auroc_low": own.low, "auroc_high": own.high}
    return row if setting.can_conclude else row | dict.fromkeys(_CONCLUSIONS)


def _keyed(setting: Setting, score: str) -> pd.DataFrame:
    """Return the texts of a setting by a number that is the same for the same text in every setting."""
    told_apart = [name for name in _TEXT if name in setting.rows]
    frame = setting.rows[["record_id", "is_human", score]]
    keyed = frame.set_axis(pd.Index(places(setting.rows[told_apart], 0, "text")), axis=0)
    return keyed[~keyed.index.duplicated()]
