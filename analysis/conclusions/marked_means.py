"""Mean of each cell for a sentence that tests nothing, with its spread and the reasons to doubt it.

No row is left out: rows measured beside other work, and unsteady cells, are in the mean and are told beside it. Knows
rows and columns. Does not know factors' effects or sentences.
"""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from analysis.cell_statistics import describe
from analysis.marks import reasons_of


def marked_means(rows: pd.DataFrame, factors: Sequence[str], metric: str) -> pd.DataFrame:
    """Return a row for each cell of ok rows with a value of the metric.

    Returns:
        Columns: the factors, mean, n and var (of independent values: where a cell was measured in several rounds, the
        mean of each round is one), doubts (see marks.reasons_of; '' for none).
    """
    ok = rows[(rows["status"] == "ok") & rows[metric].notna()]
    keys: list[Any] = [ok[name] for name in factors] or [pd.Series(0, index=ok.index)]
    place = pd.DataFrame({"place": ok[metric].astype("float64").groupby(keys, dropna=False).ngroup()})["place"]
    values = ok[metric].astype("float64")
    table = describe(values.groupby(place), repeats=True)
    beside = ok["neighbours"].astype("float64").fillna(0) if "neighbours" in ok else values * 0
    table["rows_beside_others"] = (beside > 0).groupby(place).sum().astype(int)
    table["most_neighbours"] = beside.groupby(place).max().astype(int)
    doubts = [reasons_of(cell) for cell in table.to_dict("records")]
    if "round" in ok and ok["round"].nunique() > 1:
        means = values.groupby([place, ok["round"]]).mean()
        independent = means.groupby(level=0).agg(["count", "var"])
        table["n"], table["sd"] = independent["count"], independent["var"] ** 0.5
    first = ~place.duplicated()
    levels = ok.loc[first, list(factors)].set_axis(place[first]).loc[table.index]
    statistics = table[["mean", "n"]].assign(var=table["sd"] ** 2, doubts=doubts)
    together: pd.DataFrame = pd.concat([levels, statistics], axis=1)
    return together.reset_index(drop=True)
