"""The command: what it writes, what the page says, how it fails."""

import base64
import hashlib
import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pandas as pd
import pytest
from markupsafe import escape
from typer.testing import CliRunner

from analysis.cell_averages import average
from analysis.cells_table import cells_table
from analysis.load import read_run
from analysis.report import app, write_report
from sweeps.errors import UserError
from sweeps.run_layout import RunLayout
from sweeps.task_status import TaskStatus
from sweeps.wording import UNKNOWN_WRITER

FACTORS = {"device": ["cpu", "gpu"], "max_new_tokens": [16, 32]}


def test_the_command_prints_the_page_and_writes_everything(small_run: Path) -> None:
    result = CliRunner().invoke(app, [str(small_run)])
    report = small_run / "report"
    assert (result.exit_code, result.stdout) == (0, f"{report / 'index.html'}\n")
    assert sorted(str(path.relative_to(report)) for path in report.rglob("*") if path.is_file()) == [
        "figures/generation-2.7-generation_rate_tokens_per_s.png",
        "figures/generation-2.7-generation_rate_tokens_per_s.svg",
        "index.html",
        "report.md",
        "tables/generation-averages.csv",
        "tables/generation-not-ok.csv",
    ]


def test_the_page_stands_alone(small_run: Path) -> None:
    page = write_report(small_run).read_text(encoding="utf-8")
    assert "<svg viewBox=" in page
    assert page.count("<script") == 1
    assert "http://" not in page
    assert "https://" not in page
    assert not re.search(r"\s(src|srcset|onclick|onload)=|@import|url\((?!#)", page)


def test_the_policy_allows_the_script_of_the_page_and_no_other(small_run: Path) -> None:
    page = write_report(small_run).read_text(encoding="utf-8")
    (script,) = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]*)"', page)
    assert policy.startswith("default-src 'none'; ")
    assert policy.endswith(f"script-src 'sha256-{digest}'")
    assert len(script.encode()) <= 12_000


def test_the_page_says_what_was_measured_where(small_run: Path) -> None:
    page = write_report(small_run).read_text(encoding="utf-8")
    for text in (
        "<b>5</b> ok",
        "<b>3</b> unsupported",
        "Unsupported: no gpu",
        "⚠ sd 47% of the mean",
        "too few to tell",
        "2026-01-02 03:04:05 to 2026-01-02 03:04:07 UTC, 2.5 s",
        "<b>e1</b> box · Tesla K80 · torch 2.13.0 · ray 2.60.0",
        "12884901888",
        "abc1234",
        "&#34;max_new_tokens&#34;",
    ):
        assert text in page


def test_environments_are_folded_and_each_is_there_once(run_dir: Path, write: Any, cell: Any) -> None:
    write(run_dir, cell([1.0]), "one")
    write(run_dir, cell([1.0]), "two")
    page = write_report(run_dir).read_text(encoding="utf-8")
    assert page.count("12884901888") == 1
    assert re.search(r"<details><summary><b>e1</b>[^\n]*>one, two</span>", page)


def test_a_steady_run_has_nothing_to_doubt(run_dir: Path, write: Any, cell: Any) -> None:
    write(run_dir, cell([10.0, 10.1]))
    assert "⚠ " not in write_report(run_dir).read_text(encoding="utf-8").replace("⚠ marks a mean", "")


def test_what_rows_and_specs_hold_is_escaped(run_dir: Path, write: Any, cell: Any, row: Any) -> None:
    evil = "</td><script>alert(1)</script>"
    write(
        run_dir,
        [*cell([1.0], model=evil), *cell([1.0]), row(status="error", error_type="E", error_message=evil)],
        factors={"model": [evil]},
        environments={"e1": {"host": evil}},
    )
    page = write_report(run_dir).read_text(encoding="utf-8")
    assert page.count("<script") == 1
    assert page.count("&lt;/td&gt;&lt;script&gt;alert(1)&lt;/script&gt;") >= 4


def test_control_characters_are_escapes_and_line_breaks_stay(run_dir: Path, write: Any, row: Any) -> None:
    write(run_dir, [row(status="error", error_type="E", error_message="a\nb\x1b[31m\u202e\x00", model="m\x07")])
    page = write_report(run_dir).read_text(encoding="utf-8")
    assert "E: a\nb\\x1b[31m\\u202e\\x00" in page
    assert not set(page) & {"\x1b", "\u202e", "\x00", "\x07"}


