"""The page of the published study, read with a parser: every section is there, and none is empty."""

import re
from pathlib import Path
from typing import Any

import pytest

from analysis.load import read_run
from analysis.report import write_report
from analysis.run_directories import find_runs
from analysis.sections.order import SECTIONS
from analysis.sections.section import Notebook
from tests.analysis.outline import LLAMA3, OUTLINE, SCORES
from tests.analysis.page_data import PageData
from tests.analysis.study_rows import write_study


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    run = tmp_path_factory.mktemp("runs") / "study"
    write_study(run)
    return write_report(run).read_text(encoding="utf-8")


def test_the_sections_are_those_of_the_outline() -> None:
    assert [f"{section.notebook.value}: {section.heading}" for section in SECTIONS] == list(OUTLINE)


@pytest.mark.slow
def test_every_section_has_its_title_and_a_figure_or_table_or_conclusion_that_is_not_empty(page: str) -> None:
    articles = PageData(page).articles
    timed = [heading for heading in OUTLINE if not heading.startswith(SCORES)]
    assert list(articles) == timed, "the order of the outline"
    assert {heading: lacking for heading in timed if (lacking := OUTLINE[heading].lacks(articles[heading]))} == {}
    assert [heading for heading in timed if OUTLINE[heading].lacks_claims(articles[heading])] == []


@pytest.mark.slow
def test_the_study_fits_into_a_megabyte_and_leaves_room_for_the_scores(page: str) -> None:
    assert len(page.encode()) < 750_000


@pytest.mark.slow
def test_tables_hold_the_means_of_their_rows(page: str, tmp_path: Path) -> None:
    write_study(tmp_path / "study", ["generation"])
    rows = read_run(tmp_path / "study").sweeps[0].ok
    known = rows[(rows["device"] == "gtx-1070") & (rows["cpu_cores"] == 4) & (rows["max_new_tokens"] == 256)]
    means = known.groupby("quantization", observed=True)["inference_time_s"].mean()
    table = PageData(page).articles[f"{LLAMA3}§ 2.3 Inference time averages, 256 tokens, 4 cores"].tables[0]
    assert table[0][1:] == ["quantization 4-bit", "quantization 8-bit"]
    (line,) = [row for row in table if row[0] == "gtx-1070"]
    assert [float(cell.split()[0]) for cell in line[1:]] == [
        pytest.approx(means[bits], rel=1e-3) for bits in ("4-bit", "8-bit")
    ]


@pytest.mark.slow
def test_the_time_from_a_cold_start_is_load_plus_generation(page: str) -> None:
    tables = PageData(page).articles[f"{LLAMA3}§ 2.6, 2.9 Observations, conclusions"].tables
    (table,) = (table for table in tables if "total (s)" in table[0])
    first = table[0].index("total (s)")
    assert len(table) > 1
    for row in table[1:]:
        total, load, generate = (float(cell) for cell in row[first : first + 3])
        assert total == pytest.approx(load + generate, abs=0.1)


@pytest.mark.slow
def test_the_longest_input_of_each_device_is_told_once_in_short_and_whole_in_the_conclusions(page: str) -> None:
    data = PageData(page)
    short, whole = (
        data.articles[f"02 Logit calculation: § {name}"] for name in ("1.1 TLDR: logits", "1.6 Conclusions")
    )
    said = [sentence for sentence in short.sentences if sentence.startswith("Longest input")]
    assert said == [
        "Longest input that fitted: 1,000 words on cpu, gpu x3 (auto), gpu x3 (sequential) and k80, and nothing longer "
        "ran out of memory, so more may fit; 800 words on gtx-1070 (900 ran out of memory)."
    ]
    assert said[0] in whole.sentences
    lines = [row for table in whole.tables for row in table if row[-1].strip().endswith("900 ran out of memory.")]
    assert [line[3:6] for line in lines] == [["800", "900", "1000"]] * 4


def test_what_has_no_rows_is_one_folded_list_with_the_sweep_that_gives_it(run_dir: Path, write: Any, cell: Any) -> None:
    write(run_dir, cell([1.0, 2.0]))
    page = write_report(run_dir).read_text(encoding="utf-8")
    (missing,) = re.findall(r'<details class="missing">.*?</details>', page, re.DOTALL)
    assert "<code>python -m sweeps.run model_loading</code> gives: § 1.1 Model loading, TLDR; § 1.2" in missing
    assert "<code>python -m sweeps.run generation</code> gives: § 2.2 Generation rate, 4-bit vs 8-bit" in missing
    assert "02 Logit" not in page, "of that study the run holds nothing"


def test_a_sweep_that_fits_no_section_has_the_general_figure_and_table(run_dir: Path, write: Any, row: Any) -> None:
    write(run_dir, [row(i, benchmark="noop") | {"index": i} for i in range(3)], "waiting", benchmark="noop")
    page = write_report(run_dir).read_text(encoding="utf-8")
    assert not any(notebook.value in page for notebook in Notebook)
    assert "<svg" in page
    assert "<h4>All cells" in page


def test_a_level_that_the_rows_lack_is_replaced_by_the_nearest_and_that_is_said(
    run_dir: Path, write: Any, cell: Any
) -> None:
    write(run_dir, [r for cores in (1, 6) for r in cell([float(cores)], cpu_cores=cores)])
    data = PageData(write_report(run_dir).read_text(encoding="utf-8"))
    article = data.articles[f"{LLAMA3}§ 2.10 Inference time averages, all devices, 256 tokens, 4 cores"]
    assert "No row has 4 CPU cores: 6 is shown instead." in article.sentences
    assert [len(table) for table in article.tables] == [2]


def test_several_runs_are_one_page_and_none_of_their_sweeps_are_taken_together(
    tmp_path: Path, write: Any, cell: Any
) -> None:
    write(tmp_path / "runs" / "a", cell([1.0, 1.1]), tasks=2, command="python -m sweeps.run a.toml")
    write(tmp_path / "runs" / "b", cell([9.0, 9.1]))
    assert find_runs(tmp_path / "runs") == (tmp_path / "runs" / "a", tmp_path / "runs" / "b")
    index = write_report(tmp_path / "runs")
    assert index == tmp_path / "runs" / "report" / "index.html"
    page = index.read_text(encoding="utf-8")
    assert "2 runs: a, b" in page
    assert "a: 1 of 2 tasks; the run is not complete. To continue: <code>python -m sweeps.run a.toml</code>" in page
    assert [name for name in ("a/generation", "b/generation") if f"<h2>{name} " in page] == [
        "a/generation",
        "b/generation",
    ]
    assert len(list((index.parent / "tables").glob("*-averages.csv"))) == 2
    other = write_report(tmp_path / "runs" / "a", tmp_path / "runs" / "b", out=tmp_path / "out")
    assert other == tmp_path / "out" / "index.html"
    assert "2 runs: a, b" in other.read_text(encoding="utf-8")
