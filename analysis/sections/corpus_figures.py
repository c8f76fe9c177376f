"""Figures of a corpus: histograms by author, the scatter of lengths by record, and the composition.

Knows the frames of analysis.corpus_statistics and matplotlib. Does not know records.
"""

from typing import Any, Final

import pandas as pd
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

from analysis.canvas import PALETTE, STYLES, Drawing, finish, label_outer, legend, panels, rules
from analysis.corpus_statistics.record_lengths import AUTHORS

_POINT_AREA: Final = 9


@rules()
def draw_by_author(bins: pd.DataFrame, edges: tuple[str, str], count: str, x: str, name: str, caption: str) -> Drawing:
    """Draw a histogram with a line for each author, and logarithmic counts.

    Args:
        bins: author, the two columns of `edges`, and the column `count`.
        edges: columns of the lower and the upper edge.
        count: column of the counts, which is also the title of the y axis.
        x: title of the x axis, which is logarithmic where it is of words.
        name: of the figure's files.
        caption: of the figure.
    """
    authors = [author for author in AUTHORS if (bins["author"] == author).any()]
    figure, axes = panels(1, authors)
    handles = [_outline(axes[0], bins[bins["author"] == author], edges, count, author) for author in authors]
    axes[0].set_yscale("symlog", linthresh=1)
    axes[0].set_ylim(bottom=0)
    _write_whole_numbers(axes[0].yaxis)
    if edges[0] == "words_from":
        axes[0].set_xscale("log")
        _mark_decades(axes[0].xaxis)
    label_outer(figure, axes, x, count)
    legend(figure, handles, authors, "author")
    return finish(figure, name, caption)


def _outline(axis: Any, own: pd.DataFrame, edges: tuple[str, str], count: str, author: str) -> Any:
    color, style = PALETTE[AUTHORS.index(author)], STYLES[AUTHORS.index(author)]
    every = [*own[edges[0]], own[edges[1]].iloc[-1]]
    return axis.stairs(own[count].to_numpy(), every, linewidth=1.6, color=color, ls=style)


@rules()
def draw_pairs(points: pd.DataFrame, name: str, caption: str) -> Drawing:
    """Draw a point a record: words by humans along x, synthetic words along y, both logarithmic."""
    figure, axes = panels(1, [])
    axes[0].scatter(points["human_words"], points["synthetic_words"], s=_POINT_AREA, alpha=0.5, color=PALETTE[0])
    axes[0].set_xscale("log")
    axes[0].set_yscale("log")
    _mark_decades(axes[0].xaxis)
    _mark_decades(axes[0].yaxis)
    label_outer(figure, axes, "words by humans", "synthetic words")
    return finish(figure, name, caption)


@rules()
def draw_composition(bins: pd.DataFrame, name: str, caption: str) -> Drawing:
    """Draw the histogram of the human fraction of the records."""
    figure, axes = panels(1, [])
    edges = [*bins["fraction_from"], bins["fraction_to"].iloc[-1]]
    axes[0].stairs(bins["records"].to_numpy(), edges, fill=True, color=PALETTE[0])
    label_outer(figure, axes, "human fraction of words", "records")
    return finish(figure, name, caption)


def _mark_decades(axis: Any) -> None:
    """Mark 1, 2 and 5 of each decade: lengths of texts often span less than one decade."""
    axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    _write_whole_numbers(axis)


def _write_whole_numbers(axis: Any) -> None:
    """Write ticks as numbers: matplotlib's own powers are mathematics, which figures of the page do not have."""
    axis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    axis.set_minor_formatter(NullFormatter())
