"""What every figure has: colours, panels, labels, a legend, and its bytes in the end.

Knows matplotlib. Does not know averages, columns or files: a figure is its SVG and PNG bytes.
"""

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import matplotlib
from matplotlib.container import ErrorbarContainer
from matplotlib.figure import Figure

PALETTE: Final = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Okabe and Ito (2008), told apart by colour-blind readers; their yellow is too pale for lines on white."""
STYLES: Final = ("-", "--", ":")
_COLUMNS: Final = 3
_PNG_DPI: Final = 160


@dataclass(frozen=True)
class Drawing:
    """One figure."""

    name: str
    caption: str
    svg: bytes
    png: bytes


def panels(count: int, legend_lines: int) -> tuple[Any, list[Any]]:
    """A figure with that many panels of one y axis, tall enough for its legend."""
    columns = min(count, _COLUMNS)
    lines = math.ceil(count / columns)
    width = 5.6 if count == 1 else 3.5 * columns
    height = max(3.3 * lines + 0.3, 0.24 * legend_lines + 0.8)
    figure = Figure(figsize=(width + 1.6, height), layout="constrained", facecolor="white")
    axes = list(figure.subplots(lines, columns, sharey=True, squeeze=False).flat)
    for axis in axes:
        axis.grid(axis="y", color="#d9d9d9", linewidth=0.8)
        axis.set_axisbelow(True)
        axis.spines[["top", "right"]].set_visible(False)
    for axis in axes[count:]:
        axis.remove()
    return figure, axes[:count]


def label_outer(figure: Any, axes: Sequence[Any], x: str, y: str) -> None:
    """Title both axes once, however many panels there are."""
    if len(axes) == 1:
        axes[0].set_xlabel(x)
        axes[0].set_ylabel(y)
    else:
        figure.supxlabel(x, fontsize=10)
        figure.supylabel(y, fontsize=10)


def legend(figure: Any, axes: Sequence[Any], title: str) -> None:
    """One legend beside all panels, of what the first holds."""
    handles, labels = axes[0].get_legend_handles_labels()
    plain = [handle[0] if isinstance(handle, ErrorbarContainer) else handle for handle in handles]
    figure.legend(plain, labels, title=title, loc="outside right upper", frameon=False, alignment="left")


def finish(figure: Any, name: str, caption: str) -> Drawing:
    """Render twice, without date or random ids, so that the same rows give the same bytes."""
    svg, png = io.BytesIO(), io.BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": name, "svg.fonttype": "path"}):
        figure.savefig(svg, format="svg", metadata={"Date": None})
        figure.savefig(png, format="png", dpi=_PNG_DPI)
    return Drawing(name, caption, svg.getvalue(), png.getvalue())
