"""`python -m analysis.report RUN_DIR`: one self-contained HTML page, with its figures and tables beside it.

The command computes (averages.py, failures.py), draws (plots.py, histograms.py), makes tables (tables.py) and the page
(page.py), and writes the files. Every file is written under a temporary name and then renamed, the page last, so that a
killed report leaves no half file.
"""

import sys
from pathlib import Path

# `python -m` searches the working directory first: a `sweeps.py` or `models/` there must not replace ours.
if __name__ == "__main__" and not sys.flags.safe_path:
    sys.path[:] = [*sys.path[1:], str(Path(__file__).resolve().parents[1]), sys.path[0]]

import hashlib
import os
from typing import Annotated, Final

import pandas as pd
import typer

from analysis.auc import auc_by_cell
from analysis.averages import Averages, average, is_scored
from analysis.canvas import Drawing
from analysis.column_titles import title_of
from analysis.failures import failures
from analysis.figure_spec import FigureSpec, choose_figure
from analysis.histograms import draw_scores
from analysis.level_labels import text_of
from analysis.load import RunRows, SweepRows, read_run, report_directory
from analysis.page import Section, environments_of, outline, progress_of, render, spec_of, statuses_of
from analysis.plots import draw
from analysis.tables import Table, auc_table, failure_table, overview, statistics
from sweeps.errors import UserError
from sweeps.printable import printable

FILE_NAME_BYTES: Final = 120
"""Bytes of a sweep's name in the names of its files. Longer names are cut."""


def write_report(directory: Path) -> Path:
    """Read a run directory and write its report.

    Returns:
        The path of index.html.

    Raises:
        UserError: the directory holds no rows, or the report cannot be written.
    """
    return _write_pages(read_run(directory))


def _write_pages(run: RunRows) -> Path:
    """Write figures, tables and the page of a run. Return the path of the page."""
    report = report_directory(run.directory)
    try:
        sections = [_write_sweep(sweep, report) for sweep in run.sweeps]
        return _write(report / "index.html", _encoded(render(run, sections)))
    except OSError as error:
        raise UserError(f"{report}: cannot write: {error.strerror or error}; check space and permissions") from error


def _write_sweep(sweep: SweepRows, report: Path) -> Section:
    """Write a sweep's figures and tables. Return its section of the page."""
    averages = average(sweep)
    figure_spec = choose_figure(averages, sweep.description.figure)
    file_name = _file_name(sweep.name)
    tables = {"averages": averages.cells, "not-ok": failures(sweep)}
    extra: list[Table] = []
    drawings, failed = _drawn(sweep, averages, figure_spec)
    if _has_scores(sweep, averages):
        tables["separation"] = auc_by_cell(sweep, averages)
        extra = [auc_table(tables["separation"], file_name)]
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
        notes=(*averages.notes, *(figure_spec.notes if figure_spec else ()), *failed),
        overview=overview(averages, file_name),
        details=(*extra, *(statistics(averages, metric, file_name) for metric in averages.metrics)),
        drawings=tuple(drawings),
        failures=failure_table(tables["not-ok"], file_name),
        environments=environments_of(sweep),
        inputs=outline(sweep.description.inputs),
        spec=spec_of(sweep),
        marked=bool(flags.to_numpy().any()),
    )


def _drawn(sweep: SweepRows, averages: Averages, figure_spec: FigureSpec | None) -> tuple[list[Drawing], list[str]]:
    """Return the figures of a sweep, or a note why there are none: the page is written even if drawing fails."""
    if figure_spec is None:
        return [], []
    try:
        if _has_scores(sweep, averages):
            return draw_scores(sweep, averages, _file_name(sweep.name)), []
        return draw(averages, figure_spec, _file_name(sweep.name)), []
    except Exception as error:  # noqa: BLE001 - matplotlib refuses extreme values in many ways
        return [], [f"The figure could not be drawn ({type(error).__name__}: {error}); the tables hold all cells."]


def _has_scores(sweep: SweepRows, averages: Averages) -> bool:
    """Tell whether some text of the sweep has a score."""
    return is_scored(sweep) and "score" in averages.metrics and "author" in sweep.rows


def _encoded(text: str) -> bytes:
    """Return text as UTF-8. Surrogates, which file names may hold, become escapes."""
    return text.encode("utf-8", "backslashreplace")


def _file_name(sweep_name: str) -> str:
    """Return a sweep's name for its files: a name that is too long is cut, and a digest keeps it unique."""
    name = os.fsencode(sweep_name)
    if len(name) <= FILE_NAME_BYTES:
        return sweep_name
    return f"{name[:FILE_NAME_BYTES].decode(errors='ignore')}-{hashlib.sha256(name).hexdigest()[:8]}"


def _write(path: Path, content: bytes) -> Path:
    """Write under a temporary name, then rename: the file is whole or does not exist."""
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
    run_dir: Annotated[Path, typer.Argument(metavar="RUN_DIR", help="Directory that `python -m sweeps.run` wrote to.")],
) -> None:
    """Write averages, figures and one HTML page from a run's rows to RUN_DIR/report."""
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
    """Print the path of the page: its exact bytes for scripts, printable characters on a terminal."""
    try:
        typer.echo(printable(str(index)) if sys.stdout.isatty() else os.fsencode(index))
        sys.stdout.flush()
    except BrokenPipeError:  # nobody reads the path, but the page is written
        _drop_stdout()
    except OSError as error:
        _drop_stdout()
        typer.echo(printable(f"error: stdout: {error.strerror or error}; the page is {index}"), err=True)
        raise typer.Exit(2) from error


def _drop_stdout() -> None:
    """Send the interpreter's last flush of stdout to /dev/null: on the old stdout it would fail again."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    app()
