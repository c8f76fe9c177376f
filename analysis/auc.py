"""AUROC per cell: how well the score tells human from synthetic text.

Knows rows of scores and the factors that tell cells apart. Does not know figures or the page.
"""

from typing import Any, Final

import numpy as np
import pandas as pd

from analysis.cell_averages import Averages
from analysis.cell_factors import grouped_places
from analysis.load import SweepRows
from analysis.thresholds.shares_beyond import others_below

HUMAN: Final = "human"
SYNTHETIC: Final = "synthetic"


def auc_by_cell(sweep: SweepRows, averages: Averages) -> pd.DataFrame:
    """Return the AUROC of the score, a row per combination of the factors other than author.

    The AUROC is the probability that a human text scores above a synthetic one; a tie counts half. Texts without a
    score, and texts of no author or of another author, are left out.

    Returns:
        Columns: the factors other than author, auc, n_human, n_synthetic. auc is null where a cell has no human or no
        synthetic text.
    """
    factors = [name for name in averages.factors if name != "author"]
    ok = sweep.ok
    places = np.flatnonzero(ok["score"].notna() & ok["author"].isin((HUMAN, SYNTHETIC)))
    scored = ok[[*factors, "author", "score"]]
    scored = scored if len(places) == len(ok) else scored.iloc[places]
    is_human, score = (scored["author"] == HUMAN).to_numpy(bool), scored["score"].to_numpy("float64")
    records = [
        dict(zip(factors, key, strict=True)) | _auc(is_human[inside], score[inside])
        for key, inside in grouped_places(scored, factors)
    ]
    return pd.DataFrame(records, columns=[*factors, "auc", "n_human", "n_synthetic"])


def _auc(is_human: Any, score: Any) -> dict[str, Any]:
    """Return the Mann-Whitney U statistic (a tie counts half) over the number of pairs, and both counts."""
    n_human, n_synthetic = int(is_human.sum()), int((~is_human).sum())
    if not n_human or not n_synthetic:
        return {"auc": None, "n_human": n_human, "n_synthetic": n_synthetic}
    above = others_below(score, is_human)[is_human].sum()
    return {"auc": float(above / n_human / n_synthetic), "n_human": n_human, "n_synthetic": n_synthetic}
