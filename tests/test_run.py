"""The command as a user types it: exit codes, messages, the plan, rows of designed types."""

import re
import subprocess
import sys
from pathlib import Path

import pyarrow.dataset as ds
import pytest

from models.builtin import cache
from sweeps.plan.spec_file import builtin_names
from sweeps.schema import COLUMNS

NOOP = """
name = "mini"
[[sweep]]
name = "first"
benchmark = "noop"
iterations = 2
[sweep.factors]
device = ["cpu"]
cpu_cores = [1]
index = [0, 1, 2]
[[sweep.exclude]]
index = 2
[[sweep]]
name = "second"
benchmark = "noop"
iterations = 1
[sweep.factors]
device = ["cpu", "gpu x7"]
cpu_cores = [1, 4096]
"""


def run(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "error", "-m", "sweeps.run", *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=240, check=False)


@pytest.fixture
def spec(tmp_path: Path) -> str:
    (tmp_path / "mini.toml").write_text(NOOP)
    return "mini.toml"


def rows(directory: Path, sweep: str) -> "ds.Dataset":
    return ds.dataset(sorted(directory.glob(f"runs/mini/{sweep}/part-*.parquet")))


def test_inline_run_from_nothing_to_rows(spec: str, tmp_path: Path) -> None:
    answer = run(spec, "--address", "inline", cwd=tmp_path)
    assert answer.returncode == 1, "some cells could not be had"
    assert "report: python -m analysis.report runs/mini" in answer.stdout
    first, second = rows(tmp_path, "first"), rows(tmp_path, "second")
    assert first.schema.equals(COLUMNS["noop"].schema)
    assert sorted((r["index"], r["iteration"]) for r in first.to_table().to_pylist()) == [
        (0, 0),
        (0, 1),
        (1, 0),
        (1, 1),
    ]
    by_status: dict[str, list[str]] = {}
    for row in second.to_table().to_pylist():
        by_status.setdefault(row["status"], []).append(row["error_message"] or "")
        assert row["status"] == "ok" or all(row[metric] is None for metric in COLUMNS["noop"].metrics)
    assert {status: len(messages) for status, messages in by_status.items()} == {"ok": 1, "unavailable": 3}
    assert any("no node can offer [gpu x7, 1 core]; the cluster has" in m for m in by_status["unavailable"])


@pytest.mark.slow
def test_the_same_command_again_has_nothing_to_do(spec: str, tmp_path: Path) -> None:
    for _ in range(2):
        again = run(spec, "--address", "inline", cwd=tmp_path)
        assert again.returncode == 1
    assert "3 tasks were done before" in again.stdout, "and the three that could not be had were tried again"


def test_dry_run_tells_the_plan_and_touches_nothing(spec: str, tmp_path: Path) -> None:
    answer = run(spec, "quickstart", "--dry-run", cwd=tmp_path)
    assert answer.returncode == 0, answer.stderr
    assert re.search(r"first +noop +3 +1 +2 +0 +0", answer.stdout)
    assert "slot [cpu, 1 core]: 3 tasks, offered here" in answer.stdout
    assert "slot [gpu x7, 4096 cores]: 1 task, unavailable: no node can offer" in answer.stdout
    assert "prompt_words = [32]" in answer.stdout, "defaults are shown"
    assert not (tmp_path / "runs").exists()


def test_every_built_in_spec_has_a_plan(tmp_path: Path) -> None:
    answer = run(*builtin_names(), "--dry-run", cwd=tmp_path)
    assert answer.returncode == 0, answer.stderr
    for name in builtin_names():
        assert f"plan of {name}" in answer.stdout


def test_a_spec_is_checked_without_torch_or_ray(spec: str, tmp_path: Path) -> None:
    cache.ensure_built()
    code = (
        "import sys; from typer.testing import CliRunner; import typer; from sweeps.run import main;"
        "app = typer.Typer(); app.command()(main);"
        f"result = CliRunner().invoke(app, [{spec!r}, 'quickstart', '--dry-run']);"
        "assert result.exit_code == 0, result.output;"
        "assert not {'torch', 'transformers', 'ray', 'scoring.binoculars'} & set(sys.modules)"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False
    )
    assert answer.returncode == 0, answer.stderr


@pytest.mark.ray
@pytest.mark.usefixtures("ray_cluster")
def test_auto_joins_a_cluster_that_runs_and_leaves_it_running(spec: str, tmp_path: Path) -> None:
    import ray

    answer = run(spec, "--address", "auto", cwd=tmp_path)
    assert answer.returncode == 1, "some cells could not be had there"
    assert {row["status"] for row in rows(tmp_path, "first").to_table().to_pylist()} == {"ok"}
    assert any(node["Alive"] for node in ray.nodes())


WRONG = {
    "no such spec": (["nope"], "is not built in"),
    "no such file": (["nope.toml"], "no such file"),
    "wrong override": (["mini.toml", "--set", "first.factors.index=['x']"], "factors.index[0]: seen 'x'"),
    "wrong isolation": (["mini.toml", "--isolation", "room"], "choose device or node"),
    "wrong retry": (["mini.toml", "--retry", "okay"], "--retry okay: choose one of"),
    "wrong timeout": (["mini.toml", "--timeout-s", "0"], "more than 0 seconds"),
    "nobody there": (["mini.toml", "--address", "127.0.0.1:1"], "no Ray to use there (nobody listens there"),
    "not an address": (["mini.toml", "--address", "nowhere:1"], "no Ray to use there"),
    "out is a file": (["mini.toml", "--address", "inline", "--out", "mini.toml"], "--out mini.toml"),
    "no such option": (["mini.toml", "--nope"], "No such option"),
}


@pytest.mark.parametrize("mistake", WRONG)
@pytest.mark.slow
def test_a_mistake_is_one_message_and_exit_code_2(mistake: str, spec: str, tmp_path: Path) -> None:
    arguments, expected = WRONG[mistake]
    answer = run(*arguments, cwd=tmp_path)
    assert answer.returncode == 2, answer.stdout
    assert expected in answer.stderr
    assert "Traceback" not in answer.stderr
    assert not (tmp_path / "runs" / "mini").exists()


def test_an_out_directory_that_is_not_writable_is_told(spec: str, tmp_path: Path) -> None:
    answer = run(spec, "--address", "inline", "--out", "/proc/nothing", cwd=tmp_path)
    assert answer.returncode == 2
    assert "--out /proc/nothing" in answer.stderr
    assert "choose another directory" in answer.stderr


@pytest.mark.slow
def test_a_changed_spec_is_told_before_anything_starts(spec: str, tmp_path: Path) -> None:
    assert run(spec, "--address", "inline", cwd=tmp_path).returncode == 1
    answer = run(spec, "--set", "first.seed=5", cwd=tmp_path)
    assert answer.returncode == 2
    assert "seed: rows on disk 0, this spec 5" in answer.stderr
    assert "dashboard" not in answer.stdout
