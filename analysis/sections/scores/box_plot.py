"""Box plot of a score: a line for each setting, a box for each author, with some of the texts as points."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from analysis.canvas import PALETTE, Drawing, finish, legend, panels, rules
from analysis.column_titles import capital, title_of
from analysis.sections.scores.scored import thinned, thinned_note
from analysis.sections.scores.setting import AUTHORS, Setting

MAX_SETTINGS: Final = 30
_MOST_POINTS: Final = 500
_HALF: Final = 0.17
"""Half the height of a box; a line is 1 high."""


@rules()
def box_plot(settings: Sequence[Setting], score: str, name: str) -> tuple[Drawing, ...]:
    """Draw the box plot: quartiles, and whiskers to the last text within 1.5 times their distance."""
    shown = settings[:MAX_SETTINGS]
    if not shown:
        return ()
    figure, (axis,) = panels(1, AUTHORS)
    figure.set_size_inches(9, 0.62 * len(shown) + 1.2)
    most = max(10, _MOST_POINTS // (2 * len(shown)))
    random = np.random.default_rng(0)
    drawn = sum(_draw_setting(axis, setting, score, place, most, random) for place, setting in enumerate(shown))
    axis.set_yticks(range(len(shown)), [setting.name for setting in shown])
    axis.set_ylim(len(shown) - 0.4, -0.6)
    axis.grid(axis="x", color="#d9d9d9", linewidth=0.8)
    axis.grid(visible=False, axis="y")
    axis.set_xlabel(title_of(score))
    boxes = [axis.plot([], [], color=PALETTE[number], linewidth=6, alpha=0.5)[0] for number in range(2)]
    legend(figure, boxes, AUTHORS, "author")
    caption = (
        f"{capital(title_of(score))} by pair and author: quartiles, with whiskers to the last text within 1.5 times "
        "their distance. " + thinned_note(drawn, sum(len(setting.rows) for setting in shown))
    )
    if len(shown) < len(settings):
        caption += f" {len(shown)} of {len(settings)} pairs are drawn; the table has all."
    return (finish(figure, name, caption),)


def _draw_setting(axis: Any, setting: Setting, score: str, place: int, most: int, random: Any) -> int:
    """Draw the boxes of a setting. Return the number of points."""
    points = thinned(setting.rows, most)
    for number, is_human in enumerate((True, False)):
        values = setting.rows.loc[setting.rows["is_human"] == is_human, score].to_numpy(np.float64)
        if not len(values):
            continue
        at, color = place + (2 * number - 1) * (_HALF + 0.03), PALETTE[number]
        chosen = points.loc[points["is_human"] == is_human, score].to_numpy(np.float64)
        spread = random.uniform(-_HALF, _HALF, len(chosen)) * 0.9
        axis.plot(chosen, at + spread, ".", color=color, alpha=0.35, markersize=3, markeredgewidth=0, zorder=2)
        line = {"color": color, "linewidth": 1.4}
        axis.bxp(
            [_box(values)],
            positions=[at],
            widths=2 * _HALF,
            orientation="horizontal",
            manage_ticks=False,
            showfliers=False,
            boxprops=line,
            whiskerprops=line,
            capprops=line,
            medianprops=line | {"linewidth": 2.4},
            zorder=3,
        )
    return len(points)


def _box(values: Any) -> dict[str, Any]:
    """Return quartiles and whiskers of some values."""
    low, middle, high = np.quantile(values, [0.25, 0.5, 0.75])
    reach = 1.5 * (high - low)
    whiskers = values[(values >= low - reach) & (values <= high + reach)]
    return {"q1": low, "med": middle, "q3": high, "whislo": whiskers.min(), "whishi": whiskers.max(), "fliers": []}
