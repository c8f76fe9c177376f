"""The page of a run: its sections, and their HTML.

Knows the order of a page and HTML. Does not know how values are computed (averages.py, failures.py), drawn (plots.py),
written as text (tables.py, column_titles.py) or saved (report.py).
"""

import base64
import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import jinja2
import pandas as pd
from markupsafe import Markup

from analysis.canvas import Drawing
from analysis.cell_statistics import RANGE_LIMIT, SD_LIMIT
from analysis.column_titles import duration
from analysis.level_labels import MAX_TEXT
from analysis.load import RunRows, SweepRows
from analysis.tables import MARK, Table
from sweeps.printable import middle_out, printable
from sweeps.task_status import TaskStatus

_MAX_SPEC: Final = 50_000
"""Characters of a spec on the page."""
_MAX_ENTRIES: Final = 400
"""Entries of an object or a list on the page."""
_MAX_DEPTH: Final = 8
"""Levels of nesting on the page."""


@dataclass(frozen=True)
class Progress:
    """Progress of a sweep or of the whole run."""

    rows: int
    tasks: int
    """Number of tasks that were tried. A task with status unavailable is still to be done."""
    planned: int | None
    """Number of tasks planned; None where no file says."""

    @property
    def is_short(self) -> bool:
        """Tell whether tasks are known to be missing."""
        return self.planned is not None and self.tasks < self.planned

    def __str__(self) -> str:
        if self.planned is None:
            return f"{self.rows:,} rows of {self.tasks:,} tasks"
        return f"{self.rows:,} rows; {self.tasks:,} of {self.planned:,} tasks are done"


@dataclass(frozen=True)
class Section:
    """Part of the page for one sweep."""

    name: str
    benchmark: str
    statuses: tuple[tuple[str, int], ...]
    """Number of rows by status."""
    progress: Progress
    replaced: int
    """Number of rows of failed attempts that a later attempt replaces."""
    constants: tuple[tuple[str, str], ...]
    """Column titles with the level that is the same in every ok row."""
    notes: tuple[str, ...]
    overview: Table | None
    details: tuple[Table, ...]
    drawings: tuple[Drawing, ...]
    failures: Table | None
    environments: tuple[tuple[str, Any], ...]
    inputs: Any
    spec: str
    marked: bool
    """Some cell is marked as unsteady, so the page explains the mark."""


def progress_of(sweep: SweepRows) -> Progress:
    """Return the progress of a sweep."""
    tried = sweep.rows.loc[sweep.rows["status"] != "unavailable", "task_id"]
    return Progress(len(sweep.rows), int(tried.nunique()), sweep.description.tasks)


def _together(sections: Sequence[Section]) -> Progress:
    """Return the progress of the whole run. The number of planned tasks is known only if every sweep says it."""
    planned = [section.progress.planned for section in sections]
    known = [count for count in planned if count is not None]
    return Progress(
        sum(section.progress.rows for section in sections),
        sum(section.progress.tasks for section in sections),
        sum(known) if len(known) == len(planned) else None,
    )


def statuses_of(sweeps: Iterable[SweepRows]) -> tuple[tuple[str, int], ...]:
    """Return the number of rows by status, for each status that occurs, in the order of the schema."""
    counts = pd.concat([sweep.rows["status"] for sweep in sweeps]).value_counts().to_dict()
    known = [status.value for status in TaskStatus if status in counts]
    return tuple((status, int(counts[status])) for status in (*known, *sorted(set(counts) - set(known))))


def environments_of(sweep: SweepRows) -> tuple[tuple[str, Any], ...]:
    """Return each environment that rows name or the file describes, by id, with its description; empty if unknown."""
    named = sweep.rows["environment_id"].dropna().astype(str).unique()
    ids = list(dict.fromkeys([*named, *sweep.description.environments]))
    shown = [(name, outline(sweep.description.environments.get(name, {}))) for name in ids[:_MAX_ENTRIES]]
    return (*shown, ("…", f"{len(ids) - _MAX_ENTRIES} more")) if len(ids) > _MAX_ENTRIES else tuple(shown)


def spec_of(sweep: SweepRows) -> str:
    """Return the resolved spec as JSON, cut after 50,000 characters; empty where no file has it."""
    if not sweep.spec:
        return ""
    text = json.dumps(outline(sweep.spec), indent=2, ensure_ascii=False)
    return text if len(text) <= _MAX_SPEC else f"{text[:_MAX_SPEC]}\n… cut here: {len(text):,} characters in all"


def outline(value: Any, depth: int = _MAX_DEPTH) -> Any:
    """Return a JSON value cut to the depth and width of a page. A text in its place says how much was left out."""
    if isinstance(value, dict | list) and depth == 0:
        return "… (nested deeper)"
    if isinstance(value, dict):
        items = list(value.items())[:_MAX_ENTRIES]
        shown = {middle_out(key, MAX_TEXT): outline(inner, depth - 1) for key, inner in items}
        return shown | ({"…": f"{len(value) - _MAX_ENTRIES:,} more"} if len(value) > _MAX_ENTRIES else {})
    if isinstance(value, list):
        shown_items = [outline(inner, depth - 1) for inner in value[:_MAX_ENTRIES]]
        return shown_items + [f"… {len(value) - _MAX_ENTRIES:,} more"] * (len(value) > _MAX_ENTRIES)
    return middle_out(value, 10 * MAX_TEXT) if isinstance(value, str) else value


def _span(run: RunRows) -> tuple[str, str, str] | None:
    """Return first start, last end (UTC) and the time between them, pauses of a continued run included.

    Starts before 1971 or after 2200 are left out: they come from a clock that was never set.
    """
    starts = pd.concat([sweep.rows["started_at"] for sweep in run.sweeps])
    seconds = pd.concat([sweep.rows["duration_s"] for sweep in run.sweeps]).fillna(0).clip(0, 1e8)
    possible = starts.between(pd.Timestamp("1971", tz="UTC"), pd.Timestamp("2200", tz="UTC"))
    if not possible.any():
        return None
    ends = starts[possible] + pd.to_timedelta(seconds[possible], unit="s")
    first, last = starts[possible].min(), ends.max()
    form = "%Y-%m-%d %H:%M:%S"
    return first.strftime(form), last.strftime(form), duration((last - first).total_seconds())


def render(run: RunRows, sections: Sequence[Section]) -> str:
    """Return the page as HTML. All text that comes from rows is escaped: error messages may hold HTML."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_finalize,
    )
    environment.filters |= {"data_uri": _data_uri, "link": _link}
    statuses = statuses_of(run.sweeps)
    return environment.get_template("report.html").render(
        run=run.name,
        directory=str(run.directory),
        sections=sections,
        remarks=run.remarks,
        statuses=statuses,
        meanings=[
            (status.value, status.meaning) for status in TaskStatus if status in dict(statuses) and status != "ok"
        ],
        progress=_together(sections),
        command=next((sweep.description.command for sweep in run.sweeps if sweep.description.command), ""),
        span=_span(run),
        mark=MARK,
        sd_limit=SD_LIMIT,
        range_limit=RANGE_LIMIT,
    )


def _finalize(value: Any) -> Any:
    """Escape the control characters of a value. Markup is kept: it was made of values that were escaped before."""
    return value if isinstance(value, Markup) else printable(str(value), keep="\n\t")


def _data_uri(svg: bytes) -> str:
    """Return an SVG as the address of an image in the page."""
    return f"data:image/svg+xml;base64,{base64.b64encode(svg).decode()}"


def _link(path: str) -> str:
    """Return a relative path as a link; the name of a sweep may hold any characters."""
    return quote(os.fsencode(path))
