"""Figures of a calibration: rates held out beside the promise, and the reliability of the probability."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import pandas as pd

from analysis.canvas import PALETTE, Drawing, finish, panels, rules
from analysis.sections.scores.threshold_tables import group_name
from analysis.thresholds.asked import percent
from scoring.calibration import Calibration
from scoring.calibration_tables import HeldOut

_FEWEST: Final = 20
"""Texts of a bin of the probability below which the bin is drawn hollow."""


@rules()
def held_out_figures(calibration: Calibration, name: str) -> tuple[Drawing, ...]:
    """Draw the false-positive and the true-positive rate of each group on the report part, with exact intervals."""
    items = calibration.held_out
    drawings = []
    for kind, title, color in (("fpr", "false-positive rate", PALETTE[0]), ("tpr", "true-positive rate", PALETTE[1])):
        if not any(getattr(item, kind) is not None for item in items):
            continue
        figure, (axis,) = panels(1, [], [group_name(item) for item in items])
        _draw_rates(axis, items, kind, color)
        axis.set_ylabel(f"{title}, held out")
        caption = f"The {title} on records held out, by length group, with exact 95% intervals."
        if kind == "fpr" and calibration.promise is not None:
            axis.axhline(calibration.promise.fpr, color=PALETTE[6], linestyle="--", linewidth=1.4)
            caption += f" Dashed: the promise, at most {percent(calibration.promise.fpr)}."
        drawings.append(finish(figure, f"{name}-{kind}", caption))
    return tuple(drawings)


@rules()
def reliability_figure(table: pd.DataFrame, name: str) -> tuple[Drawing, ...]:
    """Draw how often texts of about one probability are synthetic. None where the table has no bin with texts."""
    if table.empty or not table["observed"].notna().any():
        return ()
    known = table[table["observed"].notna()]
    figure, (axis,) = panels(1, [])
    axis.plot([0, 1], [0, 1], color="#808080", linestyle="--", linewidth=1)
    axis.plot(known["predicted"], known["observed"], color=PALETTE[0], linewidth=1.2)
    many = (known["n_human"] + known["n_synthetic"] >= _FEWEST).to_numpy(bool)
    for chosen, fill in ((many, PALETTE[0]), (~many, "white")):
        part = known[chosen]
        axis.plot(part["predicted"], part["observed"], "o", color=PALETTE[0], markerfacecolor=fill, markersize=7)
    axis.set_xlabel("predicted probability of synthetic text")
    axis.set_ylabel("share that is synthetic text")
    caption = (
        "Reliability of the probability on the report part, at the prior of the calibration; on the dashed line it is "
        f"right. Hollow: bins of fewer than {_FEWEST} texts."
    )
    return (finish(figure, name, caption),)


def _draw_rates(axis: Any, items: Sequence[HeldOut], kind: str, color: str) -> None:
    rates, lows, highs = (
        np.array([getattr(item, kind + end) for item in items], np.float64) for end in ("", "_low", "_high")
    )
    places = np.arange(len(items))
    axis.errorbar(places, rates, [rates - lows, highs - rates], fmt="o", color=color, capsize=4, linewidth=1.6)
    axis.set_xticks(places, [group_name(item) for item in items], rotation=30, ha="right")
    axis.set_xlim(-0.6, len(items) - 0.4)
    top = float(np.nanmax(highs))
    axis.set_ylim(-0.02 * top, 1.06 * top)
    axis.yaxis.set_major_formatter(lambda rate, _: f"{100 * rate:.10g}%")
