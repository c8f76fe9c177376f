"""`python -m analysis.report RUN_DIR`: one self-contained HTML page, with its figures and tables beside it.

Decides what stands on the page and writes it. Every file is written beside its name and then renamed, the page
last, so that a killed report leaves no half file. Does not know how anything is computed (averages.py,
failures.py), drawn (plots.py) or put into text (tables.py, columns.py).
"""

import sys
from pathlib import Path

# `python -m` looks into the working directory first: a `sweeps.py` or `models/` there must not stand for ours.
if __name__ == "__main__" and not sys.flags.safe_path:
    sys.path[:] = [*sys.path[1:], str(Path(__file__).resolve().parents[1]), sys.path[0]]

import base64
import hashlib
import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final
from urllib.parse import quote

import jinja2
import pandas as pd
import typer
from markupsafe import Markup

from analysis.averages import RANGE_LIMIT, SCORED, SD_LIMIT, Averages, average
from analysis.canvas import Drawing
from analysis.choice import Choice, choose
from analysis.columns import MAX_TEXT, duration, text_of, title_of
from analysis.failures import failures
from analysis.histograms import draw_scores
from analysis.load import Run, Sweep, read_run, report_directory
from analysis.plots import draw
from analysis.separation import separation
from analysis.tables import MARK, Table, failure_table, overview, separation_table, statistics
from sweeps.errors import UserError
from sweeps.meanings import MEANINGS
from sweeps.printable import middle_out, printable
from sweeps.schema import STATUSES

FILE_NAME_BYTES: Final = 120
"""Longer names of sweeps are cut in the names of their files."""
_MAX_SPEC: Final = 50_000
_MAX_ENTRIES: Final = 400
_MAX_DEPTH: Final = 8


@dataclass(frozen=True)
class Progress:
    """How far a sweep, or the whole run, came."""

    rows: int
    tasks: int
    """Tasks that have rows."""
    planned: int | None
    """None where no file says."""

    @property
    def is_short(self) -> bool:
        """Tasks are known to be missing."""
        return self.planned is not None and self.tasks < self.planned

    def __str__(self) -> str:
        if self.planned is None:
            return f"{self.rows:,} rows of {self.tasks:,} tasks"
        return f"{self.rows:,} rows; {self.tasks:,} of {self.planned:,} tasks are done"


@dataclass(frozen=True)
class Section:
    """What the page shows of one sweep."""

    name: str
    benchmark: str
    statuses: tuple[tuple[str, int], ...]
    progress: Progress
    replaced: int
    constants: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]
    overview: Table | None
    details: tuple[Table, ...]
    drawings: tuple[Drawing, ...]
    failures: Table | None
    environments: tuple[tuple[str, Any], ...]
    inputs: Any
    spec: str
    marked: bool


def write_report(directory: Path) -> Path:
    """Read a run directory and write its report.

    Returns:
        The path of index.html.

    Raises:
        UserError: nothing to report, or the report cannot be written.
    """
    return _write_pages(read_run(directory))


def _write_pages(run: Run) -> Path:
    report = report_directory(run.directory)
    try:
        sections = [_write_sweep(sweep, report) for sweep in run.sweeps]
        return _write(report / "index.html", _encoded(_render(run, sections)))
    except OSError as error:
        raise UserError(f"{report}: cannot write: {error.strerror or error}; check space and permissions") from error


def _write_sweep(sweep: Sweep, report: Path) -> Section:
    """Write a sweep's figures and tables; return what the page says of it."""
    averages = average(sweep)
    choice = choose(averages, sweep.description.figure)
    file_name = _file_name(sweep.name)
    tables = {"averages": averages.cells, "not-ok": failures(sweep)}
    extra: list[Table] = []
    drawings, failed = _drawn(sweep, averages, choice)
    if _has_scores(sweep, averages):
        tables["separation"] = separation(sweep, averages)
        extra = [separation_table(tables["separation"], file_name)]
    for kind, table in tables.items():
        _write(report / "tables" / f"{file_name}-{kind}.csv", _encoded(table.to_csv(index=False)))
    for drawing in drawings:
        _write(report / "figures" / f"{drawing.name}.svg", drawing.svg)
        _write(report / "figures" / f"{drawing.name}.png", drawing.png)
    flags = averages.cells.get(["sd_above_limit", "range_above_limit"], pd.DataFrame())
    return Section(
        name=sweep.name,
        benchmark=sweep.benchmark,
        statuses=_statuses([sweep]),
        progress=_progress(sweep),
        replaced=sweep.replaced,
        constants=tuple((title_of(name), text_of(level)) for name, level in averages.constants.items()),
        notes=(*averages.notes, *(choice.notes if choice else ()), *failed),
        overview=overview(averages, file_name),
        details=(*extra, *(statistics(averages, metric, file_name) for metric in averages.metrics)),
        drawings=tuple(drawings),
        failures=failure_table(tables["not-ok"], file_name),
        environments=_environments(sweep),
        inputs=outline(sweep.description.inputs),
        spec=_spec(sweep),
        marked=bool(flags.to_numpy().any()),
    )


def _drawn(sweep: Sweep, averages: Averages, choice: Choice | None) -> tuple[list[Drawing], list[str]]:
    """The figures, or why there are none: no figure is worth the page."""
    if choice is None:
        return [], []
    try:
        if _has_scores(sweep, averages):
            return draw_scores(sweep, averages, _file_name(sweep.name)), []
        return draw(averages, choice, _file_name(sweep.name)), []
    except Exception as error:  # noqa: BLE001 - matplotlib refuses extreme values in many ways
        return [], [f"The figure could not be drawn ({type(error).__name__}: {error}); the tables hold all cells."]


