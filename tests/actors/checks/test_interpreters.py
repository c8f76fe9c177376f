"""Workers of a device class start with the class's interpreter, or the reason why they cannot is reported at once."""

import contextlib
import io
import platform
import site
import sys
import time
import venv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pyarrow.dataset as ds
import pytest
import ray
import typer
from rich.console import Console
from typer.testing import CliRunner

import actors.ray_pool.cluster
import sweeps.run as command
from actors.benchmarks.noop import Noop, NoopFactors
from actors.checks import interpreters
from actors.checks.interpreters import Installed, Versions, check_interpreter, mismatch
from actors.devices.allocator import Allocator
from actors.devices.nodes import Gpu, Node
from sweeps.plan.machines import Machines
from sweeps.task import Row, Slot, Task
from tests.conftest import ROOT

OURS = Versions(ray.__version__, platform.python_version())
RAY = Versions("2.60.0", "3.11.7")
KEPLER = "/venvs/kepler/bin/python"


def other_venv(directory: Path, ray_version: str | None = None) -> str:
    """Make a second interpreter with this interpreter's packages; `ray_version` replaces its Ray."""
    venv.EnvBuilder(symlinks=True).create(directory)
    (packages,) = directory.glob("lib/python*/site-packages")
    (packages / "ours.pth").write_text(f"import site; site.addsitedir({site.getsitepackages()[0]!r})\n")
    if ray_version:
        (packages / "ray").mkdir()
        (packages / "ray" / "__init__.py").write_text(f"__version__ = {ray_version!r}\n")
    return str(directory / "bin" / "python")


def script(path: Path, text: str) -> str:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


def running(text: str) -> list[int]:
    """Return the ids of processes whose command line contains `text`."""
    return [
        process.pid
        for process in psutil.process_iter(["cmdline"])
        if any(text in word for word in process.info["cmdline"] or [])
    ]


@pytest.mark.parametrize(
    ("installed", "needed", "told"),
    [
        (Installed(RAY), RAY, None),
        (
            Installed(Versions("2.9.0", "3.11.7")),
            RAY,
            "it has Ray 2.9.0 on Python 3.11.7; needed is Ray 2.60.0 on Python",
        ),
        (
            Installed(Versions(None, "3.11.7"), {"ray": "no"}),
            RAY,
            "it has no Ray on Python 3.11.7; needed is Ray 2.60.0",
        ),
        (Installed(Versions("2.60.0", "3.12.7")), RAY, "it has Ray 2.60.0 on Python 3.12.7; needed"),
        (Installed(Versions("2.60.0", "3.11.9")), RAY, "it has Ray 2.60.0 on Python 3.11.9; needed"),
        (
            Installed(RAY, {"torch": "ImportError: x"}),
            RAY,
            "it has Ray 2.60.0 on Python 3.11.7, but cannot import torch (Imp",
        ),
    ],
)
def test_ray_and_python_must_be_the_drivers(installed: Installed, needed: Versions, told: str | None) -> None:
    reason = mismatch(installed, needed)
    assert reason is None if told is None else reason is not None and reason.startswith(told)


def test_ray_can_be_told_that_the_minor_version_of_python_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_DEFAULT_PYTHON_VERSION_MATCH_LEVEL", "minor")
    assert mismatch(Installed(Versions("2.60.0", "3.11.9")), RAY) is None
    assert mismatch(Installed(Versions("2.60.0", "3.12.7")), RAY) is not None


def test_workers_import_from_the_checkout_of_the_driver() -> None:
    assert interpreters.own_directories() == ([str(ROOT)] if (ROOT / "pyproject.toml").is_file() else [])


