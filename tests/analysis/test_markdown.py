"""The page in short: report.md, and the lines on a terminal."""

import json
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock
from typer.testing import CliRunner

import analysis.assembly
from analysis.in_short import in_short
from analysis.markdown import MAX_CHARACTERS
from analysis.progress import REHEARSED, TINY
from analysis.report import app, write_report
from sweeps.run_layout import RunLayout

COMMAND = "python -m sweeps.run 'my spec.toml'"


@pytest.fixture
def stopped(run_dir: Path, write: Any, cell: Any, row: Any) -> Path:
    failed = row(status="error", error_type="E", error_message="<b>\n$x$ *[y]*", max_new_tokens=64)
    write(run_dir, [*cell([10.0, 11.0, 12.0]), failed], tasks=44, command=COMMAND)
    return run_dir


def test_report_md_says_how_far_the_run_came_and_what_was_found(stopped: Path) -> None:
    write_report(stopped)
    text = (stopped / "report/report.md").read_text(encoding="utf-8")
    assert text.startswith(
        f"# demo\n\n**{TINY}**\n\n4 rows; 2 of 44 tasks are done.\n\n- ok: 3 rows\n- error: 1 row (E: "
    )
    assert "E: \\<b\\> \\$x\\$ \\*\\[y\\]\\* (1 row))" in text
    assert f"\nTo continue:\n\n```\n{COMMAND}\n```\n" in text
    assert "\n## Inference\n" in text
    assert "| max new tokens | generation rate (tokens/s) | n | 95% interval |" not in text
    assert "| CPU cores | inference time (s) |\n| --- | ---: |\n| 2 | 1.463 |\n" in text


def test_a_run_that_goes_on_is_not_to_be_continued_at_once(stopped: Path) -> None:
    with FileLock(RunLayout(stopped).lock):
        lines = CliRunner().invoke(app, [str(stopped), "--terminal"]).stdout.splitlines()
    assert f"demo goes on: generation: 2 of 44 tasks are done; if it stops: {COMMAND}" in lines
    text = (stopped / "report/report.md").read_text(encoding="utf-8")
    assert f"\nIf it stops:\n\n```\n{COMMAND}\n```\n" in text


def test_the_terminal_gets_the_page_in_short_and_the_path_last(stopped: Path) -> None:
    result = CliRunner().invoke(app, [str(stopped), "--terminal"])
    lines = result.stdout.splitlines()
    assert lines[:3] == ["demo", TINY, "4 rows; 2 of 44 tasks are done"]
    assert f"demo is not complete: generation: 2 of 44 tasks are done; to continue: {COMMAND}" in lines
    assert f"demo: failed tasks run again with: {COMMAND} --retry error" in lines
    assert any(line.startswith("  Mean generation rate: 11.00 tokens/s (n = 3; too few to tell") for line in lines)
    assert lines[-1] == str(stopped / "report/index.html")


def test_nothing_measured_comes_first(run_dir: Path, write: Any, row: Any) -> None:
    write(run_dir, [row(status="unavailable", error_message="no gpu")])
    result = CliRunner().invoke(app, [str(run_dir), "--terminal", "--out", str(run_dir / "out")])
    assert "Nothing was measured: no row holds a measurement." in result.stdout.splitlines()[:3]
    assert (run_dir / "out" / "report.md").read_text().startswith("# demo\n\n**Nothing was measured:**")


def test_a_rehearsal_is_said_first_on_page_terminal_and_report_md(run_dir: Path, write: Any, cell: Any) -> None:
    folder = write(run_dir, cell([10.0, 11.0]))
    assert REHEARSED not in write_report(run_dir).read_text(encoding="utf-8")
    described = json.loads((folder / "_environment.json").read_text())
    described["spec"]["name"] = "demo-rehearsal"
    (folder / "_environment.json").write_text(json.dumps(described))
    result = CliRunner().invoke(app, [str(run_dir), "--terminal"])
    assert result.stdout.splitlines()[:2] == ["demo-rehearsal", REHEARSED]
    assert (run_dir / "report/report.md").read_text().startswith(f"# demo-rehearsal\n\n**{REHEARSED}**\n")
    page = (run_dir / "report/index.html").read_text(encoding="utf-8")
    assert page.index("<h1>") < page.index(REHEARSED) < page.index("tasks")


def test_what_is_folded_on_the_page_is_counted_on_the_terminal_and_whole_in_report_md(
    run_dir: Path, write: Any, cell: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(run_dir, [*cell([10.0, 11.0]), *cell([20.0, 21.0], max_new_tokens=32)])
    monkeypatch.setattr(analysis.assembly, "in_short", lambda parts: in_short(parts, most=2))
    result = CliRunner().invoke(app, [str(run_dir), "--terminal"])
    assert "more on the page: 2 sentences" in result.stdout.splitlines()
    text = (run_dir / "report/report.md").read_text()
    assert text.index("\n## Inference\n") < text.index("\n## More: Inference\n")
    assert "<summary>more: 2 sentences</summary>" in (run_dir / "report/index.html").read_text(encoding="utf-8")


def test_tables_of_several_sweeps_are_told_apart_by_their_headings(run_dir: Path, write: Any, cell: Any) -> None:
    write(run_dir.parent / "a", cell([10.0, 11.0]))
    write(run_dir.parent / "b", cell([20.0, 21.0]))
    text = (write_report(run_dir.parent).parent / "report.md").read_text()
    headings = [line for line in text.splitlines() if line.startswith("### ")]
    assert headings
    assert len(set(headings)) == len(headings)
    assert all(("a/generation" in line) != ("b/generation" in line) for line in headings)


def test_report_md_is_short_enough_for_an_issue(
    run_dir: Path, write: Any, row: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(analysis.assembly, "drawn", lambda sweep, figure_spec: ([], []))  # report.md has no figures
    for name in (f"sweep{number:02}" for number in range(80)):
        write(run_dir, [row(i, benchmark="noop") | {"index": i} for i in range(30)], name, benchmark="noop")
    write_report(run_dir)
    text = (run_dir / "report/report.md").read_text()
    assert MAX_CHARACTERS - 2_000 < len(text) <= MAX_CHARACTERS + 200
    assert text.endswith(" more tables on the page; here they would make more than an issue takes.\n")
