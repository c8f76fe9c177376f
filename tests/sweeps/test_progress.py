"""What a person reads while a run goes on, and at its end."""

import io
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from sweeps.progress import PlainView, duration, pace, summarize, view
from sweeps.standing import Status, WorkerStatus
from sweeps.task import Slot

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


def test_the_end_is_always_told() -> None:
    out, text = console(terminal=False)
    with view(out, "mine") as shown:
        shown.show(STATUS)
        shown.show(replace(STATUS, done=40))
    assert "mine: 40/40 tasks" in text.getvalue()


def test_what_was_never_run_says_nothing_about_the_time_that_is_left() -> None:
    assert pace(replace(STATUS, done=16, untried=6)).startswith("30 rows, 6.0 tasks/min, about 4 min 0 s left")
    assert pace(replace(STATUS, done=10, untried=6)).startswith("30 rows, no estimate yet")


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


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(0.4, "0 s"), (59.4, "59 s"), (60, "1 min 0 s"), (3599, "59 min 59 s"), (7800, "2 h 10 min")],
)
def test_durations(seconds: float, expected: str) -> None:
    assert duration(seconds) == expected
