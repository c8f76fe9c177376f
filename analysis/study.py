"""Make every section of the published study whose rows are on the page, and name those whose rows are not.

Knows the list of sections. Does not know what a section shows, nor HTML. Invariant: no section can end the report; one
that fails says so in its place.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from analysis.sections.measured_sweep import MeasuredSweep
from analysis.sections.order import SECTIONS
from analysis.sections.section import Content, Notebook, Section

NOT_MADE: Final = "This section could not be made"
"""Begins the one sentence of a section that failed."""


@dataclass(frozen=True)
class Made:
    """A section with its content, once for each sweep that has its rows."""

    section: Section
    contents: tuple[tuple[str, Content], ...]
    """Name of a sweep, and the content from its rows."""


@dataclass(frozen=True)
class NotebookPart:
    """A part of the published study, as far as the page has it."""

    notebook: Notebook
    made: tuple[Made, ...]
    missing: Mapping[str, tuple[str, ...]]
    """Headings of the sections without rows, by the built-in spec that would give these."""


def make_study(sweeps: Sequence[MeasuredSweep], sections: Sequence[Section] = SECTIONS) -> tuple[NotebookPart, ...]:
    """Return the parts of the study of which the page holds something, in the order of the outline."""
    parts = []
    for notebook in Notebook:
        own = [section for section in sections if section.notebook is notebook]
        every = [Made(section, _contents(section, sweeps)) for section in own]
        made = tuple(one for one in every if one.contents)
        missing: dict[str, tuple[str, ...]] = {}
        for one in every:
            if not one.contents:
                missing[one.section.spec] = (*missing.get(one.section.spec, ()), one.section.heading)
        if made:
            parts.append(NotebookPart(notebook, made, missing))
    return tuple(parts)


def fitting(sweep: MeasuredSweep, parts: Sequence[NotebookPart]) -> bool:
    """Tell whether some section with a figure is made from a sweep."""
    contents = (
        content for part in parts for made in part.made for name, content in made.contents if name == sweep.name
    )
    return any(content.drawings for content in contents)


def _contents(section: Section, sweeps: Sequence[MeasuredSweep]) -> tuple[tuple[str, Content], ...]:
    """Return the content of a section from each sweep that has its rows."""
    made = ((sweep.name, _content(section, sweep)) for sweep in sweeps if section.has_rows(sweep))
    return tuple((name, content) for name, content in made if content is not None and not content.is_empty)


def _content(section: Section, sweep: MeasuredSweep) -> Content | None:
    """Return the content of a section; a sentence in its place where it cannot be made."""
    try:
        content = section.make(sweep)
    except Exception as error:  # noqa: BLE001 - rows may hold anything, and one section must not cost the page
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        return Content(sentences=(f"{NOT_MADE} ({reason}); the table of all cells has its rows.",))
    return content and replace(content, sentences=tuple(dict.fromkeys(content.sentences)))
