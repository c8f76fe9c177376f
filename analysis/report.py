"""`python -m analysis.report RUN_DIR`: one self-contained HTML page, with its figures and tables beside it.

Decides what stands on the page and how numbers read; what they are is averages.py's, how they are drawn
plots.py's. Every file is written beside its name and then renamed, the page last, so that a killed report
leaves no half file.
"""

import base64
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Final

import jinja2
import pandas as pd
import typer

from analysis.averages import RANGE_LIMIT, SCORED, SD_LIMIT, Averages, average, grouped, separation
from analysis.load import Run, Sweep, read_run
from analysis.plots import Drawing, axis_title, choose, draw, draw_scores, scale_of, title_of
from sweeps.errors import UserError
from sweeps.schema import STATUSES

MAX_TABLE_ROWS: Final = 500
"""Longer tables are cut on the page, which says so, and whole in their CSV file."""
_MARK: Final = "⚠"
_NULL: Final = "–"
_STATISTICS: Final = ("n", "mean", "median", "sd", "95% CI from", "to", "min", "max", "")


@dataclass(frozen=True)
class Table:
    """A table as the page shows it: every cell is text."""

    title: str
    headers: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    names: int = 0
    """How many columns from the left are names, not numbers."""
    csv: str | None = None
    left_out: int = 0


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


def failures(sweep: Sweep) -> pd.DataFrame:
    """Rows that are not ok, by status and reason. Columns: status, reason, rows, cells, where."""
    rows = sweep.rows[sweep.rows["status"] != "ok"]
    wanted = [name for name in sweep.spec.get("factors", {}) if name in rows]
    factors = [name for name in wanted if sweep.rows[name].nunique() > 1]
    records = [
        {
            "status": status,
            "reason": ": ".join(str(part) for part in reason if not pd.isna(part)) or _NULL,
            "rows": len(group),
            "cells": group["cell_id"].nunique(),
            "where": "; ".join(_levels_in(group, name) for name in factors),
        }
        for (status, *reason), group in grouped(rows, ("status", "error_type", "error_message"))
    ]
    table = pd.DataFrame(records, columns=["status", "reason", "rows", "cells", "where"])
    return table.sort_values("rows", ascending=False, kind="stable", ignore_index=True)


def number(value: Any, divisor: float = 1) -> str:
    """Four significant digits, thousands set apart, never an exponent; '–' for null."""
    if pd.isna(value):
        return _NULL
    shown = Decimal(f"{value / divisor:.3e}")
    return f"{shown:,f}" if shown else "0"


