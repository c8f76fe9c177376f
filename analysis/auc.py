"""AUC per cell: how well the score tells human from synthetic text.

Knows rows of scores and the factors that tell cells apart. Does not know figures or the page.
"""

from typing import Any, Final

import pandas as pd
from scipy.stats import rankdata

from analysis.cell_averages import Averages
from analysis.cell_factors import grouped
from analysis.load import SweepRows

HUMAN: Final = "human"
SYNTHETIC: Final = "synthetic"


def auc_by_cell(sweep: SweepRows, averages: Averages) -> pd.DataFrame:
    """Return the AUC of the score, a row per combination of the factors other than author.

    The AUC is the probability that a human text scores above a synthetic one; a tie counts half. Texts without a score,
    and texts of no author or of another author, are left out.

    Returns:
        Columns: the factors other than author, auc, n_human, n_synthetic. auc is null where a cell has no human or no
        synthetic text.
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
    """Return the Mann-Whitney U statistic (ties as mean ranks) over the number of pairs, and both counts."""
    n_human, n_synthetic = int(is_human.sum()), int((~is_human).sum())
    if not n_human or not n_synthetic:
        return {"auc": None, "n_human": n_human, "n_synthetic": n_synthetic}
    ranks = rankdata(score.to_numpy("float64"))[is_human].sum()
    above = ranks - n_human * (n_human + 1) / 2
    return {"auc": float(above / n_human / n_synthetic), "n_human": n_human, "n_synthetic": n_synthetic}
