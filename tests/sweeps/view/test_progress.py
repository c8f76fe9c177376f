"""Views of a run while it goes on, and its summary at the end."""

import io
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from sweeps.schedule.run_status import Status, SweepStatus, WorkerStatus
from sweeps.task import Slot
from sweeps.view import progress
from sweeps.view.progress import PlainView, report, summarize, view
from sweeps.view.throughput import duration, throughput_line

WORKER = WorkerStatus(
    "cpu-0", Slot("cpu", 0, 1), "AMD EPYC", "builtin://tiny-base", "generation quantization=8-bit", 3.0
)
STATUS = Status(
    total=40,
    done=10,
    done_before=4,
    rows=30,
    counts={"ok": 8, "error": 2},
    loads=3,
    loads_naive=6,
    demand={},
    workers=(WORKER,),
    failure=None,
    warnings=("worker cpu-9 is gone: killed",),
    elapsed_s=60.0,
)


def console(terminal: bool) -> tuple[Console, io.StringIO]:
    text = io.StringIO()
    return Console(file=text, force_terminal=terminal, width=140), text


def test_plain_lines_where_there_is_no_terminal() -> None:
    out, text = console(terminal=False)
    with view(out, "mine") as shown:
        assert isinstance(shown, PlainView)
        shown.show(STATUS)
        shown.show(STATUS)
    lines = text.getvalue().splitlines()
    assert lines[0] == "warning: worker cpu-9 is gone: killed"
    assert len(lines) == 2, "the same moment is not told twice"
    assert lines[1].startswith("mine: 10/40 tasks, 30 rows, 6.0 tasks/min, about 5 min 0 s left, ")
    assert "left, 2 failed | cpu-0 generation quantization=8-bit" in lines[1]
    assert "\x1b" not in text.getvalue()


SWEEPS = (SweepStatus("logits", 30, 6, 1), SweepStatus("[red]\x1b[2J", 10, 4, 0))


def test_plain_lines_count_by_sweep_where_there_are_several() -> None:
    out, text = console(terminal=False)
    with view(out, "mi[/x]ne\n") as shown:
        shown.show(replace(STATUS, sweeps=SWEEPS, warnings=("\x1b[2J [/red] two\nlines",)))
    told, line = text.getvalue().split("lines\n")
    assert told == "warning: \\x1b[2J [/red] two\n"
    assert line.startswith("mi[/x]ne\\n: 10/40 tasks, ")
    assert " | logits 6/30 (1 failed), [red]\\x1b[2J 4/10 | cpu-0 generation" in line
    assert "\x1b" not in text.getvalue()


def test_plain_lines_of_one_sweep_say_everything_once() -> None:
    out, text = console(terminal=False)
    with view(out, "mine") as shown:
        shown.show(replace(STATUS, sweeps=SWEEPS[:1]))
    assert "logits" not in text.getvalue()


@pytest.mark.parametrize("terminal", [True, False])
def test_where_a_run_stands_once(terminal: bool) -> None:
    out, text = console(terminal)
    report(out, "mine", replace(STATUS, sweeps=SWEEPS))
    for part in ("mine", "10/40", "logits", "6/30", "1 failed", "[red]\\x1b[2J", "quantization=8-bit"):
        assert part in text.getvalue()


def test_the_end_is_always_told() -> None:
    out, text = console(terminal=False)
    with view(out, "mine") as shown:
        shown.show(STATUS)
        shown.show(replace(STATUS, done=40))
    assert "mine: 40/40 tasks" in text.getvalue()


def test_what_was_never_run_says_nothing_about_the_time_that_is_left() -> None:
    assert throughput_line(replace(STATUS, done=16, untried=6)).startswith(
        "30 rows, 6.0 tasks/min, about 4 min 0 s left"
    )
    assert throughput_line(replace(STATUS, done=10, untried=6)).startswith("30 rows, no estimate yet")


def test_a_line_for_each_worker_on_a_terminal() -> None:
    out, text = console(terminal=True)
    with view(out, "mine") as shown:
        shown.show(STATUS)
    for part in ("10/40", "cpu-0", "AMD EPYC", "builtin://tiny-base", "quantization=8-bit"):
        assert part in text.getvalue()


def test_the_summary() -> None:
    out, text = console(terminal=False)
    summarize(out, STATUS, Path("runs/mine"), 75.0)
    for part in (
        "mine: 10 of 40 tasks",
        "30 rows in 1 min 15 s, 4 tasks were done before",
        "3 model loads; loading for every cell would have made 6",
        "rows: runs/mine/*/part-*.parquet",
    ):
        assert part in text.getvalue()


def test_the_summary_explains_what_was_not_had_and_names_the_sweeps_that_failed() -> None:
    out, text = console(terminal=False)
    status = replace(STATUS, counts={"ok": 8, "unavailable": 1, "error": 1}, sweeps=SWEEPS)
    summarize(out, status, Path("runs/[/x] [red]\x1b"), 1.0)
    shown = text.getvalue()
    assert "could not be had here and now (no such node, model, or hub); the same command tries it again" in shown
    assert "failed by sweep: logits 1\n" in shown
    assert "x] [red]\\x1b: 10 of 40 tasks" in shown
    assert "rows: runs/[/x] [red]\\x1b/*/part-*.parquet" in shown


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(0.4, "0 s"), (59.4, "59 s"), (60, "1 min 0 s"), (3599, "59 min 59 s"), (7800, "2 h 10 min")],
)
def test_durations(seconds: float, expected: str) -> None:
    assert duration(seconds) == expected


@pytest.mark.parametrize(("every_s", "lines"), [(0.0, ["planning x: 1 of 2", "planning x: 2 of 2"]), (60.0, [])])
def test_what_takes_long_says_how_far_it_is_now_and_then(
    every_s: float, lines: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "PLAIN_EVERY_S", every_s)
    told = io.StringIO()
    with progress.waiting(Console(file=told), "planning x") as tell:
        tell("1 of 2")
        tell("2 of 2")
    assert told.getvalue().splitlines() == lines
