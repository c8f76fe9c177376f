"""`python -m analysis.thresholds` on run directories: what it writes, prints and refuses."""

import errno
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import typer
from typer.testing import CliRunner, Result

from analysis.thresholds.__main__ import app, main
from scoring.calibration import Calibration
from tests.analysis.thresholds.conftest import Frames

Write = Callable[..., Path]
SETTINGS: dict[str, Any] = {
    "benchmark": "binoculars",
    "status": "ok",
    "attempt": 1,
    "iteration": 0,
    "pair": '["base", "instruct"]',
    "observer": "base",
    "performer": "instruct",
    "revision": "a1, b2",
    "dtype_effective": "float32",
    "quantization": "none",
    "alignment": "reference",
    "max_tokens": 512,
    "fragments": '{"mode": "random", "min_words": 10}',
    "task_id": "t",
    "cell_id": "c",
}


def records(rows: pd.DataFrame, **columns: Any) -> list[dict[str, Any]]:
    return (rows.assign(**(SETTINGS | columns)).astype(object)).to_dict("records")


@pytest.fixture
def scored(run_dir: Path, write: Write, frame: Frames) -> Path:
    rows = frame(400).assign(fast_detect=lambda table: -table["score"])
    write(run_dir, records(rows), "scoring", benchmark="binoculars")
    return run_dir


def call(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments], env={"COLUMNS": "160"})


def test_it_writes_the_file_and_the_tables_and_says_where(scored: Path, tmp_path: Path) -> None:
    out = tmp_path / "new" / "mine.json"
    result = call(
        scored, "--fpr", "0.05", "--out", out, "--split", "0.3,0.4,0.3", "--score", "auto", "--group", "dataset"
    )
    assert result.exit_code == 0, result.output
    calibration = Calibration.read(out)
    assert calibration.binding.observer_revision == "a1"
    assert calibration.population.records == 160
    assert json.loads(out.read_text())["population"]["near_duplicates"] is None
    assert "near-duplicates are not known: the rows do not name their corpus" in result.stderr
    assert "at most 5% of new human texts like these are flagged in each group, with confidence 95%" in result.stdout
    assert result.stdout.splitlines()[-2:] == [f"calibration {out}", f"tables      {tmp_path / 'new' / 'mine-tables'}"]
    tables = sorted(path.name for path in (tmp_path / "new" / "mine-tables").iterdir())
    assert len(tables) == 11
    assert {"auroc.csv", "held_out.csv", "score_choice.csv", "reliability.csv"} <= set(tables)


def test_too_few_records_end_with_2_and_write_nothing(scored: Path, tmp_path: Path) -> None:
    out = tmp_path / "calibration.json"
    result = call(scored, "--out", out)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert "needs 299 different records with human text" in result.stderr
    assert "there are 240" in result.stderr
    assert "(split)" in result.stderr
    assert not out.exists()
    assert not (tmp_path / "calibration-tables").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--split", "a,b"), "--split 'a,b': numbers with commas"),
        (("--split", "1"), "three shares are needed"),
        (("--bins", "10"), "two or more whole numbers"),
        (("--bins", "10,x"), "--bins '10,x': numbers"),
        (("--sweep", "other"), "no sweep 'other'; sweeps with scores of texts: scoring"),
        (("--where", "dtype_effective"), "COLUMN=VALUE is needed"),
        (("--where", "dtype_effective=float16"), "no row has this value of dtype_effective; rows have float32"),
        (("--group", "native"), "--group native: no such column"),
        (("--score", "lrr"), "they have no value of lrr"),
        (("--fpr", "5"), "fpr is 5.0"),
    ],
)
def test_a_mistake_is_one_message(scored: Path, tmp_path: Path, options: tuple[str, ...], message: str) -> None:
    result = call(scored, "--fpr", "0.05", "--out", tmp_path / "c.json", *options)
    assert result.exit_code == 2
    assert message in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert not (tmp_path / "c.json").exists()