def test_what_is_no_interpreter_is_told(tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.write_text("no program")
    broken = script(tmp_path / "broken", "echo 'a library is missing' >&2; exit 3")
    assert check_interpreter(str(tmp_path / "nowhere"), OURS, "/") == "there is no such file"
    assert check_interpreter(str(plain), OURS, "/") == "it cannot be started: Permission denied"
    problem = check_interpreter(broken, OURS, "/")
    assert problem == "it is no Python that works: exit code 3, and said 'a library is missing'"


def test_an_interpreter_that_hangs_is_ended_with_all_it_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(interpreters, "CHECK_TIMEOUT_S", 0.3)
    hangs = script(tmp_path / "hangs", f"sh -c 'sleep 3600' {tmp_path}/child")
    assert check_interpreter(hangs, OURS, "/") == "it did not answer within 0.3 s"
    wait_until_gone(str(tmp_path))


def test_an_interpreter_without_our_packages_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYTHONPATH")
    venv.EnvBuilder(symlinks=True).create(tmp_path / "bare")
    python = str(tmp_path / "bare" / "bin" / "python")
    (packages,) = (tmp_path / "bare").glob("lib/python*/site-packages")
    assert "it has no Ray on Python" in str(check_interpreter(python, OURS, "/"))
    (packages / "ray.py").write_text(f"__version__ = {OURS.ray!r}")
    assert "cannot import torch (ModuleNotFoundError: No module named 'torch'); actors.ray_pool.pool (Mod" in str(
        check_interpreter(python, OURS, "/")
    )


@pytest.fixture
def allocator() -> Allocator:
    """Return an allocator of a box with a GTX 1070 and two dies of a K80, which have their own interpreter."""
    gpus = (
        Gpu("GPU-aaa", "Tesla K80", 12 * 2**30, (3, 7)),
        Gpu("GPU-ccc", "NVIDIA GeForce GTX 1070", 8 * 2**30, (6, 1)),
        Gpu("GPU-aab", "Tesla K80", 12 * 2**30, (3, 7)),
    )
    return Allocator({"n1": Node("n1", "box", "Xeon", tuple(range(8)), gpus)}, Machines("boxes.toml", {"k80": KEPLER}))


def test_a_worker_gets_devices_of_one_interpreter(allocator: Allocator) -> None:
    allocated = allocator.allocate(Slot("gpu", 2, 1), "w")
    assert allocated is not None
    assert (allocated[1].device_class, allocator.python(allocated[1])) == ("tesla-k80+tesla-k80", KEPLER)
    last = allocator.allocate(Slot("gpu", 1, 1), "v")
    assert last is not None
    assert (last[1].device_class, allocator.python(last[1])) == ("gtx-1070", None)


def test_devices_that_only_different_interpreters_could_use_are_no_slot(allocator: Allocator) -> None:
    reason = allocator.infeasible(Slot("gpu", 3, 1)) or ""
    assert "boxes.toml has its devices use different interpreters, a worker has one: " in reason
    assert f"tesla-k80: {KEPLER}, gtx-1070: that of Ray" in reason


def test_an_interpreter_that_does_not_do_takes_its_devices_with_it_and_no_other(allocator: Allocator) -> None:
    allocator.ban_interpreter("n1", KEPLER, "it is broken")
    assert "it is broken" in (allocator.infeasible(Slot("k80", 1, 1)) or "")
    assert "it is broken" in (allocator.infeasible(Slot("gpu", 2, 1)) or "")
    assert allocator.infeasible(Slot("cpu", 0, 8)) is None
    allocated = allocator.allocate(Slot("gpu", 1, 1), "w")
    assert allocated is not None
    assert allocated[1].device_class == "gtx-1070"
    assert allocator.allocate(Slot("gpu", 1, 1), "v") is None


def test_an_interpreter_for_cores_says_nothing_about_gpus(allocator: Allocator) -> None:
    allocator.machines = Machines("boxes.toml", {"cpu": KEPLER})
    allocator.ban_interpreter("n1", KEPLER, "it is broken")
    assert "it is broken" in (allocator.infeasible(Slot("cpu", 0, 1)) or "")
    assert allocator.infeasible(Slot("k80", 2, 1)) is None


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--machines", "nowhere.toml"], "--machines nowhere.toml: cannot be read"),
        (["--machines", "boxes.toml", "--address", "inline"], "--address inline runs everything in this process"),
    ],
)
def test_a_machine_file_of_no_use_is_told_before_anything_starts(arguments: list[str], told: str) -> None:
    app = typer.Typer()
    app.command()(command.main)
    answer = CliRunner().invoke(app, ["quickstart", *arguments])
    assert (answer.exit_code, told in answer.output) == (2, True), answer.output


