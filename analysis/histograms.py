"""Histograms of scores: a panel per combination of the factors other than author, a colour per author."""

import math
from typing import Any, Final

import numpy as np
import pandas as pd

from analysis.canvas import MAX_TITLE, PALETTE, STYLES, Drawing, finish, label_outer, legend, panels, rules
from analysis.cell_averages import Averages
from analysis.cell_factors import grouped_places
from analysis.figure_spec import MAX_PANELS
from analysis.level_labels import LevelLabels, short_names
from analysis.load import SweepRows
from sweeps.printable import middle_out
from sweeps.wording import counted

_MAX_AUTHORS: Final = 7
"""Authors in a histogram: those with most texts."""


@rules()
def draw_scores(sweep: SweepRows, averages: Averages, file_name: str) -> list[Drawing]:
    """Draw the histograms of the Binoculars score by author; no figure if no text has a score.

    Raises:
        ValueError: the scores span more than a float can hold.
    """
    factors = [name for name in averages.factors if name != "author"]
    rows = sweep.ok[[*factors, "author", "score"]]
    scored = rows if rows["score"].notna().all() else rows[rows["score"].notna()]
    every = grouped_places(scored, factors)
    labels = LevelLabels(averages.levels)
    every.sort(key=lambda group: labels.order(factors, group[0]))
    groups = every[:MAX_PANELS]
    if not groups:
        return []
    authors = list(scored["author"].value_counts(dropna=False).index)
    authors = sorted(authors[:_MAX_AUTHORS], key=str)
    names = short_names(authors)
    bins = _edges(scored["score"].to_numpy("float64"))
    figure, axes = panels(len(groups), names)
    handles = []
    values = scored["score"].to_numpy("float64")
    for axis, (key, places) in zip(axes, groups, strict=True):
        title = labels.named(factors, key, "\n").split("\n")
        axis.set_title("\n".join(middle_out(line, MAX_TITLE) for line in title), fontsize=10)
        of_group = scored["author"].iloc[places]
        handles = [
            _draw_author(axis, values[places[_is_of(of_group, author)]], number, bins)
            for number, author in enumerate(authors)
        ]
    label_outer(figure, axes, "Binoculars score", "fragments")
    legend(figure, handles, names, "author")
    caption = f"Scores of {counted(sum(len(places) for _, places in groups), 'fragment')} by author."
    if len(every) > len(groups):
        caption += f" {len(groups)} of {len(every)} panels are drawn; the tables hold all cells."
    return [finish(figure, f"{file_name}-score", caption)]


def _is_of(authors: Any, author: Any) -> Any:
    """Tell which rows are of an author."""
    return (authors.isna() if pd.isna(author) else authors == author).to_numpy(bool)


def _draw_author(axis: Any, scores: Any, number: int, bins: Any) -> Any:
    """Draw one author's scores in a panel. Return the outline, for the legend."""
    counts, _ = np.histogram(scores, bins)
    color, style = PALETTE[number % len(PALETTE)], STYLES[number % len(STYLES)]
    axis.stairs(counts, bins, fill=True, alpha=0.25, color=color)
    return axis.stairs(counts, bins, linewidth=1.6, color=color, ls=style)


def _edges(scores: Any) -> Any:
    """Return the edges of √n bins (10 to 60) from the least to the greatest score."""
    count = min(60, max(10, int(math.sqrt(len(scores)))))
    low, high = float(scores.min()), float(scores.max())
    if not math.isfinite(high - low):
        raise ValueError("the scores span more than a float can hold")
    return np.histogram_bin_edges(scores, bins=count)
