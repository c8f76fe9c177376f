"""The live view at every width: nothing wraps, and what tells lines apart is never cut."""

import io
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from sweeps.schedule.run_status import Status, SweepStatus, WorkerStatus
from sweeps.task import Slot
from sweeps.view.live_table import MAX_SWEEPS, MAX_WORKERS, Picture, shorten_names

WIDTHS = (40, 60, 80, 100, 200)
SLOT = Slot("gpu", 1, 4)
MODEL = "meta-llama/Meta-Llama-3-8B-Instruct"
LEVELS = (("none", 16), ("8-bit", 256), ("4-bit", 64))
WORKERS = (
    *(
        WorkerStatus(
            f"tesla-k80-{number}",
            SLOT,
            "Tesla K80",
            MODEL,
            f"generation model={MODEL} quantization={quantization} cpu_cores=4 max_new_tokens={tokens}",
            63.0,
        )
        for number, (quantization, tokens) in enumerate(LEVELS)
    ),
    WorkerStatus("cpu-0", SLOT, "AMD EPYC 7763 64-Core Processor", "", "", 0.0),
)
STATUS = Status(
    total=1440,
    done=312,
    done_before=0,
    rows=936,
    counts={"ok": 300, "error": 10, "unavailable": 2},
    loads=3,
    loads_naive=9,
    demand={},
    workers=WORKERS,
    failure=None,
    warnings=(),
    elapsed_s=600.0,
    sweeps=(
        SweepStatus("generation", 960, 300, 10),
        SweepStatus("binoculars_combinations", 400, 12, 2),
        SweepStatus("encoding", 80, 0, 0),
    ),
)


def lines(status: Status, width: int, title: str = "study") -> list[str]:
    out = Console(file=io.StringIO(), force_terminal=True, width=width, color_system=None)
    out.print(Picture(title, status))
    text = out.file.getvalue()  # type: ignore[attr-defined]
    assert isinstance(text, str)
    return text.splitlines()


@pytest.mark.parametrize("width", WIDTHS)
def test_nothing_that_matters_is_cut_at_any_width(width: int) -> None:
    shown = lines(STATUS, width)
    assert max(map(cell_len, shown)) <= width
    text = "\n".join(shown)
    for part in ("study", "312/1440", "936 rows", "31.2 tasks/min", "about 36 min 9 s left", "12 failed", "1 min 3 s"):
        assert part in text
    for part in (
        "300/960",
        "10 failed",
        "12/400",
        "2 failed",
        "encoding",
        "0/80",
        "tesla-k80-2",
        "starting or waiting",
    ):
        assert part in text
    for quantization, tokens in LEVELS:
        assert f"quantization={quantization}" in text
        assert f"max_new_tokens={tokens}" in text
    assert "Llama-3-8B-Instruct" in text


@pytest.mark.parametrize("width", (60, 80, 100, 200))
def test_a_bar_is_a_bar(width: int) -> None:
    bar = max(
        len(run) for line in lines(replace(STATUS, done=1440), width) for run in line.split() if set(run) == {"━"}
    )
    assert bar >= 20


def test_devices_are_shown_where_there_is_room_and_models_once() -> None:
    assert "Tesla K80" in lines(STATUS, 200)[-4]
    assert not any("Tesla K80" in line for line in lines(STATUS, 100))
    assert lines(STATUS, 200)[-4].count(MODEL) == 1
    loading = replace(STATUS, workers=(replace(WORKERS[0], running="generation quantization=none"),))
    assert MODEL in lines(loading, 100)[-1]


def test_columns_of_workers_stand_below_each_other() -> None:
    starts = {line.index("quantization=") for line in lines(STATUS, 200) if "quantization=" in line}
    assert len(starts) == 1


def test_long_names_are_shortened_before_levels_take_a_line_of_their_own() -> None:
    workers = tuple(replace(WORKERS[0], running=f"s model={MODEL} k={k}") for k in (1, 2))
    assert lines(replace(STATUS, workers=workers), 50)[-2:] == [
        "tesla-k80-0  s model=meta…-Instruct k=1  1 min 3 s",
        "tesla-k80-0  s model=meta…-Instruct k=2  1 min 3 s",
    ]


def test_one_sweep_needs_no_line_of_its_own() -> None:
    assert len(lines(replace(STATUS, sweeps=STATUS.sweeps[:1]), 200)) == 5


def test_of_many_sweeps_and_workers_those_that_go_on_are_shown() -> None:
    sweeps = tuple(SweepStatus(f"s{n:02}", 10, 10 if n < 20 else 5, n % 2) for n in range(40))
    shown = lines(replace(STATUS, sweeps=sweeps, workers=WORKERS * 10), 100)
    assert sum(line.startswith(("  s2", "  s3")) for line in shown) == MAX_SWEEPS
    assert shown[2].startswith("  s20")
    assert "  and 28 more, 20 finished, 14 failed" in shown
    assert shown[-1] == f"and {40 - MAX_WORKERS} more workers"


def test_no_tasks_no_workers_no_sweeps() -> None:
    empty = replace(STATUS, total=0, done=0, counts={}, workers=(), sweeps=(), rows=0)
    assert "starting workers" in "\n".join(lines(empty, 80))


@pytest.mark.parametrize(
    ("label", "cells", "expected"),
    [
        (f"s model={MODEL} k=1", 30, "s model=meta-l…8B-Instruct k=1"),
        (f"s model={MODEL} k=1", 200, f"s model={MODEL} k=1"),
        ('s pair=["aaaaaaaa/aaaaaaaa", "bbbbbbbb/bbbbbbbb"] [part 3]', 40, 's pair=["aaaaaa…bbbb/bbbbbbbb"] [part 3]'),
        ("s device=gpu x3 k=1", 5, "s device=gpu x3 k=1"),
    ],
)
def test_names_lose_their_middle_and_levels_nothing(label: str, cells: int, expected: str) -> None:
    assert shorten_names(label, cells) == expected


@pytest.mark.parametrize("width", WIDTHS)
def test_names_never_reach_the_terminal_as_they_are(width: int) -> None:
    evil = "[red]\x1b[2J[/x]\n\u202e新"
    worker = replace(WORKERS[0], running=f"s model={evil} k=1", worker_id=evil, device=evil, model=evil)
    status = replace(STATUS, workers=(worker,), sweeps=(SweepStatus(evil, 2, 1, 1), *STATUS.sweeps))
    shown = "\n".join(lines(status, width, evil))
    assert "\x1b[2J" not in shown
    assert "\u202e" not in shown
    assert shown.count("[red]") >= 3


NAMES = st.text(st.characters(exclude_categories=[]), max_size=50)


@pytest.mark.fuzz
@given(
    title=NAMES,
    worker=st.builds(WorkerStatus, NAMES, st.just(SLOT), NAMES, NAMES, NAMES, st.floats(0, 1e7)),
    sweep=st.builds(SweepStatus, NAMES, st.integers(0, 10**9), st.integers(0, 10**9), st.integers(0, 10**9)),
    width=st.integers(30, 250),
)
def test_any_name_at_any_width(title: str, worker: WorkerStatus, sweep: SweepStatus, width: int) -> None:
    status = replace(STATUS, workers=(worker, *WORKERS), sweeps=(sweep, *STATUS.sweeps))
    for line in lines(status, width, title):
        assert cell_len(line) <= width
