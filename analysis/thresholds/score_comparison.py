"""Scores compared on exactly the same texts: DeLong by record, adjusted for the number of comparisons (Holm)."""

import itertools
from collections.abc import Sequence

import numpy as np
import pandas as pd

from analysis.multiplicity import holm
from analysis.thresholds.clustered_auroc import clustered_aurocs, numbered
from analysis.thresholds.delong import p_of_difference
from analysis.thresholds.randomness import one_of_each
from analysis.thresholds.roc import machine_like

COLUMNS = ("first", "second", "auroc_first", "auroc_second", "difference", "p", "p_holm", "n_human", "n_synthetic")


def compared_scores(texts: pd.DataFrame, scores: Sequence[str], seed: int = 0) -> pd.DataFrame:
    """Return each two scores with the difference of their AUROCs.

    One text a record and class is drawn with the seed. The record is the unit of the test: its human and its machine
    text depend on each other. p is null where two scores put all texts into one order.

    Returns:
        Columns: first, second, auroc_first, auroc_second, difference, p, p_holm, n_human, n_synthetic.
    """
    drawn = one_of_each(texts, ("record", "is_human"), seed)
    human = drawn["is_human"].to_numpy(np.bool_)
    n_human, n_synthetic = int(human.sum()), int((~human).sum())
    if min(n_human, n_synthetic) < 2 or len(scores) < 2:
        return pd.DataFrame(columns=[*COLUMNS])
    values = np.array([machine_like(drawn[score], score) for score in scores])
    found = clustered_aurocs(values, human, numbered(drawn["record"]))
    pairs = list(itertools.combinations(range(len(scores)), 2))
    table = pd.DataFrame(
        [
            {
                "first": scores[one],
                "second": scores[other],
                "auroc_first": found.values_S[one],
                "auroc_second": found.values_S[other],
                "difference": found.values_S[one] - found.values_S[other],
                "p": p_of_difference(found, one, other),
                "n_human": n_human,
                "n_synthetic": n_synthetic,
            }
            for one, other in pairs
        ]
    )
    table["p"] = table["p"].astype("float64")
    return table.assign(p_holm=holm(table["p"]))[[*COLUMNS]]
