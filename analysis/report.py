"""`python -m analysis.report RUN_DIR`: one self-contained HTML page, with its figures and tables beside it.

Has everything computed (averages.py, failures.py), drawn (plots.py, histograms.py) and put into text (tables.py),
and writes it; what the page says stands in page.py. Every file is written beside its name and then renamed, the
page last, so that a killed report leaves no half file.
"""

import sys
from pathlib import Path

# `python -m` looks into the working directory first: a `sweeps.py` or `models/` there must not stand for ours.
if __name__ == "__main__" and not sys.flags.safe_path:
    sys.path[:] = [*sys.path[1:], str(Path(__file__).resolve().parents[1]), sys.path[0]]

import hashlib
import os
from typing import Annotated, Final

import pandas as pd
import typer

from analysis.averages import Averages, average, is_scored
from analysis.canvas import Drawing
from analysis.choice import Choice, choose
from analysis.columns import text_of, title_of
from analysis.failures import failures
from analysis.histograms import draw_scores
from analysis.load import Run, Sweep, read_run, report_directory
from analysis.page import Section, environments_of, outline, progress_of, render, spec_of, statuses_of
from analysis.plots import draw
from analysis.separation import separation
from analysis.tables import Table, failure_table, overview, separation_table, statistics
from sweeps.errors import UserError
from sweeps.printable import printable

FILE_NAME_BYTES: Final = 120
"""Longer names of sweeps are cut in the names of their files."""


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
        return _write(report / "index.html", _encoded(render(run, sections)))
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
        statuses=statuses_of([sweep]),
        progress=progress_of(sweep),
        replaced=sweep.replaced,
        constants=tuple((title_of(name), text_of(level)) for name, level in averages.constants.items()),
        notes=(*averages.notes, *(choice.notes if choice else ()), *failed),
        overview=overview(averages, file_name),
        details=(*extra, *(statistics(averages, metric, file_name) for metric in averages.metrics)),
        drawings=tuple(drawings),
        failures=failure_table(tables["not-ok"], file_name),
        environments=environments_of(sweep),
        inputs=outline(sweep.description.inputs),
        spec=spec_of(sweep),
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
    return is_scored(sweep) and "score" in averages.metrics and "author" in sweep.rows


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
