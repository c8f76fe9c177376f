"""`python -m analysis.report RUN_DIR…`: one self-contained HTML page, with its figures and tables beside it.

The command reads (load.py), has the page put together (assembly.py, page.py), and writes it with its summary.
"""

import sys
from pathlib import Path

# `python -m` searches the working directory first: a `sweeps.py` or `models/` there must not replace ours.
if __name__ == "__main__" and not sys.flags.safe_path:
    sys.path[:] = [*sys.path[1:], str(Path(__file__).resolve().parents[1]), sys.path[0]]

from sweeps.process import interrupts

if __name__ == "__main__":
    interrupts.quit_at_once()

import analysis.allocator  # noqa: F401, I001 - before pyarrow

import os
from collections.abc import Sequence
from typing import Annotated, Final

import typer

from analysis.assembly import assemble
from analysis.comparison.compare import Comparison, compare_runs
from analysis.comparison.page_part import compared_part, frame_of
from analysis.comparison.verdict import decision, exit_code, parse_share, terminal_table
from analysis.load import RunRows, read_found_run, read_run
from analysis.markdown import summary_lines, summary_markdown
from analysis.page import Page, render
from analysis.report_files import ReportFiles
from analysis.run_directories import find_runs, report_directory
from sweeps.errors import UserError
from sweeps.printable import printable


COMPARED: Final = ("text_sha256", "round")
"""Columns that a comparison reads and no page shows."""


def write_report(*directories: Path, out: Path | None = None) -> Path:
    """Read run directories, or directories of runs, and write their report.

    Args:
        directories: at least one.
        out: where the report is written; None: `report/` in the first directory that was named.

    Returns:
        The path of index.html.

    Raises:
        UserError: a directory holds no rows, or the report cannot be written.
    """
    files = _files(directories, out)
    _write(_read(directories), files)
    return files.index


def _compare(runs: Sequence[RunRows], against: Path) -> Comparison:
    """Compare the one run on the page with another run."""
    if len(runs) > 1:
        raise UserError(f"--against {against}: one run is compared with another one, and {len(runs)} were given")
    other = read_run(against, COMPARED)
    return compare_runs(read_run(runs[0].directory, COMPARED), other)


def _read(directories: Sequence[Path]) -> list[RunRows]:
    """Return the rows of every run, each run once."""
    found = [run for directory in directories for run in find_runs(directory)]
    return [read_found_run(run) for run in {run.resolve(): run for run in reversed(found)}.values()][::-1]


def _files(directories: Sequence[Path], out: Path | None) -> ReportFiles:
    """Return where the report is written."""
    return ReportFiles(out or report_directory(directories[0]))


def _write(
    runs: Sequence[RunRows], files: ReportFiles, comparison: Comparison | None = None, against: str = ""
) -> Page:
    """Write figures, tables, summary and page of some runs. Return what the page shows.

    Args:
        runs: on the page.
        files: where everything is written.
        comparison: of the one run with an earlier one.
        against: name of the earlier run.
    """
    try:
        if comparison is not None:
            files.write_comparison(frame_of(comparison))
        page = assemble(runs, files, None if comparison is None else compared_part(comparison, against))
        files.write_summary(summary_markdown(page))
        files.write_page(render(page))
    except OSError as error:
        reason = error.strerror or error
        raise UserError(f"{files.directory}: cannot write: {reason}; check space and permissions") from error
    return page


app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def main(
    run_dirs: Annotated[
        list[Path],
        typer.Argument(
            metavar="RUN_DIR...", help="Directories that `python -m sweeps.run` wrote to, or a directory of them."
        ),
    ],
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Directory of the report; default: report/ in the first RUN_DIR.")
    ] = None,
    against: Annotated[
        Path | None, typer.Option(metavar="RUN_DIR", help="Compare the run with this earlier one, cell by cell.")
    ] = None,
    fail_above: Annotated[
        str | None,
        typer.Option(
            metavar="SHARE",
            help="Exit with 3 where a cell is slower than in --against by more than this, such as 5%, and surely so.",
        ),
    ] = None,
    terminal: Annotated[bool, typer.Option("--terminal", help="Print the page in short, too.")] = False,
) -> None:
    """Write averages, figures and one HTML page from the rows of one or several runs."""
    try:
        share = None if fail_above is None else parse_share(fail_above)
        if share is not None and against is None:
            raise UserError(f"--fail-above {fail_above}: name the earlier run with --against")
        with interrupts.last_line("stopped: no page was written"):
            runs = _read(run_dirs)
            for remark in (remark for run in runs for remark in run.remarks):
                typer.echo(printable(f"warning: {remark}"), err=True)
            files = _files(run_dirs, out)
            comparison = None if against is None else _compare(runs, against)
            code = 0 if comparison is None or share is None else exit_code(comparison, share)
            page = _write(runs, files, comparison, str(against))
    except UserError as error:
        typer.echo(printable(f"error: {error}"), err=True)
        raise typer.Exit(2) from error
    lines = summary_lines(page) if terminal else []
    if comparison is not None:
        lines += [
            *terminal_table(comparison).splitlines(),
            *([] if share is None else decision(comparison, str(fail_above), share)),
        ]
    with interrupts.last_line(printable(f"stopped: the page is {files.index}")):
        _print(files.index, [printable(line) for line in lines])
    if code:
        raise typer.Exit(code)


def _print(index: Path, lines: Sequence[str]) -> None:
    """Print some lines, then the path of the page: its exact bytes for scripts, printable characters on a terminal."""
    try:
        for line in lines:
            typer.echo(line)
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
    interrupts.guarded(app)
