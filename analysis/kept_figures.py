"""Figures kept as matplotlib's, for a caller that shows or changes them, in place of their rendered bytes.

Every figure of the page ends in `canvas.finish`, which renders it. Inside `kept_figures` it is handed over instead.
"""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Final

from matplotlib.figure import Figure


class ShownFigure(Figure):
    """A figure that Jupyter shows as a picture: one made without pyplot is only named there."""

    def _repr_png_(self) -> bytes:
        """Return the figure as Jupyter asks for it."""
        png = io.BytesIO()
        self.savefig(png, format="png")
        return png.getvalue()


@dataclass(frozen=True)
class KeptFigure:
    """A figure that was not rendered."""

    name: str
    """Name of its files in a report, without suffix."""
    caption: str
    figure: Any
    """matplotlib's Figure."""


_KEPT: Final[ContextVar[list[KeptFigure] | None]] = ContextVar("kept", default=None)


@contextmanager
def kept_figures() -> Iterator[list[KeptFigure]]:
    """Collect the figures that are drawn in the block. Their drawings are empty."""
    kept: list[KeptFigure] = []
    token = _KEPT.set(kept)
    try:
        yield kept
    finally:
        _KEPT.reset(token)


def keep(figure: Any, name: str, caption: str) -> bool:
    """Hand a figure over to the caller that collects figures. Return whether there is one."""
    kept = _KEPT.get()
    if kept is None:
        return False
    # what cannot be drawn fails here, as it does for the page; tick labels are made while `canvas.rules` hold
    figure.draw_without_rendering()
    kept.append(KeptFigure(name, caption, figure))
    return True