def duration(seconds: float) -> str:
    """'3 h 12 min', '4 min 5 s', '6.2 s'."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def _levels_in(group: pd.DataFrame, name: str) -> str:
    levels = ", ".join(str(level) for level in group[name].drop_duplicates())
    return f"{name}: {levels}"


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
        extra = [_separation_table(tables["separation"], sweep.name)]
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
        overview=_overview(averages, sweep.name),
        details=(*extra, *(_statistics(averages, metric, sweep.name) for metric in averages.metrics)),
        drawings=tuple(drawings),
        failures=_failure_table(tables["not-ok"], sweep.name),
        environments=_environments(sweep),
        spec=json.dumps(sweep.spec, indent=2, ensure_ascii=False) if sweep.spec else "",
        marked=bool(flags.to_numpy().any()),
    )


def _statuses(sweeps: Iterable[Sweep]) -> tuple[tuple[str, int], ...]:
    """Rows per status that occurs, in the order of the schema."""
    counts = pd.concat([sweep.rows["status"] for sweep in sweeps]).value_counts().to_dict()
    known = [status for status in STATUSES if status in counts]
    return tuple((status, int(counts[status])) for status in (*known, *sorted(set(counts) - set(known))))


def _overview(averages: Averages, sweep_name: str) -> Table | None:
    """Cells × metrics: mean ± half the confidence interval."""
    if not averages.metrics:
        return None
    factors = list(averages.factors)
    scales = {name: scale_of(name, _of(averages, name)["mean"]) for name in averages.metrics}
    lines: dict[tuple[str, ...], dict[str, str]] = {}
    for cell in averages.cells.to_dict("records"):
        texts = lines.setdefault(tuple(_level(cell[name]) for name in factors), {})
        texts[str(cell["metric"])] = _mean_and_half_width(cell, scales[cell["metric"]].divisor)
    return _cut(
        Table(
            title="Averages",
            headers=(*map(title_of, factors), *(axis_title(name, scales[name]) for name in averages.metrics)),
            rows=tuple((*key, *(texts.get(name, _NULL) for name in averages.metrics)) for key, texts in lines.items()),
            names=len(factors),
            csv=f"tables/{sweep_name}-averages.csv",
        )
    )


def _statistics(averages: Averages, metric: str, sweep_name: str) -> Table:
    """One metric in full: a row per cell."""
    cells = _of(averages, metric)
    scale = scale_of(metric, cells["mean"])
    shown = ("mean", "median", "sd", "ci95_low", "ci95_high", "min", "max")
    return _cut(
        Table(
            title=axis_title(metric, scale),
            headers=(*map(title_of, averages.factors), *_STATISTICS),
            rows=tuple(
                (
                    *(_level(cell[name]) for name in averages.factors),
                    str(cell["n"]),
                    *(number(cell[name], scale.divisor) for name in shown),
                    _mark(cell),
                )
                for cell in cells.to_dict("records")
            ),
            names=len(averages.factors),
            csv=f"tables/{sweep_name}-averages.csv",
        )
    )


def _separation_table(table: pd.DataFrame, sweep_name: str) -> Table:
    factors = [name for name in table.columns if name not in ("auc", "n_human", "n_synthetic")]
    return Table(
        title="AUC: how often a human text scores above a synthetic one",
        headers=(*map(title_of, factors), "AUC", "n human", "n synthetic"),
        rows=tuple(
            (
                *(_level(cell[name]) for name in factors),
                number(cell["auc"]),
                f"{cell['n_human']:,}",
                f"{cell['n_synthetic']:,}",
            )
            for cell in table.to_dict("records")
        ),
        names=len(factors),
        csv=f"tables/{sweep_name}-separation.csv",
    )


def _failure_table(table: pd.DataFrame, sweep_name: str) -> Table | None:
    if table.empty:
        return None
    rows = table[["status", "where", "reason", "rows", "cells"]].astype(str)
    return _cut(
        Table(
            title="Rows without a measurement",
            headers=("status", "where", "reason", "rows", "cells"),
            rows=tuple(tuple(row) for row in rows.itertuples(index=False)),
            names=3,
            csv=f"tables/{sweep_name}-not-ok.csv",
        )
    )


def _cut(table: Table) -> Table:
    extra = max(0, len(table.rows) - MAX_TABLE_ROWS)
    return replace(table, rows=table.rows[:MAX_TABLE_ROWS], left_out=extra)


def _of(averages: Averages, metric: str) -> pd.DataFrame:
    return averages.cells[averages.cells["metric"] == metric]


def _level(level: Any) -> str:
    return _NULL if pd.isna(level) else str(level)


def _mark(cell: Mapping[Any, Any]) -> str:
    return _MARK if cell["sd_above_limit"] or cell["range_above_limit"] else ""


def _mean_and_half_width(cell: Mapping[Any, Any], divisor: float) -> str:
    """'12.31 ± 0.40 ⚠': the half width to the digits that the mean shows."""
    mean = number(cell["mean"], divisor)
    if pd.isna(cell["sd"]):
        return mean
    places = len(mean.partition(".")[2])
    half_width = (cell["ci95_high"] - cell["ci95_low"]) / 2 / divisor
    return f"{mean} ± {half_width:,.{places}f} {_mark(cell)}".rstrip()


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
        mark=_MARK,
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
