"""Parts that all figures share: colours, panels, axis titles, legend, and rendering to bytes.

Knows matplotlib and fonts. Does not know averages, columns or files: a drawing is SVG and PNG bytes.
"""

import io
import math
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import matplotlib
from matplotlib import font_manager
from matplotlib.container import ErrorbarContainer
from matplotlib.text import Text
from matplotlib.ticker import FixedFormatter
from rich.cells import cell_len

from analysis.kept_figures import ShownFigure, keep
from sweeps.printable import middle_out

PALETTE: Final = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Colours of Okabe and Ito (2008), which colour-blind readers can tell apart. Their yellow is left out: it is too pale
for lines on white."""
STYLES: Final = ("-", "--", ":")
MAX_LEGEND: Final = 60
"""Characters of a label in the legend."""
MAX_TITLE: Final = 44
"""Characters of a panel's title."""
ESCAPED: Final = "In the PNG, characters that no font of this machine has are code points, as \\u65b0."
_COLUMNS: Final = 3
_MAX_WIDTH_IN: Final = 15.0
"""Widest figure. Wider panels get fewer columns."""
_PANEL_IN: Final = 3.0
_CROWDED_PANEL_IN: Final = 4.4
"""Heights of a panel: of few series, and of so many that their lines would lie close together."""
_FEW_SERIES: Final = 5
_CHARACTER_IN: Final = 0.09
_PNG_DPI: Final = 160
_MAX_PNG_PIXELS: Final = 20e6
_FONTS: Final = (
    "Noto Sans CJK SC",
    "Noto Sans CJK JP",
    "Source Han Sans SC",
    "WenQuanYi Zen Hei",
    "WenQuanYi Micro Hei",
    "Droid Sans Fallback",
    "Microsoft YaHei",
    "PingFang SC",
    "Hiragino Sans",
    "Malgun Gothic",
    "Noto Sans Arabic",
    "Noto Naskh Arabic",
    "Noto Sans Hebrew",
    "Noto Sans Devanagari",
    "Noto Emoji",
    "Segoe UI Symbol",
    "Arial Unicode MS",
    "Unifont",
)
"""Fonts for characters that matplotlib's own font lacks, tried in this order."""


@dataclass(frozen=True)
class Drawing:
    """A rendered figure."""

    name: str
    """Name of its files, without suffix."""
    caption: str
    svg: bytes
    png: bytes


@contextmanager
def rules() -> Iterator[None]:
    """Set matplotlib up for the block in which a figure is made and rendered.

    A `$` in a name is a dollar sign, not mathematics. The SVG holds names as text.
    """
    fonts = ["sans-serif", *_fonts()]
    with matplotlib.rc_context({"text.parse_math": False, "font.family": fonts, "svg.fonttype": "none"}):
        yield


def panels(count: int, labels: Sequence[str], names: Sequence[str] = ()) -> tuple[Any, list[Any]]:
    """Return a figure and its panels, which share a y axis.

    Args:
        count: number of panels.
        labels: of the legend, which must have room beside the panels.
        names: along the x axis, which must have room below each panel.
    """
    wide = max(3.5 if count > 1 else 5.6, 0.2 * len(names))
    columns = max(1, min(count, 2 if count == 4 else _COLUMNS, int(_MAX_WIDTH_IN / wide)))
    lines = math.ceil(count / columns)
    beside = 0.9 + _CHARACTER_IN * max((cell_len(_escaped(label)) for label in labels), default=0)
    below = _CHARACTER_IN * max((cell_len(_escaped(name)) for name in names), default=0)
    high = _PANEL_IN if len(labels) <= _FEW_SERIES else _CROWDED_PANEL_IN
    height = max((high + below) * lines + 0.6, 0.24 * len(labels) + 0.8)
    figure = ShownFigure(figsize=(wide * columns + beside, height), layout="constrained", facecolor="white")
    axes = list(figure.subplots(lines, columns, sharey=True, squeeze=False).flat)
    for axis in axes:
        axis.grid(axis="y", color="#d9d9d9", linewidth=0.8)
        axis.set_axisbelow(True)
        axis.spines[["top", "right"]].set_visible(False)
    for axis in axes[count:]:
        axis.remove()
    return figure, axes[:count]


