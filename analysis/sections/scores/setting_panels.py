"""A figure with a panel for each setting, in which both authors are drawn in the same colours everywhere."""

from collections.abc import Callable, Sequence
from typing import Any, Final

from matplotlib.lines import Line2D

from analysis.canvas import MAX_TITLE, PALETTE, Drawing, finish, label_outer, legend, panels, rules
from analysis.sections.scores.setting import AUTHORS, Setting
from sweeps.printable import middle_out

MAX_SETTINGS: Final = 6
"""Settings that a figure has panels for."""
MOST_POINTS: Final = 600
"""Points of a figure, over all panels and both authors: an SVG of more makes the page heavy."""


@rules()
def draw_settings(
    settings: Sequence[Setting],
    draw: Callable[[Any, Setting], None],
    *,
    x: str,
    y: str,
    name: str,
    caption: str,
) -> tuple[Drawing, ...]:
    """Return the figure; none where there are no settings.

    Args:
        settings: of which the first six are drawn.
        draw: draws a setting into a panel.
        x: title of the x axis.
        y: title of the y axis.
        name: of the figure.
        caption: of the figure.
    """
    shown = settings[:MAX_SETTINGS]
    if not shown:
        return ()
    figure, axes = panels(len(shown), AUTHORS)
    for axis, setting in zip(axes, shown, strict=True):
        draw(axis, setting)
        if len(settings) > 1:
            axis.set_title(middle_out(setting.name, MAX_TITLE), fontsize=10)
    label_outer(figure, axes, x, y)
    legend(figure, [Line2D([], [], color=color, linewidth=2) for color in PALETTE[:2]], AUTHORS, "author")
    if len(shown) < len(settings):
        caption += f" {len(shown)} of {len(settings)} pairs are drawn."
    return (finish(figure, name, caption),)


def points_of_each(settings: Sequence[Setting]) -> int:
    """Return the number of points of one author in one panel."""
    return MOST_POINTS // (2 * max(1, min(len(settings), MAX_SETTINGS)))
