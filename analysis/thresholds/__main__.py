"""`python -m analysis.thresholds RUN_DIR`: thresholds that keep a promise, from the scores of a sweep.

Writes calibration.json, which `python -m scoring.detect` reads, and tables as CSV files beside it. Exit code 2, and no
file, where the promise cannot be made or the input cannot be used.
"""

import sys
from pathlib import Path

# `python -m` searches the working directory first: a `sweeps.py` or `scoring/` there must not replace ours.
if __name__ == "__main__" and not sys.flags.safe_path:
    sys.path[:] = [*sys.path[1:], str(Path(__file__).resolve().parents[2]), sys.path[0]]

from sweeps.process import interrupts

if __name__ == "__main__":
    interrupts.quit_at_once()

import io
import os
from collections.abc import Mapping
from typing import Annotated

import pandas as pd
import typer
from rich.console import Console

from analysis.thresholds.asked import Asked
from analysis.thresholds.files import tables_directory, write_files
from analysis.thresholds.fitting import Fit
from analysis.thresholds.raid import raid_of
from analysis.thresholds.run_fit import fit_run
from analysis.thresholds.summary import print_summary, warnings_of
from analysis.thresholds.tables import tables_of
from sweeps.errors import SweepsError, UserError
from sweeps.printable import printable

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
MOST_WARNINGS = 30


@app.command()
def main(
    run_dir: Annotated[Path, typer.Argument(metavar="RUN_DIR", help="Directory that `python -m sweeps.run` wrote to.")],
    sweep: Annotated[str | None, typer.Option(help="Sweep with the scores, where the run has several.")] = None,
    score: Annotated[
        str, typer.Option(help="Score to set thresholds on; auto: the best on the choose part of --split.")
    ] = "score",
    fpr: Annotated[float, typer.Option(help="Share of human texts that may be flagged.")] = 0.01,
    confidence: Annotated[float, typer.Option(help="Probability that this share is kept.")] = 0.95,
    by: Annotated[
        str, typer.Option(metavar="tokens|none", help="Groups by length in tokens, or one group.")
    ] = "tokens",
    bins: Annotated[
        str | None, typer.Option(metavar="N,N,…", help="Borders of the length groups; default: made to fit.")
    ] = None,
    group: Annotated[
        list[str] | None, typer.Option(metavar="COLUMN", help="Column that tells subgroups apart; repeatable.")
    ] = None,
    where: Annotated[
        list[str] | None, typer.Option(metavar="COLUMN=VALUE", help="Use these rows only; repeatable.")
    ] = None,
    split: Annotated[str, typer.Option(metavar="CHOOSE,CALIBRATE,REPORT", help="Shares of the records.")] = "0,0.6,0.4",
    seed: Annotated[int, typer.Option(help="Of the split and of every draw.")] = 0,
    out: Annotated[Path, typer.Option(help="Calibration file.")] = Path("calibration.json"),
    tables: Annotated[Path | None, typer.Option(help="Directory for tables; default: OUT's name with -tables.")] = None,
    raid: Annotated[Path | None, typer.Option(help="Directory for predictions.json and results.json of RAID.")] = None,
) -> None:
    """Set thresholds on human texts that flag at most a share of new ones, and say what they find."""
    try:
        borders = None if bins is None else _numbers("--bins", bins)
        asked = Asked(fpr, confidence, score, by, borders, _numbers("--split", split), seed)
        with interrupts.last_line("stopped: nothing was written"):
            chosen, fit = fit_run(run_dir, asked, sweep, where or ())
            found = tables_of(fit, group or ())
            directory = tables or tables_directory(out)
            of_raid = raid_of(fit, raid) if raid else None
        with interrupts.last_line(printable(f"stopped: the calibration is {out}")), interrupts.delayed():
            write_files(fit.calibration, found, out, directory, of_raid.texts if of_raid else {})
    except SweepsError as error:
        typer.echo(printable(f"error: {error}"), err=True)
        raise typer.Exit(2) from error
    with interrupts.last_line(printable(f"stopped: the calibration is {out}")):
        summary = _summary(fit, found)
        places = f"calibration {printable(str(out))}\ntables      {printable(str(directory))}\n"
        in_raid = f"RAID        {printable(of_raid.sentence)}\n" if of_raid else ""
        _print(f"sweep       {printable(chosen.name)}\n{summary}{places}{in_raid}", out)


def _summary(fit: Fit, found: Mapping[str, pd.DataFrame]) -> str:
    """Return the summary as the terminal can show it; print the warnings on the standard error."""
    terminal, summary = Console(), io.StringIO()
    print_summary(Console(file=summary, width=terminal.width, force_terminal=terminal.is_terminal), fit, found)
    warnings = [*warnings_of(fit, found)]
    for warning in warnings[:MOST_WARNINGS]:
        typer.echo(printable(f"note: {warning}"), err=True)
    if len(warnings) > MOST_WARNINGS:
        typer.echo(f"note: and {len(warnings) - MOST_WARNINGS} more; the tables have them", err=True)
    return summary.getvalue()


def _print(text: str, out: Path) -> None:
    """Print on the standard output. A reader that has read enough is no fault; a full disk is one message."""
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        _drop_stdout()
    except OSError as error:
        _drop_stdout()
        typer.echo(printable(f"error: stdout: {error.strerror or error}; the calibration is {out}"), err=True)
        raise typer.Exit(2) from error


def _drop_stdout() -> None:
    """Send the interpreter's last flush of stdout to /dev/null: on the old stdout it would fail again."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _numbers(option: str, text: str) -> list[float]:
    """Return the numbers of an option, which commas part.

    Raises:
        UserError: a part is no number.
    """
    try:
        return [float(part) for part in text.split(",")]
    except ValueError as error:
        raise UserError(f"{option} {text!r}: numbers with commas between them are needed") from error


if __name__ == "__main__":
    interrupts.guarded(app)