def label_outer(figure: Any, axes: Sequence[Any], x: str, y: str) -> None:
    """Write the title of each axis once, for all panels together."""
    if len(axes) == 1:
        axes[0].set_xlabel(x)
        axes[0].set_ylabel(y)
    else:
        figure.supxlabel(x, fontsize=10)
        figure.supylabel(y, fontsize=10)


def legend(figure: Any, handles: Sequence[Any], labels: Sequence[str], title: str) -> None:
    """Draw one legend beside all panels."""
    plain = [handle[0] if isinstance(handle, ErrorbarContainer) else handle for handle in handles]
    numbers = [str(number) for number in range(len(plain))]  # matplotlib drops labels that begin with '_'
    made = figure.legend(plain, numbers, title=title, loc="outside right upper", frameon=False, alignment="left")
    for text, label in zip(made.get_texts(), labels, strict=True):
        text.set_text(label)


def finish(figure: Any, name: str, caption: str) -> Drawing:
    """Render a figure as SVG and PNG, without date or random ids: the same rows give the same bytes.

    The SVG holds names as text, so that the reader's fonts draw them. The PNG is drawn with the fonts of this machine:
    a character that none of them has is written as its code point, and the caption says so.
    A figure that a caller collects (kept_figures.py) is not rendered, and has such code points in any format.
    """
    svg, png = io.BytesIO(), io.BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": "report"}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        if keep(figure, name, caption):
            _escape_unknown(figure)
            return Drawing(name, caption, b"", b"")
        figure.savefig(svg, format="svg", metadata={"Date": None})
    figure.set_layout_engine("none")  # places are shares of the figure: found once, they hold in every format
    if _escape_unknown(figure):
        caption = f"{caption} {ESCAPED}"
    dpi = min(_PNG_DPI, math.sqrt(_MAX_PNG_PIXELS / math.prod(figure.get_size_inches())))
    figure.savefig(png, format="png", dpi=dpi)
    return Drawing(name, caption, svg.getvalue(), png.getvalue())


def _escape_unknown(figure: Any) -> bool:
    """Replace characters that no font has, in every text and tick label. Return whether there were any."""
    texts = [text for text in figure.findobj(Text) if _escaped(text.get_text()) != text.get_text()]
    for text in texts:
        text.set_text(_escaped(text.get_text()))
    for axis in figure.axes:
        formatter = axis.xaxis.get_major_formatter()
        if isinstance(formatter, FixedFormatter):
            formatter.seq = [_escaped(name) for name in formatter.seq]
    return bool(texts)


def _escaped(text: str) -> str:
    """Return a text with code points for characters that no font has, each line cut to MAX_LEGEND characters."""
    known = _characters()
    if all(ord(character) in known or character == "\n" for character in text):
        return text
    lines = (
        "".join(c if ord(c) in known else c.encode("unicode_escape").decode() for c in line)
        for line in text.split("\n")
    )
    return "\n".join(middle_out(line, MAX_LEGEND) for line in lines)


@cache
def _fonts() -> tuple[str, ...]:
    """Return the fonts of _FONTS that this machine has."""
    here = {entry.name for entry in font_manager.fontManager.ttflist}
    return tuple(name for name in _FONTS if name in here)


@cache
def _characters() -> frozenset[int]:
    """Return the code points that some font in use has."""
    names = (font_manager.FontProperties(family=[name]) for name in ("sans-serif", *_fonts()))
    known: set[int] = set()
    for name in names:
        known |= set(font_manager.get_font(font_manager.findfont(name)).get_charmap())
    return frozenset(known)
