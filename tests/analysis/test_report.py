"""The command: what it writes, what the page says, how it fails."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from typer.testing import CliRunner

from analysis.averages import average
from analysis.load import read_run
from analysis.report import app, write_report
from sweeps.errors import UserError

FACTORS = {"device": ["cpu", "gpu"], "max_new_tokens": [16, 32]}


def test_the_command_prints_the_page_and_writes_everything(small_run: Path) -> None:
    result = CliRunner().invoke(app, [str(small_run)])
    report = small_run / "report"
    assert (result.exit_code, result.stdout) == (0, f"{report / 'index.html'}\n")
    assert sorted(str(path.relative_to(report)) for path in report.rglob("*") if path.is_file()) == [
        "figures/generation-generation_rate_tokens_per_s.png",
        "figures/generation-generation_rate_tokens_per_s.svg",
        "index.html",
        "tables/generation-averages.csv",
        "tables/generation-not-ok.csv",
    ]


def test_the_page_stands_alone(small_run: Path) -> None:
    page = write_report(small_run).read_text(encoding="utf-8")
    assert 'src="data:image/svg+xml;base64,' in page
    assert "<script" not in page
    assert "http://" not in page
    assert "https://" not in page


def test_the_page_says_what_was_measured_where(small_run: Path) -> None:
    page = write_report(small_run).read_text(encoding="utf-8")
    for text in (
        "<b>5</b> ok",
        "<b>3</b> unsupported",
        "Unsupported: no gpu",
        "⚠ Unsteady",
        "30.00 ± 127.06 ⚠",
        "11.00 ± 2.48</td>",
        "2026-01-02 03:04:05 to 2026-01-02 03:04:07 UTC, 2.5 s",
        "2.13.0",
        "Tesla K80",
        "abc1234",
        "&#34;max_new_tokens&#34;",
    ):
        assert text in page


def test_a_steady_run_has_no_footnote(run_dir: Path, write: Any, cell: Any) -> None:
    write(run_dir, cell([10.0, 10.1]))
    assert "⚠" not in write_report(run_dir).read_text(encoding="utf-8")


def test_what_rows_and_specs_hold_is_escaped(run_dir: Path, write: Any, cell: Any, row: Any) -> None:
    evil = "</td><script>alert(1)</script>"
    write(
        run_dir,
        [*cell([1.0], model=evil), *cell([1.0]), row(status="error", error_type="E", error_message=evil)],
        factors={"model": [evil]},
        environments={"e1": {"host": evil}},
    )
    page = write_report(run_dir).read_text(encoding="utf-8")
    assert "<script" not in page
    assert page.count("&lt;/td&gt;&lt;script&gt;alert(1)&lt;/script&gt;") >= 4


def test_averages_survive_the_round_trip_through_csv(small_run: Path) -> None:
    write_report(small_run)
    seen = pd.read_csv(small_run / "report/tables/generation-averages.csv")
    pd.testing.assert_frame_equal(seen, average(read_run(small_run).sweeps[0]).cells, check_dtype=False)


def test_a_sweep_of_unsupported_rows_alone_has_a_report(run_dir: Path, write: Any, row: Any) -> None:
    write(run_dir, [row(status="unsupported", error_message="no gpu", started_at=None, duration_s=None)])
    page = write_report(run_dir).read_text(encoding="utf-8")
    assert "No row of this sweep holds a measurement." in page
    assert "no gpu" in page
    assert "<img" not in page


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
    assert "AUC: how often a human text scores above a synthetic one" in page
    assert list(pd.read_csv(run_dir / "report/tables/pairs-separation.csv")["auc"]) == [1.0]
    assert (run_dir / "report/figures/pairs-score.png").stat().st_size > 0


def test_a_second_report_overwrites_the_first(small_run: Path, write: Any, cell: Any) -> None:
    before = write_report(small_run).read_bytes()
    assert write_report(small_run).read_bytes() == before
    write(small_run, cell([5.0, 5.0], max_new_tokens=64), part="1", factors=FACTORS)
    assert write_report(small_run).read_bytes() != before


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
    spec = page.split("<summary>Spec</summary><pre>")[1].split("</pre>")[0].replace("&#34;", '"')
    assert json.loads(spec)["factors"] == FACTORS


def test_the_report_needs_no_ray_and_no_torch() -> None:
    code = "import sys, analysis.report; print({'ray', 'torch', 'transformers'} & set(sys.modules))"
    root = str(Path(__file__).parents[2])
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=root, check=True)
    assert result.stdout == "set()\n"