def test_averages_survive_the_round_trip_through_csv(small_run: Path) -> None:
    write_report(small_run)
    seen = pd.read_csv(small_run / "report/tables/generation-averages.csv")
    pd.testing.assert_frame_equal(seen, average(read_run(small_run).sweeps[0]).cells, check_dtype=False)


def test_a_sweep_of_unsupported_rows_alone_has_a_report(run_dir: Path, write: Any, row: Any) -> None:
    write(run_dir, [row(status="unsupported", error_message="no gpu", started_at=None, duration_s=None)])
    page = write_report(run_dir).read_text(encoding="utf-8")
    assert "No row of this sweep holds a measurement." in page
    assert "no gpu" in page
    assert "<svg" not in page
    assert page.index("Nothing was measured") < page.index("<table")
    assert "Nothing was measured" in (run_dir / "report/report.md").read_text(encoding="utf-8")


def test_a_sweep_without_any_row_has_a_report(run_dir: Path, write: Any) -> None:
    write(run_dir, [])
    assert "No row of this sweep" in write_report(run_dir).read_text(encoding="utf-8")


def test_scores_have_their_own_figure_and_table(run_dir: Path, write: Any, row: Any) -> None:
    rows = [
        row(i, benchmark="binoculars", author=author, score=score + i / 100, record_id=str(i))
        for author, score in (("human", 1.0), ("synthetic", 0.8))
        for i in range(4)
    ]
    write(run_dir, rows, "pairs", benchmark="binoculars")
    page = write_report(run_dir).read_text(encoding="utf-8")
    assert "AUROC: how often a human text scores above a synthetic one" in page
    assert list(pd.read_csv(run_dir / "report/tables/pairs-separation.csv")["auc"]) == [1.0]
    assert (run_dir / "report/figures/pairs-distribution.png").stat().st_size > 0


def test_a_second_report_overwrites_the_first(small_run: Path, write: Any, cell: Any) -> None:
    before = write_report(small_run).read_bytes()
    assert write_report(small_run).read_bytes() == before
    write(small_run, cell([5.0, 5.0], max_new_tokens=64), part="1", factors=FACTORS)
    assert write_report(small_run).read_bytes() != before


