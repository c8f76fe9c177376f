"""Runs that are killed, interrupted and continued, as real processes."""

import os
import random
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import ClassVar

import psutil
import pyarrow.dataset as ds
import pytest

PATIENCE_S = 90.0
MARK = "SWEEPS_TEST_MARK"

SPEC = """
name = "kill"
[[sweep]]
name = "s"
benchmark = "noop"
iterations = 2
warmup = 0
[sweep.factors]
device = ["cpu"]
cpu_cores = [1]
wait_s = [0.02]
index = {index}
"""


class Run:
    """One run of the command in its own session, its descendants recognizable."""

    started: ClassVar[list["Run"]] = []

    def __init__(self, directory: Path, *arguments: str) -> None:
        self.mark = uuid.uuid4().hex
        command = [sys.executable, "-m", "sweeps.run", "kill.toml", *arguments]
        self.process = subprocess.Popen(
            command,
            cwd=directory,
            env=os.environ | {MARK: self.mark},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.started.append(self)

    def finish(self) -> tuple[int, str]:
        output, _ = self.process.communicate(timeout=PATIENCE_S)
        return self.process.returncode, output

    def signal(self, number: int) -> None:
        """Send a signal to the whole foreground group, as a terminal does."""
        os.killpg(self.process.pid, number)

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate(timeout=PATIENCE_S)

    def survivors(self) -> list[str]:
        return [" ".join(process.cmdline()[:4]) for process in _marked(self.mark)]


def _marked(mark: str) -> Iterator[psutil.Process]:
    for process in psutil.process_iter():
        try:
            if process.environ().get(MARK) == mark and process.status() != psutil.STATUS_ZOMBIE:
                yield process
        except psutil.Error:
            continue


def until(condition: Callable[[], bool], what: str) -> None:
    deadline_s = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline_s, f"never: {what}"
        time.sleep(0.05)


def write_spec(directory: Path, tasks: int) -> None:
    (directory / "kill.toml").write_text(SPEC.format(index=list(range(tasks))))


def parts(directory: Path) -> list[Path]:
    return sorted(directory.glob("runs/kill/s/part-*.parquet"))


def done(directory: Path) -> list[tuple[str, int]]:
    """(task_id, iteration) of every row, sorted, repetitions kept."""
    if not parts(directory):
        return []
    table = ds.dataset(parts(directory)).to_table(columns=["task_id", "iteration"])
    return sorted(zip(table["task_id"].to_pylist(), table["iteration"].to_pylist(), strict=True))


@pytest.fixture(autouse=True)
def none_outlives_its_test() -> Iterator[None]:
    """End the runs that a failed test left, so that the tests behind it fail for their own reasons only."""
    yield
    while Run.started:
        run = Run.started.pop()
        if run.process.poll() is None:
            run.kill()


@pytest.fixture
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> Callable[[int], list[tuple[str, int]]]:
    def rows(tasks: int) -> list[tuple[str, int]]:
        directory = tmp_path_factory.mktemp("unbroken")
        write_spec(directory, tasks)
        assert Run(directory, "--address", "inline").finish()[0] == 0
        return done(directory)

    return rows


@pytest.mark.slow
def test_killed_ten_times_at_random_and_continued_equals_unbroken(
    tmp_path: Path, unbroken: Callable[[int], list[tuple[str, int]]]
) -> None:
    tasks = 600
    write_spec(tmp_path, tasks)
    chance = random.Random(0)
    for _ in range(10):
        run = Run(tmp_path, "--address", "inline")
        try:
            run.process.wait(timeout=chance.uniform(1.0, 6.0))
        except subprocess.TimeoutExpired:
            run.kill()
    assert Run(tmp_path, "--address", "inline").finish()[0] == 0
    assert done(tmp_path) == unbroken(tasks)


@pytest.mark.slow
@pytest.mark.ray
@pytest.mark.timeout(600)
def test_a_ray_run_killed_at_random_is_continued_and_leaves_no_process(
    tmp_path: Path, unbroken: Callable[[int], list[tuple[str, int]]]
) -> None:
    tasks = 600
    write_spec(tmp_path, tasks)
    chance = random.Random(1)
    killed = 0
    for kill in range(3):
        run = Run(tmp_path)
        before = set(parts(tmp_path))

        def wrote_or_ended(run: Run = run, before: set[Path] = before) -> bool:
            return bool(set(parts(tmp_path)) - before) or run.process.poll() is not None

        until(wrote_or_ended, "a part, or the end of the run on a machine that is fast")
        try:
            run.process.wait(timeout=chance.uniform(0.0, 2.0))
        except subprocess.TimeoutExpired:
            run.kill()
            killed += 1
        until(lambda run=run: not run.survivors(), f"the end of every process of run {kill}")  # type: ignore[misc]
    assert killed
    code, output = Run(tmp_path).finish()
    assert code == 0, output
    assert done(tmp_path) == unbroken(tasks)


@pytest.mark.slow
@pytest.mark.ray
@pytest.mark.timeout(600)
@pytest.mark.parametrize("address", ["inline", "local"])
def test_one_interrupt_finishes_what_is_in_flight_and_prints_how_to_go_on(address: str, tmp_path: Path) -> None:
    write_spec(tmp_path, 3000)
    run = Run(tmp_path, "--address", address)
    until(lambda: bool(parts(tmp_path)), "a part")
    run.signal(signal.SIGINT)
    code, output = run.finish()
    assert code == 130, output
    options = "" if address == "local" else f" --address {address}"
    assert f"  python -m sweeps.run kill.toml{options}\n" in output
    assert "asked to stop: tasks in flight have 60 s to finish" in output
    assert "Traceback" not in output
    rows = done(tmp_path)
    assert 0 < len(rows) < 6000
    assert len(rows) == len(set(rows)) == 2 * len({task_id for task_id, _ in rows}), "whole tasks, each once"
    until(lambda: not run.survivors(), "the end of every process")


@pytest.mark.slow
@pytest.mark.ray
@pytest.mark.timeout(600)
@pytest.mark.parametrize("address", ["inline", "local"])
def test_two_interrupts_stop_at_once(address: str, tmp_path: Path) -> None:
    (tmp_path / "kill.toml").write_text(SPEC.format(index=[0]).replace("0.02", "3600.0"))
    run = Run(tmp_path, "--address", address)
    environment = tmp_path / "runs/kill/s/_environment.json"
    until(lambda: environment.exists() and '"host"' in environment.read_text(), "a worker that joined")
    run.signal(signal.SIGINT)
    time.sleep(0.5)  # a person presses twice
    run.signal(signal.SIGINT)
    code, output = run.finish()
    assert code == 130, output
    assert "Traceback" not in output
    until(lambda: not run.survivors(), "the end of every process")
