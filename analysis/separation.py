"""How well the score tells human from synthetic text: AUC per cell.

Knows rows of scores and which factors tell cells apart. Does not know figures or the page.
"""

from typing import Any, Final

import pandas as pd
from scipy.stats import rankdata

from analysis.averages import Averages, grouped
from analysis.load import Sweep

HUMAN: Final = "human"
SYNTHETIC: Final = "synthetic"


def separation(sweep: Sweep, averages: Averages) -> pd.DataFrame:
    """AUC of the score per cell without its author.

    Columns: the factors but author, auc, n_human, n_synthetic. auc is the probability that a human text
    scores above a synthetic one, ties counting half; null where one of the two is missing. Texts of any other
    author, or of none, enter nothing.
    """
    factors = [name for name in averages.factors if name != "author"]
    rows = sweep.ok[[*factors, "author", "score"]]
    scored = rows[rows["score"].notna() & rows["author"].isin((HUMAN, SYNTHETIC))]
    records = [
        dict(zip(factors, key, strict=True)) | _auc((group["author"] == HUMAN).to_numpy(bool), group["score"])
        for key, group in grouped(scored, factors)
    ]
    return pd.DataFrame(records, columns=[*factors, "auc", "n_human", "n_synthetic"])


def _auc(is_human: Any, score: Any) -> dict[str, Any]:
    """The Mann-Whitney statistic over the number of pairs."""
    n_human, n_synthetic = int(is_human.sum()), int((~is_human).sum())
    if not n_human or not n_synthetic:
        return {"auc": None, "n_human": n_human, "n_synthetic": n_synthetic}
    ranks = rankdata(score.to_numpy("float64"))[is_human].sum()
    above = ranks - n_human * (n_human + 1) / 2
    return {"auc": float(above / n_human / n_synthetic), "n_human": n_human, "n_synthetic": n_synthetic}
