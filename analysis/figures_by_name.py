"""Figures of a sweep by name, and the sections of the published study that are of a sweep, for notebooks.

Knows the sections and the general figure. Computes no statistics. Does not know the page.
"""

import base64
import html
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import pandas as pd

from analysis.assembly import drawn
from analysis.figure_spec import choose_figure
from analysis.kept_figures import KeptFigure, kept_figures
from analysis.sections.measured_sweep import MeasuredSweep
from analysis.sections.section import Content
from analysis.study import NOT_MADE, make_study
from analysis.tables import Table
from sweeps.errors import UserError


class Figures(dict[str, Any]):
    """matplotlib figures by name. As the last line of a cell, Jupyter shows each with its name and caption."""

    def __init__(self, kept: Iterable[KeptFigure] = (), notes: Iterable[str] = ()) -> None:
        """Take the figures.

        Args:
            kept: figures in the order of the page.
            notes: sentences on figures that could not be drawn.
        """
        every = [*kept]
        super().__init__({one.name: one.figure for one in every})
        self.captions = {one.name: one.caption for one in every}
        """Caption by name."""
        self.notes = tuple(notes)
        """Sentences on figures that could not be drawn, and on cells that are not drawn."""

    def _repr_html_(self) -> str:
        """Return the figures as Jupyter asks for them."""
        shown = [_as_html(name, figure, self.captions.get(name, "")) for name, figure in self.items()]
        return "\n".join([*shown, *(f"<p>{html.escape(note)}</p>" for note in self.notes)]) or "<p>no figures</p>"


@dataclass(frozen=True)
class SectionContent:
    """A section of the published study, made from the rows of one sweep."""

    heading: str
    """Number and title, as '§ 1.2 LLaMA3 loading rate'."""
    sentences: tuple[str, ...]
    """Conclusions and remarks."""
    figures: Figures
    tables: dict[str, pd.DataFrame]
    """Tables as the page has them, by title. Every value is text."""
    frames: dict[str, pd.DataFrame]
    """Frames of numbers behind the figures and tables, by the name of their file in `report/tables`."""


def section_contents(sweep: MeasuredSweep) -> tuple[SectionContent, ...]:
    """Return the sections that the rows of a sweep give, in the order of the outline."""
    with kept_figures() as kept:
        study = make_study([sweep])
    by_name = {one.name: one for one in kept}
    return tuple(
        _section_content(made.section.heading, content, by_name)
        for part in study
        for made in part.made
        for _, content in made.contents
    )


def sweep_figures(sweep: MeasuredSweep) -> Figures:
    """Return the figures of a sweep: those of its sections; for a sweep without sections with figures, the general one.

    Raises:
        UserError: the general figure cannot be drawn.
    """
    sections = section_contents(sweep)
    kept = [
        KeptFigure(name, f"{section.heading}. {section.figures.captions[name]}", figure)
        for section in sections
        for name, figure in section.figures.items()
    ]
    if kept:
        return Figures(kept, [f"{section.heading}: {said}" for section in sections for said in _failure(section)])
    return _general_figures(sweep)


def _failure(section: SectionContent) -> tuple[str, ...]:
    """Return the sentence of a section that could not be made."""
    return tuple(said for said in section.sentences if said.startswith(NOT_MADE))


def _general_figures(sweep: MeasuredSweep) -> Figures:
    """Return the figures of a sweep that fits no section."""
    chosen = choose_figure(sweep.averages, sweep.rows.description.figure)
    with kept_figures() as kept:
        _, failed = drawn(sweep, chosen)
    if failed:
        raise UserError(f"{sweep.name}: {' '.join(failed)}")
    return Figures(kept, chosen.notes if chosen else [f"{sweep.name}: no row holds a measurement to draw"])


def _section_content(heading: str, content: Content, kept: dict[str, KeptFigure]) -> SectionContent:
    return SectionContent(
        heading=heading,
        sentences=content.sentences,
        figures=Figures(kept[drawing.name] for drawing in content.drawings),
        tables={table.title: _as_texts(table) for table in content.tables},
        frames=dict(content.files),
    )


def _as_texts(table: Table) -> pd.DataFrame:
    """Return a table of the page as a frame of texts."""
    return pd.DataFrame([*table.rows], columns=[*table.headers], dtype="str")


def _as_html(name: str, figure: Any, caption: str) -> str:
    """Return a figure with its caption. The picture is part of the HTML."""
    data = base64.b64encode(figure._repr_png_()).decode()
    return (
        f'<figure><img alt="{html.escape(name)}" src="data:image/png;base64,{data}">'
        f"<figcaption><code>{html.escape(name)}</code> {html.escape(caption)}</figcaption></figure>"
    )
