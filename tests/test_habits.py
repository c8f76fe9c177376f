"""What people's directories, terminals and habits do to the command: it works, or says in one message why not."""

import io
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from rich.console import Console

from sweeps import run as command
from sweeps.command import Command, parse_policy
from sweeps.errors import UserError
from sweeps.schema import COLUMNS

SPEC = """
name = "mini"
[[sweep]]
name = "s"
benchmark = "noop"
iterations = 1
[sweep.factors]
device = ["cpu"]
cpu_cores = [1]
index = [0, 1]
"""


def run(
    *arguments: str, cwd: Path, stdout: int | None = subprocess.PIPE, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Inline, unless the arguments say otherwise."""
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", "sweeps.run", "--address", "inline", *arguments],
        cwd=cwd,
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        timeout=120,
        check=False,
        env=os.environ | environment,
    )


def say(
    *specs: str, cwd: Path, address: str = "inline", retry: str | None = None, dry_run: bool = False
) -> tuple[int, str]:
    """Exit code and what is printed, without a process of its own."""
    told = io.StringIO()
    wanted = Command(
        tuple(str(cwd / spec) for spec in specs),
        address,
        cwd / "runs",
        dry_run=dry_run,
        policy=parse_policy("device", 60.0, [retry] if retry else [], fresh=False),
    )
    return command.run(wanted, Console(file=told, width=200)), told.getvalue()


@pytest.fixture
def spec(tmp_path: Path) -> str:
    (tmp_path / "mini.toml").write_text(SPEC)
    return "mini.toml"


@pytest.mark.slow
def test_folders_and_files_named_as_ours_do_not_stand_in_for_ours(spec: str, tmp_path: Path) -> None:
    for name in ("models", "actors", "analysis"):
        (tmp_path / name).mkdir()
    (tmp_path / "scoring.py").write_text("raise SystemExit('this is not ours')")
    answer = run(spec, cwd=tmp_path, PYTHONPATH="")
    assert answer.returncode == 0, answer.stderr


@pytest.mark.slow
def test_a_full_device_to_print_to_ends_the_run_and_keeps_its_rows(spec: str, tmp_path: Path) -> None:
    with Path("/dev/full").open("w") as full:
        answer = run(spec, cwd=tmp_path, stdout=full.fileno())
    assert (answer.returncode, answer.stderr.count("\n")) == (1, 1), answer.stderr
    assert "cannot print any longer (No space left on device)" in answer.stderr
    again = run(spec, cwd=tmp_path)
    assert again.returncode == 0, again.stderr


@pytest.mark.slow
def test_a_pipe_that_closes_ends_the_run_without_a_traceback(spec: str, tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    answer = run(spec, cwd=tmp_path, stdout=writing)
    os.close(writing)
    assert answer.returncode == 1
    assert "Traceback" not in answer.stderr
    assert "Exception ignored" not in answer.stderr


@pytest.mark.slow
def test_names_that_are_no_text_are_printed_all_the_same(tmp_path: Path) -> None:
    folder = os.fsdecode(bytes(tmp_path) + b"/caf\xe9 [v2]")
    Path(folder).mkdir()
    (Path(folder) / "mini.toml").write_text(SPEC)
    answer = run(f"{folder}/mini.toml", "--out", f"{folder}/runs", cwd=tmp_path, LC_ALL="C", PYTHONUTF8="0")
    assert answer.returncode == 0, answer.stderr
    assert "[v2]" in answer.stdout
    assert len(list(Path(folder).glob("runs/mini/s/part-*"))) == 1


def test_two_specs_of_one_name_are_refused_before_either_runs(spec: str, tmp_path: Path) -> None:
    (tmp_path / "other.toml").write_text(SPEC)
    with pytest.raises(UserError, match="two of the specs are named 'mini'"):
        say(spec, "other.toml", cwd=tmp_path)
    assert not (tmp_path / "runs" / "mini").exists()


def test_a_finished_spec_starts_no_ray_and_says_how_it_stands(
    spec: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert say(spec, cwd=tmp_path)[0] == 0
    monkeypatch.setattr(command, "_connect", lambda *_: pytest.fail("there is nothing to start Ray for"))
    code, told = say(spec, cwd=tmp_path, address="local")
    assert code == 0
    assert "2 tasks were done before" in told


def test_what_could_not_be_had_is_no_success_and_is_tried_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    missing = SPEC.replace("noop", "model_loading").replace("index = [0, 1]", 'model = ["./smol"]')
    (tmp_path / "mini.toml").write_text(missing)
    (tmp_path / "smoll").mkdir()
    _, planned = say("mini.toml", cwd=tmp_path, dry_run=True)
    assert f"no directory {tmp_path}/smol" in planned
    assert f"did you mean '{tmp_path}/smoll'" in planned
    for _ in range(2):
        code, told = say("mini.toml", cwd=tmp_path)
        assert (code, "warning: s: factors.model: no directory" in told) == (1, True)
        assert "nothing was measured" in capsys.readouterr().err
        assert list(pd.read_parquet(tmp_path / "runs" / "mini" / "s")["status"]) == ["unavailable"]
        assert "done before" not in told


@pytest.mark.parametrize(
    ("device", "meant"), [("cuda", "a GPU of any class is called 'gpu'"), ("cpuu", "did you mean 'cpu'?")]
)
def test_a_device_that_nobody_has_is_told_with_what_may_be_meant(device: str, meant: str, tmp_path: Path) -> None:
    (tmp_path / "mini.toml").write_text(SPEC.replace('"cpu"', f'"{device}"'))
    _, planned = say("mini.toml", cwd=tmp_path, dry_run=True)
    assert f"unavailable: no node can offer [{device}, 1 core] ({meant})" in planned
    code, told = say("mini.toml", cwd=tmp_path)
    assert (code, meant in told) == (1, True)


def test_a_retry_that_matches_nothing_says_so_and_its_dry_run_shows_what_it_runs(spec: str, tmp_path: Path) -> None:
    assert say(spec, cwd=tmp_path)[0] == 0
    _, told = say(spec, cwd=tmp_path, retry="timeout")
    assert "--retry: no task there ended as timeout" in told
    folder = tmp_path / "runs" / "mini" / "s"
    table = pd.read_parquet(folder)
    for part in folder.glob("part-*"):
        part.unlink()
    table.loc[0, "status"] = "error"
    table.to_parquet(folder / "part-000000.parquet", schema=COLUMNS["noop"].schema)
    code, told = say(spec, cwd=tmp_path)
    assert code == 1
    assert "1 task ended as error in an earlier run and stays so; --retry error runs it again" in told
    _, planned = say(spec, cwd=tmp_path, retry="error", dry_run=True)
    assert "slot [cpu, 1 core]: 1 task, offered here" in planned
    assert say(spec, cwd=tmp_path, retry="error")[0] == 0


def test_a_part_that_was_copied_is_told(spec: str, tmp_path: Path) -> None:
    assert say(spec, cwd=tmp_path)[0] == 0
    (part,) = (tmp_path / "runs" / "mini" / "s").glob("part-*")
    part.with_name("part-000009.parquet").write_bytes(part.read_bytes())
    assert "2 tasks stand in more than one part" in say(spec, cwd=tmp_path)[1]


def test_a_name_that_is_taken_for_a_hub_id_is_told_before_the_run(tmp_path: Path) -> None:
    (tmp_path / "mini.toml").write_text(
        SPEC.replace("noop", "model_loading").replace("index = [0, 1]", 'model = ["models/bse", "builtin://tiny-base"]')
    )
    _, planned = say("mini.toml", cwd=tmp_path, dry_run=True)
    assert "factors.model: of the Hub, because no directory of that name is beside the spec: models/bse\n" in planned