class RecordsInterpreter(Noop):
    """A no-op that writes its interpreter's path into a file."""

    def __init__(self, told: Path) -> None:
        self.directory = told

    def rows(self, held: None, task: Task, factors: NoopFactors) -> Iterator[Row]:
        (self.directory / task.task_id).write_text(sys.executable)
        return super().rows(held, task, factors)


SPEC = """
name = "several"
[[sweep]]
name = "s"
benchmark = "noop"
iterations = 1
[sweep.factors]
device = ["cpu"]
cpu_cores = [1]
index = [0, 1]
"""


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ray_cluster: None) -> Path:
    """Return the directory for `RecordsInterpreter`; the command uses the session's cluster without joining it."""

    @contextlib.contextmanager
    def cluster(_address: str) -> Iterator[list[str]]:
        yield []

    directory = tmp_path / "told"
    directory.mkdir()
    monkeypatch.setattr(actors.ray_pool.cluster, "cluster", cluster)
    monkeypatch.setattr(command, "find_benchmarks", lambda: {"noop": RecordsInterpreter(directory)})
    return directory


def run(directory: Path, machines: Machines) -> tuple[int, list[dict[str, Any]], str]:
    """Run the command in this process; return its exit code, rows and output."""
    path = directory / "several.toml"
    path.write_text(SPEC)
    output = io.StringIO()
    wanted = command.Command((str(path),), "auto", directory / "runs", machines=machines)
    code = command.run(wanted, Console(file=output))
    parts = sorted((directory / "runs").glob("several/s/part-*.parquet"))
    return code, ds.dataset(parts).to_table().to_pylist(), output.getvalue()


@pytest.mark.ray
@pytest.mark.slow
def test_workers_of_a_class_start_with_its_interpreter(told: Path, tmp_path: Path) -> None:
    python = other_venv(tmp_path / "other venv")  # the space must not end the command
    code, rows, output = run(tmp_path, Machines("boxes.toml", {"cpu": python, "k80": "/nowhere"}))
    assert (code, [row["status"] for row in rows]) == (0, ["ok", "ok"])
    assert {path.read_text() for path in told.iterdir()} == {python}
    assert "warning: boxes.toml: no device is 'k80' so far; there are cpu" in output
    wait_until_gone(python)


@pytest.mark.ray
def test_another_ray_is_rows_of_unavailable_at_once(told: Path, tmp_path: Path) -> None:
    python = other_venv(tmp_path / "old", ray_version="2.9.0")
    code, rows, output = run(tmp_path, Machines("boxes.toml", {"cpu": python}))
    assert (code, [row["status"] for row in rows]) == (1, ["unavailable", "unavailable"])
    installed = f"it has Ray 2.9.0 on Python {OURS.python}; needed is Ray {OURS.ray} on Python {OURS.python}"
    reason = rows[0]["error_message"]
    assert "boxes.toml has workers there start with" in reason
    assert installed in reason
    assert output.count(f"warning: unavailable: {reason}") == 1, "told once, while it runs"
    assert not list(told.iterdir())
    wait_until_gone(python)


def wait_until_gone(text: str) -> None:
    deadline_s = time.monotonic() + 30
    while left := running(text):
        assert time.monotonic() < deadline_s, left
        time.sleep(0.05)