def _has_scores(sweep: Sweep, averages: Averages) -> bool:
    return sweep.benchmark in SCORED and "score" in averages.metrics


def _progress(sweep: Sweep) -> Progress:
    return Progress(len(sweep.rows), int(sweep.rows["task_id"].nunique()), sweep.description.tasks)


def _together(sections: Sequence[Section]) -> Progress:
    """Of the whole run; how much was planned is known only where every sweep says so."""
    planned = [section.progress.planned for section in sections]
    known = [count for count in planned if count is not None]
    return Progress(
        sum(section.progress.rows for section in sections),
        sum(section.progress.tasks for section in sections),
        sum(known) if len(known) == len(planned) else None,
    )


def _statuses(sweeps: Iterable[Sweep]) -> tuple[tuple[str, int], ...]:
    """Rows per status that occurs, in the order of the schema."""
    counts = pd.concat([sweep.rows["status"] for sweep in sweeps]).value_counts().to_dict()
    known = [status for status in STATUSES if status in counts]
    return tuple((status, int(counts[status])) for status in (*known, *sorted(set(counts) - set(known))))


def _environments(sweep: Sweep) -> tuple[tuple[str, Any], ...]:
    """Every environment that rows name or the file describes, and what is known of it."""
    named = sweep.rows["environment_id"].dropna().astype(str).unique()
    ids = list(dict.fromkeys([*named, *sweep.description.environments]))
    shown = [(name, outline(sweep.description.environments.get(name, {}))) for name in ids[:_MAX_ENTRIES]]
    return (*shown, ("…", f"{len(ids) - _MAX_ENTRIES} more")) if len(ids) > _MAX_ENTRIES else tuple(shown)


def _spec(sweep: Sweep) -> str:
    if not sweep.spec:
        return ""
    text = json.dumps(outline(sweep.spec), indent=2, ensure_ascii=False)
    return text if len(text) <= _MAX_SPEC else f"{text[:_MAX_SPEC]}\n… cut here: {len(text):,} characters in all"


def outline(value: Any, depth: int = _MAX_DEPTH) -> Any:
    """A JSON value as deep and as wide as a page can show; what is left out is said in its place."""
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


def _span(run: Run) -> tuple[str, str, str] | None:
    """First start, last end (UTC) and the time between; pauses of a continued run count.

    Times that no run can have had are left out: a clock that was never set is no start.
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


def _render(run: Run, sections: Sequence[Section]) -> str:
    """The page. Everything that comes from rows is escaped: error messages may hold HTML."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_finalize,
    )
    environment.filters |= {"data_uri": _data_uri, "link": _link}
    statuses = _statuses(run.sweeps)
    return environment.get_template("report.html").render(
        run=run.name,
        directory=str(run.directory),
        sections=sections,
        remarks=run.remarks,
        statuses=statuses,
        meanings=[(status, MEANINGS[status]) for status, _ in statuses if status in MEANINGS and status != "ok"],
        progress=_together(sections),
        command=next((sweep.description.command for sweep in run.sweeps if sweep.description.command), ""),
        span=_span(run),
        mark=MARK,
        sd_limit=SD_LIMIT,
        range_limit=RANGE_LIMIT,
    )


def _finalize(value: Any) -> Any:
    """Whatever the page shows has no control characters; what is markup already was made of such parts."""
    return value if isinstance(value, Markup) else printable(str(value), keep="\n\t")


def _data_uri(svg: bytes) -> str:
    return f"data:image/svg+xml;base64,{base64.b64encode(svg).decode()}"


def _link(path: str) -> str:
    """A relative path as a link, whatever characters the name of a sweep has."""
    return quote(os.fsencode(path))


def _encoded(text: str) -> bytes:
    """UTF-8; half characters, which file names may hold, as escapes."""
    return text.encode("utf-8", "backslashreplace")


def _file_name(sweep_name: str) -> str:
    """A sweep's name, or its beginning and a digest where files named after it would have too long a name."""
    name = os.fsencode(sweep_name)
    if len(name) <= FILE_NAME_BYTES:
        return sweep_name
    return f"{name[:FILE_NAME_BYTES].decode(errors='ignore')}-{hashlib.sha256(name).hexdigest()[:8]}"


def _write(path: Path, content: bytes) -> Path:
    """Write beside the name, then rename: the file is whole or not there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_bytes(content)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    return path


app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def main(
    run_dir: Annotated[Path, typer.Argument(metavar="RUN_DIR", help="What `python -m sweeps.run` wrote to.")],
) -> None:
    """Averages, figures and one HTML page from a run's rows, in RUN_DIR/report."""
    try:
        run = read_run(run_dir)
        for remark in run.remarks:
            typer.echo(printable(f"warning: {remark}"), err=True)
        index = _write_pages(run)
    except UserError as error:
        typer.echo(printable(f"error: {error}"), err=True)
        raise typer.Exit(2) from error
    _print(index)


def _print(index: Path) -> None:
    """The page's path, byte by byte for scripts, printable on a terminal."""
    try:
        typer.echo(printable(str(index)) if sys.stdout.isatty() else os.fsencode(index))
        sys.stdout.flush()
    except BrokenPipeError:  # nobody reads the path: the page is there all the same
        _drop_stdout()
    except OSError as error:
        _drop_stdout()
        typer.echo(printable(f"error: stdout: {error.strerror or error}; the page is {index}"), err=True)
        raise typer.Exit(2) from error


def _drop_stdout() -> None:
    """Have the interpreter's last flush go nowhere, which would fail again."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    app()