def test_directories_without_scores_are_named(tmp_path: Path, small_run: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    for directory, message in (
        (empty, "no rows here"),
        (tmp_path / "gone", "no such directory"),
        (small_run, "no sweep has scores of texts (it has generation)"),
    ):
        result = call(directory)
        assert result.exit_code == 2
        assert message in result.stderr


def test_a_sweep_and_its_settings_are_chosen_by_name(scored: Path, write: Write, frame: Frames, tmp_path: Path) -> None:
    rows = [*records(frame(200)), *records(frame(200), quantization="4-bit", cell_id="d", task_id="u")]
    write(scored, rows, "several", benchmark="binoculars")
    out = tmp_path / "c.json"
    assert "choose with --sweep: scoring, several" in call(scored, "--fpr", "0.05").stderr
    options = ("--fpr", "0.05", "--sweep", "several", "--out", out)
    assert "quantization: none (400 rows), 4-bit (400 rows)" in call(scored, *options).stderr
    assert call(scored, *options, "--where", "quantization=4-bit").exit_code == 0
    assert Calibration.read(out).binding.quantization == "4-bit"
    pair = ("--where", 'pair=["base","instruct"]', "--where", "quantization=none")
    assert call(scored, *options, *pair).exit_code == 0
    assert Calibration.read(out).binding.quantization == "none"


def test_a_score_that_points_the_other_way_and_a_subgroup_above_the_promise_are_said(
    run_dir: Path, write: Write, frame: Frames, tmp_path: Path
) -> None:
    rows = frame(400, machine=2.0)
    few = rows["record_id"] < "r000030"
    rows.loc[few, "dataset"] = "few [bold]texts"
    rows.loc[few & (rows["author"] == "human"), "score"] -= 5
    rows["truncated"] = rows.index == 3
    rows.loc[5, "score"] = None
    write(run_dir, records(rows, text_sha256=rows["record_id"]), "scoring", benchmark="binoculars")
    result = call(run_dir, "--fpr", "0.05", "--out", tmp_path / "c.json", "--by", "none")
    assert result.exit_code == 0, result.stderr
    assert "score: AUROC 0" in result.stderr
    assert "here this score points the other way; it is not turned round" in result.stderr
    assert "dataset few [bold]texts: " in result.stderr
    assert "dataset few [bold]texts" in result.stdout
    assert "more than the promised 5%" in result.stderr
    assert "1 of 800 rows are left out: they have no value of score" in result.stderr
    assert "1 text was cut at the token limit" in result.stderr


def test_whole_texts_with_one_hash_are_one_record(run_dir: Path, write: Write, frame: Frames, tmp_path: Path) -> None:
    rows = frame(400)
    rows["text_sha256"] = rows["record_id"].str[:-1] + rows["author"]
    write(run_dir, records(rows, fragments='{"mode": "whole"}'), "scoring", benchmark="binoculars")
    result = call(run_dir, "--fpr", "0.2", "--confidence", "0.9", "--out", tmp_path / "c.json")
    assert result.exit_code == 0, result.stderr
    assert Calibration.read(tmp_path / "c.json").population.records == 24


def test_what_cannot_be_written_is_one_message_and_no_half_file(
    scored: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    result = call(scored, "--fpr", "0.05", "--out", blocked / "c.json")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "cannot be made" in result.stderr
    out = tmp_path / "c.json"
    assert call(scored, "--fpr", "0.05", "--out", out).exit_code == 0
    before = contents(tmp_path)
    assert len(before) == 11  # with the file that is in the way
    full_after = iter(range(5))
    monkeypatch.setattr("sweeps.atomic_write.os.fsync", lambda _: next(full_after, None) is None and no_space())
    result = call(scored, "--fpr", "0.05", "--seed", "1", "--out", out)
    assert result.exit_code == 2
    assert "No space left" in result.stderr
    assert contents(tmp_path) == before


def test_the_calibration_takes_its_name_last_so_that_its_tables_are_there(
    scored: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    renamed: list[Path] = []
    monkeypatch.setattr("sweeps.atomic_write._rename", lambda _, path: renamed.append(path))
    assert call(scored, "--fpr", "0.05", "--out", tmp_path / "c.json").exit_code == 0
    assert len(renamed) == 10
    assert renamed[-1] == tmp_path / "c.json"


def contents(directory: Path) -> dict[str, bytes]:
    """Return every file below, other than those of the run."""
    files = [path for path in directory.rglob("*") if path.is_file() and path.suffix != ".parquet"]
    return {str(path): path.read_bytes() for path in files if not path.name.startswith("_")}


def no_space() -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_full_disk_behind_stdout_is_one_message_and_a_closed_pipe_is_no_fault(
    scored: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "c.json"
    with Path("/dev/full").open("w") as full:  # closing it flushes, as the interpreter's end does
        monkeypatch.setattr(sys, "stdout", full)
        with pytest.raises(typer.Exit) as ended:
            main(scored, fpr=0.05, out=out)
    assert ended.value.exit_code == 2
    assert (
        capsys.readouterr().err.splitlines()[-1] == f"error: stdout: No space left on device; the calibration is {out}"
    )
    assert Calibration.read(out).groups
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w") as pipe:
        monkeypatch.setattr(sys, "stdout", pipe)
        main(scored, fpr=0.05, out=out)


def test_where_the_calibration_cannot_be_written_the_files_of_raid_are_not_either(scored: Path, tmp_path: Path) -> None:
    out, raid = tmp_path / "taken.json", tmp_path / "raid"
    out.mkdir()
    result = call(scored, "--fpr", "0.05", "--out", out, "--raid", raid)
    assert (result.exit_code, result.stdout) == (2, "")
    assert f"{out}: cannot be written" in result.stderr
    assert [path for path in tmp_path.rglob("*") if path.is_file() and path.parent != scored / "scoring"] == []
    out.rmdir()
    assert call(scored, "--fpr", "0.05", "--out", out, "--raid", raid).exit_code == 0
    assert {path.name for path in raid.iterdir()} == {"predictions.json", "results.json"}


@pytest.mark.slow
def test_the_command_needs_no_torch_and_takes_nothing_from_the_working_directory(scored: Path, tmp_path: Path) -> None:
    for name in ("sweeps", "scoring"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise SystemExit('not ours')")
    code = "import sys, analysis.thresholds.__main__; print({'ray', 'torch', 'transformers'} & set(sys.modules))"
    root = str(Path(__file__).parents[3])
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=root, check=True)
    assert ran.stdout == "set()\n"
    ran = subprocess.run(
        [sys.executable, "-m", "analysis.thresholds", str(scored), "--fpr", "0.05"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": root},
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert (tmp_path / "calibration.json").exists()
