"""AUROC with classes of equal length: where machine texts are longer, length alone tells them apart.

Matching: lengths in tokens fall into steps of 10%; in each step as many texts of the larger class are drawn, with the
seed, as the other class has. The texts that are left have one distribution of lengths.
"""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import pandas as pd

from analysis.thresholds.delong import delong
from analysis.thresholds.randomness import one_of_each, places
from analysis.thresholds.separation import auroc_of

STEP: Final = 1.1
ALL: Final = "all"


def matched_table(texts: pd.DataFrame, scores: Sequence[str], seed: int = 0) -> pd.DataFrame:
    """Return the AUROC of each score in each length group, with and without matching, and that of length alone.

    One text a record and class, drawn with the seed.

    Returns:
        Columns: length_group, score, auroc_matched, auroc_unmatched, auroc_of_length, n_matched (of each class),
        n_human, n_synthetic, mean_tokens_human, mean_tokens_synthetic. An AUROC is null where a class is missing.
    """
    rows = []
    groups = texts["length_group"].dropna().drop_duplicates()
    for group in [ALL, *groups]:
        of_group = texts if group == ALL else texts[texts["length_group"] == group]
        drawn = one_of_each(of_group, ("record", "is_human"), seed)
        matched = matched_in_length(drawn, seed)
        human = drawn["is_human"].to_numpy(np.bool_)
        length = drawn["length_tokens"].to_numpy(np.float64)
        shared = {
            "auroc_of_length": _auroc_of(length, human),
            "n_matched": int(matched["is_human"].sum()),
            "n_human": int(human.sum()),
            "n_synthetic": int((~human).sum()),
            "mean_tokens_human": float(length[human].mean()) if human.any() else None,
            "mean_tokens_synthetic": float(length[~human].mean()) if (~human).any() else None,
        }
        rows += [
            {
                "length_group": group,
                "score": score,
                "auroc_matched": auroc_of(matched, score),
                "auroc_unmatched": auroc_of(drawn, score),
                **shared,
            }
            for score in scores
        ]
    return pd.DataFrame(rows)


def matched_in_length(texts: pd.DataFrame, seed: int = 0) -> pd.DataFrame:
    """Return as many texts of each class in every step of length."""
    step = np.floor(np.log(texts["length_tokens"].to_numpy(np.float64)) / np.log(STEP)).astype(np.int64)
    place = places(texts[["record", "is_human"]], seed, "matched")
    ordered = texts.assign(_step=step).iloc[np.argsort(place, kind="stable")]
    rank = ordered.groupby(["_step", "is_human"]).cumcount()
    sizes = ordered.groupby(["_step", "is_human"]).size().unstack(fill_value=0).reindex(columns=[False, True])
    fewest = ordered["_step"].map(sizes.fillna(0).min(axis=1))
    return ordered[(rank < fewest).to_numpy()].drop(columns="_step")


def _auroc_of(values: Any, human: Any) -> float | None:
    """Return the probability that a machine text is longer than a human one."""
    return float(delong(values[human], values[~human]).values_S[0]) if 0 < human.sum() < len(human) else None
