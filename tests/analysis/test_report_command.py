"""The command, wherever it is called and wherever its output goes."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
import typer
from typer.testing import CliRunner

from analysis.report import app, main
from sweeps.process import interrupts

RATE = "generation_rate_tokens_per_s"


@pytest.mark.slow
def test_the_report_needs_no_ray_and_no_torch() -> None:
    code = "import sys, analysis.report; print({'ray', 'torch', 'transformers'} & set(sys.modules))"
    root = str(Path(__file__).parents[2])
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=root, check=True)
    assert result.stdout == "set()\n"


@pytest.mark.slow
def test_the_command_works_beside_files_that_are_called_like_ours(small_run: Path, tmp_path: Path) -> None:
    for name in ("sweeps", "models", "scoring"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise SystemExit('not ours')")
    (tmp_path / "rich.py").write_text("raise SystemExit('not ours')")
    result = subprocess.run(
        [sys.executable, "-m", "analysis.report", str(small_run)],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
        check=False,
    )
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout == f"{small_run}/report/index.html\n"


def test_a_full_device_is_one_message(
    small_run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with Path("/dev/full").open("w") as full:  # closing it flushes, as the interpreter's end does
        monkeypatch.setattr(sys, "stdout", full)
        with pytest.raises(typer.Exit) as ended:
            main([small_run])
        page = small_run / "report/index.html"
        assert ended.value.exit_code == 2
        assert capsys.readouterr().err == f"error: stdout: No space left on device; the page is {page}\n"
        assert page.exists()


def test_a_pipe_that_nobody_reads_is_no_fault(small_run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w") as pipe:
        monkeypatch.setattr(sys, "stdout", pipe)
        main([small_run])


MISTAKES = {
    "missing": "no such directory; give a run directory, such as runs/quickstart",
    "a file": "not a directory; give the run directory that holds it",
    "empty": "no rows here",
    "generation": "one sweep of a run, not a run; give the run directory",
    "x" * 300: "cannot be read: File name too long",
    "new\nline \x1b[31m [b] $x$": "no such directory",
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_are_one_line_and_exit_code_2(small_run: Path, name: str) -> None:
    (small_run / "a file").touch()
    (small_run / "empty").mkdir()
    result = CliRunner().invoke(app, [str(small_run / name)])
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("error: ")
    assert MISTAKES[name] in result.stderr
    assert result.stderr.count("\n") == 1
    assert "\x1b" not in result.stderr


def slowed(small_run: Path, times: float) -> Path:
    """Copy a run, with rates that many times lower."""
    copy = small_run.with_name("earlier")
    shutil.copytree(small_run, copy)
    for part in copy.glob("*/part-*.parquet"):
        table = pq.read_table(part)
        place = table.column_names.index(RATE)
        pq.write_table(table.set_column(place, RATE, pc.divide(table[RATE], times)), part)
    return copy


def test_a_slowdown_against_an_earlier_run_is_exit_code_3(
    run_dir: Path, write: Any, cell: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    write(run_dir, cell([10.0, 10.1, 9.9, 10.05, 9.95, 10.02]))
    faster = slowed(run_dir, 0.5)
    with pytest.raises(typer.Exit) as ended:
        main([run_dir], against=faster, fail_above="5%")
    assert ended.value.exit_code == 3
    assert "1 cells are slower by more than that" in capsys.readouterr().out
    table = pd.read_csv(run_dir / "report" / "compare.csv")
    assert table.loc[0, "ratio"] == pytest.approx(0.5)
    page = (run_dir / "report" / "index.html").read_text(encoding="utf-8")
    assert 'id="compared"' in page
    assert "no statistics can take that away" in page
    main([faster], against=run_dir, fail_above="5%")
    main([run_dir], against=run_dir, fail_above="0")


def test_an_interrupt_is_one_line_and_leaves_no_page(
    small_run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("analysis.report.render", interrupted)
    with pytest.raises(interrupts.Stopped) as ended:
        main([small_run])
    assert (ended.value.code, capsys.readouterr().err) == (130, "stopped: no page was written\n")
    assert not (small_run / "report/index.html").exists()


def test_a_file_in_the_way_of_the_report_is_one_message(
    small_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a file").touch()
    for against in (None, small_run):
        with pytest.raises(typer.Exit) as ended:
            main([small_run], out=tmp_path / "a file", against=against)
        assert ended.value.exit_code == 2
        assert "a file: cannot write: " in capsys.readouterr().err


def test_a_run_without_rows_yet_is_told_beside_the_others(run_dir: Path, small_run: Path, write: Any) -> None:
    started = run_dir.with_name("started")
    (write(started, [], tasks=9, command="python -m sweeps.run started") / "part-0.parquet").unlink()
    result = CliRunner().invoke(app, [str(run_dir.parent), "--terminal"])
    told = "started is not complete: generation: 0 of 9 tasks are done; to continue: python -m sweeps.run started"
    assert told in result.stdout.splitlines()
    assert "2 runs: demo, started" in (run_dir.parent / "report/index.html").read_text(encoding="utf-8")
    alone = CliRunner().invoke(app, [str(started)])
    assert (alone.exit_code, "no rows here" in alone.stderr) == (2, True)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"fail_above": "5%"}, "name the earlier run with --against"),
        ({"fail_above": "much", "against": Path("x")}, "give a share of 0% to 1000%"),
        ({"against": Path("nowhere")}, "nowhere: no such directory"),
    ],
)
def test_a_mistake_in_a_comparison_is_told_and_nothing_is_written(
    options: dict[str, Any], message: str, small_run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(typer.Exit) as ended:
        main([small_run], **options)
    assert ended.value.exit_code == 2
    assert message in capsys.readouterr().err
    assert not (small_run / "report").exists()
