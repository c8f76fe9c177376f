"""The score that separates best, chosen on records that calibrate and report nothing."""

from collections.abc import Sequence
from typing import Final

import numpy as np
import pandas as pd

from analysis.thresholds.randomness import one_of_each
from analysis.thresholds.refused import refuse
from analysis.thresholds.roc import at_fpr, machine_like
from analysis.thresholds.separation import auroc_of

FEWEST: Final = 20
"""Records of each class without which no score is chosen."""


def score_choice(texts: pd.DataFrame, scores: Sequence[str], fpr: float, seed: int = 0) -> pd.DataFrame:
    """Return the scores, best first: by AUROC, then by the true-positive rate at `fpr`.

    Args:
        texts: Texts of the choose part that have every score.
        scores: Scores with a direction.
        fpr: Of the promise.
        seed: Draws one text a record and class.

    Returns:
        Columns: score, auroc, tpr, n_human, n_synthetic.

    Raises:
        Refused: the choose part has too few records of a class.
    """
    drawn = one_of_each(texts, ("record", "is_human"), seed)
    human = drawn["is_human"].to_numpy(np.bool_)
    n_human, n_synthetic = int(human.sum()), int((~human).sum())
    if (fewest := min(n_human, n_synthetic)) < FEWEST:
        raise refuse(
            f"score 'auto' chooses on the choose part, which has {n_human:,} records with human and {n_synthetic:,} "
            f"with machine text; {FEWEST} of each are needed. Give it records, as with --split 0.2,0.5,0.3 (in memory: "
            "split=(0.2, 0.5, 0.3)), or name a score",
            fewest,
            FEWEST,
        )
    rows = []
    for score in scores:
        values = machine_like(drawn[score], score)
        point = at_fpr(values[human], values[~human], fpr)
        rows.append(
            {
                "score": score,
                "auroc": auroc_of(drawn, score),
                "tpr": point.true_positives / n_synthetic,
                "n_human": n_human,
                "n_synthetic": n_synthetic,
            }
        )
    return pd.DataFrame(rows).sort_values(["auroc", "tpr"], ascending=False, kind="stable", ignore_index=True)
