"""The page: its parts in their order, and their HTML.

Knows the order of a page and HTML. Does not know how values are computed (cell_averages.py, failures.py), drawn
(plots.py), written as text (tables.py, column_titles.py) or saved (report.py).
"""

import base64
import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import jinja2
from markupsafe import Markup, escape

from analysis.canvas import Drawing
from analysis.cell_statistics import FEWEST, RANGE_LIMIT, SD_LIMIT
from analysis.comparison.page_part import ComparedPart
from analysis.in_short import InShort
from analysis.inline_svg import SvgInliner
from analysis.marks import MARK, TOO_FEW
from analysis.meanings import Meanings
from analysis.progress import REHEARSED, TINY, Progress, RunProgress, StatusCount
from analysis.study import NotebookPart
from analysis.surroundings import Environment
from analysis.tables import Table
from sweeps.printable import printable
from sweeps.wording import UNKNOWN_WRITER, counted

TEMPLATES: Final = Path(__file__).parent / "templates"


@dataclass(frozen=True)
class SweepPart:
    """Part of the page for one sweep: all its cells, what failed, and its spec."""

    name: str
    benchmark: str
    statuses: tuple[StatusCount, ...]
    progress: Progress
    replaced: int
    """Number of rows of failed attempts that a later attempt replaces."""
    constants: tuple[tuple[str, str], ...]
    """Column titles with the level that is the same in every ok row."""
    notes: tuple[str, ...]
    tables: tuple[Table, ...]
    """First the table of all cells; empty where nothing was measured."""
    drawings: tuple[Drawing, ...]
    failures: Table | None
    inputs: Any
    spec: str


@dataclass(frozen=True)
class Page:
    """Everything that the page shows."""

    title: str
    runs: tuple[RunProgress, ...]
    progress: Progress
    statuses: tuple[StatusCount, ...]
    remarks: tuple[str, ...]
    """Problems in the files that the page was made from."""
    span: tuple[str, str, str] | None
    """First start, last end, and the time between them."""
    compared: ComparedPart | None
    """The comparison with another run, where one was asked for."""
    conclusions: InShort
    study: tuple[NotebookPart, ...]
    sweeps: tuple[SweepPart, ...]
    environments: tuple[Environment, ...]
    meanings: Meanings

    @property
    def rehearsals(self) -> tuple[str, ...]:
        """Return a sentence on each run that is a rehearsal, or of tiny models alone."""
        said = ((run.name, REHEARSED if run.is_rehearsal else TINY) for run in self.runs if run.is_tiny)
        return tuple(f"{name}: {sentence}" if len(self.runs) > 1 else sentence for name, sentence in said)

    @property
    def is_measured(self) -> bool:
        """Tell whether any row holds a measurement."""
        return any(count.status == "ok" for count in self.statuses)


def render(page: Page) -> str:
    """Return the page as HTML. All text that comes from rows is escaped: error messages may hold HTML."""
    inliner = SvgInliner()
    script = (TEMPLATES / "report.js").read_text(encoding="utf-8").strip()
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_finalize,
    )
    environment.filters |= {"link": _link, "with_code": _with_code, "with_doubt": _with_doubt, "counted": counted}
    environment.globals |= {
        "svg": lambda drawing: inliner.inline(drawing.svg, drawing.caption),
        "unknown_writer": UNKNOWN_WRITER,
        "meaning": _meaning_of(page.meanings.anchors),
    }
    shown_first: set[int] = set()
    text_places: set[int] = set()
    environment.globals |= {"shows_first": shown_first.add, "holds_text": text_places.add}
    body = environment.get_template("body.html").render(
        page=page,
        mark=MARK,
        too_few=TOO_FEW,
        fewest=FEWEST,
        sd_limit=SD_LIMIT,
        range_limit=RANGE_LIMIT,
    )
    return environment.get_template("report.html").render(
        title=page.title,
        body=Markup(body),  # noqa: S704 - escaped by the template above
        svg_css=inliner.css(),
        shown_first=sorted(shown_first),
        text_places=sorted(text_places),
        script=Markup(script),  # noqa: S704 - our own file
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
    )


def _finalize(value: Any) -> Any:
    """Escape the control characters of a value. Markup is kept: it was made of values that were escaped before."""
    return value if isinstance(value, Markup) else printable(str(value), keep="\n\t")


def _link(path: str) -> str:
    """Return a relative path as a link; the name of a sweep may hold any characters."""
    return quote(os.fsencode(path))


def _with_code(sentence: str) -> Markup:
    """Return a sentence with commands, which stand between backticks, as code. Everything is escaped first."""
    parts = [escape(_finalize(part)) for part in sentence.split("`")]
    if len(parts) % 2 == 0:
        return escape(_finalize(sentence))
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if number % 2 else part for number, part in enumerate(parts)
    )


def _with_doubt(cell: str) -> Markup:
    """Return a cell with the reasons to doubt its number below the number, so that numbers stand under numbers."""
    value, mark, reasons = cell.partition(f" {MARK}")
    if not mark:
        return escape(_finalize(cell))
    return escape(_finalize(value)) + Markup(' <div class="doubt">{}</div>').format(_finalize(MARK + reasons))


def _meaning_of(anchors: Mapping[str, str]) -> Any:
    """Return a function from a table and the number of a column to the id where the column is explained, or ''."""

    def meaning(columns: Sequence[str], index: int) -> str:
        return anchors.get(columns[index], "") if index < len(columns) else ""

    return meaning
