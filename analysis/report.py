"""`python -m analysis.report RUN_DIR`: one self-contained HTML page, with its figures and tables beside it.

Decides what stands on the page and writes it. Every file is written beside its name and then renamed, the page
last, so that a killed report leaves no half file. Does not know how anything is computed (averages.py,
failures.py), drawn (plots.py) or put into text (tables.py, columns.py).
"""

import base64
import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import jinja2
import pandas as pd
import typer

from analysis.averages import RANGE_LIMIT, SCORED, SD_LIMIT, average, separation
from analysis.canvas import Drawing
from analysis.choice import choose
from analysis.columns import duration, title_of
from analysis.failures import failures
from analysis.load import Run, Sweep, read_run
from analysis.plots import draw, draw_scores
from analysis.tables import MARK, Table, failure_table, overview, separation_table, statistics
from sweeps.errors import UserError
from sweeps.schema import STATUSES


@dataclass(frozen=True)
class Section:
    """What the page shows of one sweep."""

    name: str
    benchmark: str
    statuses: tuple[tuple[str, int], ...]
    rows: int
    tasks: int
    replaced: int
    constants: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]
    overview: Table | None
    details: tuple[Table, ...]
    drawings: tuple[Drawing, ...]
    failures: Table | None
    environments: tuple[tuple[str, Any], ...]
    spec: str
    marked: bool


def write_report(directory: Path) -> Path:
    """Read a run directory and write its report.

    Returns:
        The path of index.html.

    Raises:
        UserError: nothing to report, a file cannot be read, or the report cannot be written.
    """
    run = read_run(directory)
    report = directory / "report"
    try:
        sections = [_write_sweep(sweep, report) for sweep in run.sweeps]
        return _write(report / "index.html", _render(run, sections).encode())
    except OSError as error:
        raise UserError(f"{report}: cannot write: {error.strerror}; check space and permissions") from error


def _write_sweep(sweep: Sweep, report: Path) -> Section:
    """Write a sweep's figures and tables; return what the page says of it."""
    averages = average(sweep)
    wanted = sweep.spec.get("figure")
    choice = choose(averages, wanted)
    drawings = draw(averages, choice, sweep.name) if choice else []
    tables = {"averages": averages.cells, "not-ok": failures(sweep)}
    extra: list[Table] = []
    if sweep.benchmark in SCORED and "score" in averages.metrics:
        drawings = draw_scores(sweep, averages)
        tables["separation"] = separation(sweep, averages)
        extra = [separation_table(tables["separation"], sweep.name)]
    for kind, table in tables.items():
        _write(report / "tables" / f"{sweep.name}-{kind}.csv", table.to_csv(index=False).encode())
    for drawing in drawings:
        _write(report / "figures" / f"{drawing.name}.svg", drawing.svg)
        _write(report / "figures" / f"{drawing.name}.png", drawing.png)
    flags = averages.cells.get(["sd_above_limit", "range_above_limit"], pd.DataFrame())
    return Section(
        name=sweep.name,
        benchmark=sweep.benchmark,
        statuses=_statuses([sweep]),
        rows=len(sweep.rows),
        tasks=sweep.rows["task_id"].nunique(),
        replaced=sweep.replaced,
        constants=tuple((title_of(name), str(level)) for name, level in averages.constants.items()),
        notes=(*averages.notes, *(choice.notes if choice else ())),
        overview=overview(averages, sweep.name),
        details=(*extra, *(statistics(averages, metric, sweep.name) for metric in averages.metrics)),
        drawings=tuple(drawings),
        failures=failure_table(tables["not-ok"], sweep.name),
        environments=_environments(sweep),
        spec=json.dumps(sweep.spec, indent=2, ensure_ascii=False) if sweep.spec else "",
        marked=bool(flags.to_numpy().any()),
    )


def _statuses(sweeps: Iterable[Sweep]) -> tuple[tuple[str, int], ...]:
    """Rows per status that occurs, in the order of the schema."""
    counts = pd.concat([sweep.rows["status"] for sweep in sweeps]).value_counts().to_dict()
    known = [status for status in STATUSES if status in counts]
    return tuple((status, int(counts[status])) for status in (*known, *sorted(set(counts) - set(known))))


def _environments(sweep: Sweep) -> tuple[tuple[str, Any], ...]:
    """Every environment that rows name or environment.json describes, and what is known of it."""
    named = sweep.rows["environment_id"].dropna().astype(str).unique() if "environment_id" in sweep.rows else ()
    ids = dict.fromkeys([*named, *sweep.environments])
    return tuple((name, sweep.environments.get(name, {})) for name in ids)


def _span(run: Run) -> tuple[str, str, str] | None:
    """First start, last end (UTC) and the time between; pauses of a continued run count."""
    starts = pd.concat([sweep.rows["started_at"] for sweep in run.sweeps])
    seconds = pd.concat([sweep.rows["duration_s"].fillna(0) for sweep in run.sweeps])
    if starts.isna().all():
        return None
    first, last = starts.min(), (starts + pd.to_timedelta(seconds, unit="s")).max()
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
    )
    environment.filters["data_uri"] = _data_uri
    return environment.get_template("report.html").render(
        run=run.name,
        directory=str(run.directory),
        sections=sections,
        statuses=_statuses(run.sweeps),
        rows=sum(section.rows for section in sections),
        tasks=sum(section.tasks for section in sections),
        span=_span(run),
        mark=MARK,
        sd_limit=SD_LIMIT,
        range_limit=RANGE_LIMIT,
    )


def _data_uri(svg: bytes) -> str:
    return f"data:image/svg+xml;base64,{base64.b64encode(svg).decode()}"


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


app = typer.Typer(add_completion=False)


@app.command()
def main(
    run_dir: Annotated[Path, typer.Argument(metavar="RUN_DIR", help="What `python -m sweeps.run` wrote to.")],
) -> None:
    """Averages, figures and one HTML page from a run's rows, in RUN_DIR/report."""
    try:
        index = write_report(run_dir)
    except UserError as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(2) from error
    typer.echo(index)


if __name__ == "__main__":
    app()