def test_the_page_is_written_after_everything_that_it_shows(small_run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[str] = []
    replace = Path.replace

    def noted(self: Path, target: Path) -> Path:
        written.append(target.name)
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", noted)
    write_report(small_run)
    assert len(written) == 6
    assert written[-1] == "index.html"
    assert written.count("index.html") == 1


def test_a_report_that_dies_leaves_the_last_one_whole(small_run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    index = write_report(small_run)
    before = index.read_bytes()

    def die(self: Path, content: bytes) -> int:
        with self.open("wb") as file:
            file.write(content[:10])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", die)
    with pytest.raises(UserError, match="cannot write: No space left on device"):
        write_report(small_run)
    assert index.read_bytes() == before
    assert not list(small_run.rglob("*.tmp"))


def test_the_spec_on_the_page_is_the_resolved_one(small_run: Path) -> None:
    page = write_report(small_run).read_text(encoding="utf-8")
    spec = page.split("<summary>Spec of generation</summary><pre>")[1].split("</pre>")[0].replace("&#34;", '"')
    assert json.loads(spec)["factors"] == FACTORS


def test_what_is_missing_or_odd_stands_on_top_and_on_stderr(small_run: Path) -> None:
    (small_run / "generation" / "part-9.parquet").write_bytes(b"no")
    (small_run / "generation" / "_environment.json").unlink()
    result = CliRunner().invoke(app, [str(small_run)])
    assert result.exit_code == 0
    assert [line.split(": ")[:3] for line in result.stderr.splitlines()] == [
        ["warning", "generation", "part-9.parquet is not used"],
        ["warning", "generation", "no _environment.json beside the rows"],
    ]
    head = (small_run / "report/index.html").read_text(encoding="utf-8").split("</header>")[0]
    assert "<li>generation: part-9.parquet is not used: " in head
    assert "<li>generation: no _environment.json beside the rows: " in head


def head_of(run_dir: Path) -> str:
    page = write_report(run_dir).read_text(encoding="utf-8")
    assert "could not be drawn" not in page
    return page.split("</header>")[0]


def test_a_run_that_is_not_complete_says_so_and_how_to_go_on(run_dir: Path, write: Any, cell: Any) -> None:
    write(run_dir, cell([1.0, 2.0, 3.0]), "first", tasks=1, command="python -m sweeps.run 's p.toml' --out <b>")
    (write(run_dir, [], "second", tasks=43) / "part-0.parquet").unlink()
    head = head_of(run_dir)
    assert "1 of 44 tasks; the run is not complete. To continue: <code>python -m sweeps.run &#39;s p.toml&#39;" in head
    assert "<b>&" not in head
    assert "3 rows; 1 of 44 tasks are done" in head
    assert "Tasks done: second: 0 of 43." in head
    contents = (run_dir / "report/index.html").read_text(encoding="utf-8").split("</nav>")[0].removeprefix(head)
    assert "generation, 3 rows; 1 of 1 task is done" in contents
    assert "0 rows; 0 of 43 tasks are done" in contents


def test_a_run_that_was_moved_is_continued_where_it_lies(tmp_path: Path, write: Any, cell: Any) -> None:
    run = tmp_path / "elsewhere" / "renamed"
    write(run, cell([1.0, 2.0]), tasks=2, command=f"cd {tmp_path} && python -m sweeps.run demo.toml")
    name = json.loads((run / "generation/_environment.json").read_text())["spec"]["name"]
    head, summary = head_of(run), (run / "report/report.md").read_text(encoding="utf-8").replace("\\", "")
    command = f"cd {tmp_path} && python -m sweeps.run demo.toml --out {run.parent}"
    before = f"efore the next command: {run} must be named {name}"
    assert escape(command) in head
    assert before in head
    assert command in summary
    assert before in summary


def test_metadata_that_a_run_would_refuse_come_before_every_command(run_dir: Path, write: Any, cell: Any) -> None:
    write(run_dir, cell([1.0], status="error"), "first", command="python -m sweeps.run demo.toml", tasks=1)
    damaged = write(run_dir, cell([1.0, 2.0]), "second") / "_environment.json"
    damaged.write_text("{")
    head, before = head_of(run_dir), f"efore the next command: put {damaged} back, or move {damaged.parent} away"
    assert head.count(before) == 1
    assert "--retry error" in head
    assert before in CliRunner().invoke(app, [str(run_dir), "--terminal"]).output


def test_a_lock_that_cannot_be_read_is_not_taken_for_the_end_of_a_run(
    run_dir: Path, write: Any, cell: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(run_dir, cell([1.0, 2.0]), tasks=2)
    monkeypatch.setattr(RunLayout, "is_being_written", lambda layout: None)
    said = f"the run is not complete ({UNKNOWN_WRITER})."
    assert said in head_of(run_dir)
    assert said.removeprefix("the run ")[:-1] in (run_dir / "report/report.md").read_text(encoding="utf-8")


def test_what_was_unavailable_is_not_done(run_dir: Path, write: Any, cell: Any) -> None:
    gone = [
        row | {"status": "unavailable", "error_message": "no node can offer it"} for row in cell([1.0], cpu_cores=64)
    ]
    write(run_dir, cell([1.0, 2.0]) + gone, tasks=2)
    assert "3 rows; 1 of 2 tasks are done" in head_of(run_dir)


def test_a_complete_run_says_how_much_it_was(run_dir: Path, write: Any, cell: Any) -> None:
    write(run_dir, cell([1.0, 2.0, 3.0]), tasks=1)
    head = head_of(run_dir)
    assert "3 rows; 1 of 1 task is done" in head
    assert "not complete" not in head


def test_an_older_run_does_not_say_what_was_planned(run_dir: Path, write: Any, cell: Any) -> None:
    write(run_dir, cell([1.0, 2.0, 3.0]))
    head = head_of(run_dir)
    assert "3 rows of 1 task" in head
    assert "not complete" not in head


def test_failed_statuses_are_explained_and_come_first_where_nothing_was_measured(
    run_dir: Path, write: Any, cell: Any, row: Any
) -> None:
    write(run_dir, cell([1.0]), "measured")
    failed = [
        row(index, status=status, error_type="E", error_message=f"why {status}", max_new_tokens=index)
        for index, status in enumerate(TaskStatus)
        if status != "ok"
    ]
    write(run_dir, failed, "nothing")
    page = write_report(run_dir).read_text(encoding="utf-8")
    head = page.split("</header>")[0]
    measured, nothing = page.split('<section id="sweep-')[1:]
    for status in list(TaskStatus)[1:]:
        assert f"{status}: {escape(status.meaning)}" in head
        assert f"E: why {status}" in nothing
    assert "unavailable" not in measured
    assert nothing.index("No row of this sweep holds") < nothing.index("Rows without a measurement")
    assert nothing.index("Rows without a measurement") < nothing.index("Where it was measured")
    assert "<svg" not in nothing
    assert "error: failed with an exception<ul><li>E: why error (1 row)</li></ul>" in head


def test_every_status_has_a_meaning() -> None:
    assert all(status.meaning for status in TaskStatus)


@pytest.mark.parametrize("scores", [[None, None], [float("inf"), float("nan")], [1e308, -1e308], [0.9, 0.9]])
def test_scores_of_any_value_have_a_page(run_dir: Path, write: Any, row: Any, scores: list[Any]) -> None:
    rows = [
        row(i, benchmark="binoculars", author=author, score=score, record_id=f"{author}{i}")
        for author in ("human", "synthetic", "somebody", None)
        for i, score in enumerate(scores)
    ]
    write(run_dir, rows, "pairs", benchmark="binoculars")
    page = write_report(run_dir).read_text(encoding="utf-8")
    measured = scores[0] in (0.9, 1e308)
    assert ("AUROC: how often" in page) == measured
    assert ("The figure could not be drawn" in page) == (scores[0] == 1e308)
    assert ("4 texts are neither of author human nor synthetic, and enter no AUROC." in page) == measured


@pytest.mark.parametrize("value", [1e308, -1e308, 5e-324, 0.0, -1.0])
def test_rates_of_any_value_have_a_page(run_dir: Path, write: Any, row: Any, value: float) -> None:
    rows = [row(i, generation_rate_tokens_per_s=value) for i in range(3)]
    write(run_dir, rows + [row(i, generation_rate_tokens_per_s=1.0, max_new_tokens=i) for i in range(3)])
    assert "<h4>All cells" in write_report(run_dir).read_text(encoding="utf-8")


def test_times_that_no_run_had_are_no_times(run_dir: Path, write: Any, cell: Any, row: Any) -> None:
    odd = [row(0, started_at=time, max_new_tokens=n) for n, time in enumerate((0, 2**62, -(2**62)), start=90)]
    write(run_dir, cell([1.0], duration_s=1e300) + [r | {"duration_s": -5.0} for r in odd])
    assert "2026-01-02 03:04:05 to 2029-03-" in head_of(run_dir)


def test_links_lead_to_the_files_whatever_the_sweep_is_called(run_dir: Path, write: Any, cell: Any, row: Any) -> None:
    write(run_dir, [*cell([1.0]), row(1, status="error")], "a?b#c%20 [x] $y$ 新")
    write(run_dir, cell([1.0]), "z" * 250)
    page = write_report(run_dir)
    links = re.findall(r'href="((?:tables|figures)/[^"]*)"', page.read_text(encoding="utf-8"))
    assert len(links) == 7
    assert all((page.parent / unquote(link)).is_file() for link in links)


def test_long_names_are_cut_on_the_page_and_whole_in_the_tables(run_dir: Path, write: Any, cell: Any) -> None:
    models = ["m" * 5_000 + end for end in "ab"]
    write(run_dir, cell([1.0], model=models[0]) + cell([2.0], model=models[1]))
    page = write_report(run_dir).read_text(encoding="utf-8")
    assert models[0] not in page
    table = pd.read_csv(run_dir / "report/tables/generation-averages.csv")
    assert set(table["model"]) == set(models)


def test_a_level_that_looks_like_none_is_a_row_of_its_own(run_dir: Path, write: Any, cell: Any) -> None:
    write(run_dir, cell([1.0], quantization=None) + cell([2.0], quantization="–"))
    table = cells_table(average(read_run(run_dir).sweeps[0]), "s")
    assert table is not None
    assert [row[:2] for row in table.rows] == [("–", "2.000"), ("–", "1.000")]
