"""ROC curves on a logarithmic axis of the false-positive rate: the side that counts where few may be accused."""

import itertools
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import pandas as pd
from matplotlib.lines import Line2D

from analysis.canvas import MAX_TITLE, PALETTE, STYLES, Drawing, finish, label_outer, legend, panels, rules
from analysis.sections.scores.by_record import record_numbers
from analysis.sections.scores.roc_bands import roc_bands
from analysis.sections.scores.setting import FEWEST_RECORDS
from analysis.sections.scores.wording import listed
from analysis.thresholds.roc import machine_like
from sweeps.printable import middle_out

_MOST_SCORES: Final = 6
_BANDS: Final = 2
"""Curves with a band: the best ones. More bands hide each other."""


_RATES: Final = (0.001, 0.01, 0.05)


@rules()
def roc_figure(curves: Sequence[tuple[str, pd.DataFrame, Sequence[str]]], name: str) -> tuple[Drawing, ...]:
    """Draw a panel for each setting, a curve for each score.

    Args:
        curves: name of the setting, its texts, and its scores, the best first. A setting with fewer than 20 texts of
            either author is left out.
        name: of the figure.
    """
    shown = [curve for curve in curves if _fewest(curve[1]) >= FEWEST_RECORDS]
    if not shown:
        return ()
    scores = list(dict.fromkeys(score for _, _, own in shown for score in own[:_MOST_SCORES]))
    look = dict(zip(scores, itertools.product(STYLES, PALETTE), strict=False))
    figure, axes = panels(len(shown), scores)
    figure.set_figheight(figure.get_figheight() + 1)
    for axis, (title, texts, own) in zip(axes, shown, strict=True):
        _draw(axis, texts, own[:_MOST_SCORES], look)
        if len(shown) > 1:
            axis.set_title(middle_out(title, MAX_TITLE), fontsize=10)
    label_outer(figure, axes, "false-positive rate", "true-positive rate")
    handles = [Line2D([], [], color=look[score][1], linestyle=look[score][0], linewidth=1.8) for score in scores]
    legend(figure, handles, scores, "score")
    caption = (
        "Step ROC of one text of each record and author. A curve begins at 1 / n, the smallest false-positive rate "
        f"that n human texts can show. The bands of the {_BANDS} scores with the highest AUROC: pointwise 95%, records "
        "drawn again."
    )
    if rates := sorted({rate for _, texts, _ in shown for rate in _rates(texts)}):
        caption += f" Dotted lines: {listed([f'{rate:.1%}'.replace('.0%', '%') for rate in rates])}."
    return (finish(figure, name, caption),)


def _draw(axis: Any, texts: pd.DataFrame, scores: Sequence[str], look: dict[str, tuple[str, str]]) -> None:
    human, record = texts["is_human"].to_numpy(bool), record_numbers(texts)
    for place, score in enumerate(scores):
        roc = roc_bands(machine_like(texts[score], score), human, record, with_band=place < _BANDS)
        style, color = look[score]
        axis.step(roc.fpr_G, roc.tpr_G, where="post", color=color, linestyle=style, linewidth=1.8)
        if place < _BANDS:
            axis.fill_between(roc.fpr_G, roc.low_G, roc.high_G, step="post", color=color, alpha=0.15, linewidth=0)
    for rate in _rates(texts):
        axis.axvline(rate, color="#808080", linestyle=":", linewidth=0.8)
    axis.set_xscale("log")
    axis.set_xlim(right=1)
    axis.set_ylim(0, 1.02)
    for formatted in (axis.xaxis, axis.yaxis):
        formatted.set_major_formatter(lambda rate, _: f"{100 * rate:.10g}%")


def _rates(texts: pd.DataFrame) -> list[float]:
    """Return the published false-positive rates that so many human texts can show."""
    return [rate for rate in _RATES if rate * texts["is_human"].sum() >= 1]


def _fewest(texts: pd.DataFrame) -> int:
    human = texts["is_human"].to_numpy(np.bool_)
    return int(min(human.sum(), (~human).sum()))
