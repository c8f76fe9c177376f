"""The functions for notebooks, on a run directory."""

import io
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib
import pandas as pd
import pytest
from matplotlib.figure import Figure

import analysis
from analysis import notebook, study
from analysis.figures_by_name import Figures
from analysis.load import RunRows, read_run
from analysis.report import write_report
from analysis.sections.section import Notebook, Section
from sweeps.errors import UserError
from tests.conftest import ROOT

RATE = "generation_rate_tokens_per_s"
SECTION = "generation-2.7-generation_rate_tokens_per_s"


@pytest.fixture
def run(run_dir: Path, write: Any, cell: Any) -> RunRows:
    rows = [
        row for cores in (1, 2) for row in cell([cores * rate for rate in (10, 10.1, 10.2, 9.9, 9.8)], cpu_cores=cores)
    ]
    write(run_dir, rows, factors={"cpu_cores": [1, 2]})
    return analysis.read(run_dir)


@pytest.fixture
def failed(run_dir: Path, write: Any, row: Any) -> RunRows:
    """A run of which no row holds a measurement."""
    write(run_dir, [row(index, status="unsupported", error_message="no gpu") for index in range(3)])
    return analysis.read(run_dir)


def test_frames_of_a_run(run: RunRows) -> None:
    assert set(analysis.averages(run, "generation")["cpu_cores"]) == {1, 2}
    assert analysis.effects(run, "generation", RATE).found["term"].tolist() == [("cpu_cores",)]
    compared = analysis.compare(run, run).cells
    assert compared["ratio"].eq(1).all()
    assert not compared["significant"].any()


def test_the_overview_has_a_row_per_sweep(run: RunRows, run_dir: Path, write: Any, row: Any) -> None:
    write(run_dir, [row(0, status="oom_item", sweep="other")], "other")
    table = analysis.overview(analysis.read(run_dir)).set_index("sweep")
    assert table.loc["generation"].tolist()[:4] == ["generation", 10, 10, "cpu_cores"]
    assert RATE in table.loc["generation", "metrics"].split(", ")
    assert table.loc["other", ["rows", "ok", "metrics"]].tolist() == [1, 0, ""]


def test_a_run_is_shown_in_a_line_a_sweep(run: RunRows, run_dir: Path) -> None:
    assert repr(run) == f"RunRows({run_dir})\n  SweepRows(generation: 10 rows of generation, 10 ok)"


def test_rows_are_plain_and_of_one_status_or_all(run_dir: Path, small_run: Path) -> None:
    run = analysis.read(small_run)
    ok = analysis.rows(run, "generation")
    assert (len(ok), set(ok["status"])) == (5, {"ok"})
    assert not any(isinstance(kind, pd.CategoricalDtype) for kind in ok.dtypes)
    assert set(analysis.rows(run, "generation", "unsupported")["error_message"]) == {"no gpu"}
    assert len(analysis.rows(run, "generation", None)) == 8
    with pytest.raises(UserError, match=r"no row has the status 'timeout'; this sweep has ok \(5 rows\), unsupported"):
        analysis.rows(run, "generation", "timeout")


def test_columns_that_comparisons_need_are_read_and_change_no_average(
    run: RunRows, run_dir: Path, write: Any, row: Any
) -> None:
    write(run_dir, [row(0, sweep="scoring", benchmark="binoculars")], "scoring", benchmark="binoculars")
    read = analysis.read(run_dir)
    assert {"text_sha256", "round", "truncated"} <= set(analysis.rows(read, "scoring"))
    alone = notebook.averages(read_run(run_dir), "generation")
    pd.testing.assert_frame_equal(analysis.averages(read, "generation"), alone)


def test_sentences_claim_what_was_found_and_doubt_a_single_round(run: RunRows) -> None:
    said = analysis.sentences(run, "generation", RATE)
    assert "CPU cores" in said[0]
    assert "generation rate" in said[0]
    assert any("All rows are of one round" in sentence for sentence in said)


def test_pairs_have_their_columns_where_nothing_could_be_compared(run_dir: Path, write: Any, cell: Any) -> None:
    write(run_dir, cell([10, 11]))
    pairs = analysis.effects(analysis.read(run_dir), "generation", RATE).pairs
    assert pairs.empty
    assert {"level", "other", "ratio", "ratio_low", "p_adjusted"} <= set(pairs)


def test_figures_are_those_of_the_report_under_the_names_of_its_files(run: RunRows, run_dir: Path) -> None:
    found = analysis.figures(run, "generation")
    write_report(run_dir)
    assert {f"{name}.svg" for name in found} == {path.name for path in (run_dir / "report/figures").glob("*.svg")}
    assert found.captions[SECTION].startswith("§ 2.7 Generation rate, CPU only. Mean generation rate of n = 5 rows")
    figure = found[SECTION]
    assert isinstance(figure, Figure)
    written, shown = (io.BytesIO(), (run_dir / f"report/figures/{SECTION}.svg").read_bytes())
    with matplotlib.rc_context({"svg.hashsalt": "report", "svg.fonttype": "none"}):
        figure.savefig(written, format="svg", metadata={"Date": None})
    assert written.getvalue() == shown


def test_a_sweep_of_no_section_has_its_general_figure(run_dir: Path, write: Any, cell: Any) -> None:
    write(run_dir, [row | {"benchmark": "noop"} for row in cell([1.0, 2.0])], "idle", benchmark="noop")
    run = analysis.read(run_dir)
    assert list(analysis.figures(run, "idle")) == ["idle-duration_s"]
    assert analysis.study_sections(run, "idle") == ()


def test_a_figure_and_a_dictionary_of_figures_show_themselves(run: RunRows) -> None:
    found = analysis.figures(run, "generation")
    assert found[SECTION]._repr_png_().startswith(b"\x89PNG")
    found.captions[SECTION] = "a < b"
    page = found._repr_html_()
    assert page.count("<img ") == 1
    assert f"<code>{SECTION}</code> a &lt; b" in page
    assert "matplotlib.pyplot" not in sys.modules or not sys.modules["matplotlib.pyplot"].get_fignums()


def test_a_figure_can_be_changed_and_keeps_signs_in_names(run_dir: Path, write: Any, cell: Any, tmp_path: Path) -> None:
    write(run_dir, [row for name in ("a_$5_vs_$10", "b") for row in cell([1.0, 2.0], decoding_strategy=name)])
    (figure,) = analysis.figures(analysis.read(run_dir), "generation").values()
    figure.axes[0].set_title("changed")
    with matplotlib.rc_context({"svg.fonttype": "none"}):
        figure.savefig(tmp_path / "own.svg")
    written = (tmp_path / "own.svg").read_text(encoding="utf-8")
    assert ">changed<" in written
    assert "a_$5_vs_$10" in written


def test_a_sign_that_no_font_has_is_its_code_point(run_dir: Path, write: Any, cell: Any) -> None:
    write(run_dir, [row for name in ("a\u07ff", "b") for row in cell([1.0, 2.0], decoding_strategy=name)])
    (figure,) = analysis.figures(analysis.read(run_dir), "generation").values()
    assert [label.get_text() for label in figure.axes[0].get_xticklabels()] == ["a\\u07ff", "b"]
    assert figure._repr_png_()  # where matplotlib would warn


def test_a_section_has_its_sentences_tables_and_figures(run: RunRows) -> None:
    sections = {section.heading: section for section in analysis.study_sections(run, "generation")}
    assert list(sections["§ 2.7 Generation rate, CPU only"].figures) == [SECTION]
    assert sections["§ 2.1 Inference, TLDR"].sentences
    (table,) = sections["§ 2.8 Inference time averages, CPU only, 256 tokens"].tables.values()
    assert len(table) == 2
    assert all(isinstance(value, str) for value in table.to_numpy().flat)


def test_frames_of_a_section_are_numbers(run: RunRows, monkeypatch: pytest.MonkeyPatch) -> None:
    counts = pd.DataFrame({"words": [3]})
    _only(monkeypatch, lambda sweep: study.Content(sentences=("one",), files={"counts": counts}))
    (section,) = analysis.study_sections(run, "generation")
    assert section.frames["counts"] is counts


def test_a_section_that_fails_is_a_note_beside_the_other_figures(run: RunRows, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(sweep: Any) -> None:
        raise ZeroDivisionError("no rate")

    kept = next(section for section in study.SECTIONS if section.heading.startswith("§ 2.7"))
    _only(monkeypatch, fail, kept)
    found = analysis.figures(run, "generation")
    assert list(found) == [SECTION]
    (note,) = found.notes
    assert note.startswith("§ 9 Own: This section could not be made (ZeroDivisionError: no rate)")
    assert note in found._repr_html_()


def _only(monkeypatch: pytest.MonkeyPatch, make: Any, *others: Section) -> None:
    """Have a study of one section of our own, and some others."""
    own = Section(Notebook.LLAMA3, "9", "Own", "generation", "generation", (), make)
    monkeypatch.setattr(study.make_study, "__defaults__", ((own, *others),))


def test_effects_refuse_scored_texts(run_dir: Path, write: Any, row: Any) -> None:
    write(run_dir, [row(i, benchmark="binoculars", record_id=f"r{i}", score=0.9) for i in range(6)], "texts")
    with pytest.raises(UserError, match=r"texts: its rows are scored texts.*study_sections"):
        analysis.effects(analysis.read(run_dir), "texts", "score")
    with pytest.raises(UserError, match=r"texts: its rows are scored texts.*study_sections"):
        analysis.sentences(analysis.read(run_dir), "texts", "score")


def test_a_run_without_measurements_says_so(failed: RunRows) -> None:
    assert analysis.averages(failed, "generation").empty
    assert analysis.rows(failed, "generation").empty
    found = analysis.figures(failed, "generation")
    assert (dict(found), found.notes) == ({}, ("generation: no row holds a measurement to draw",))
    with pytest.raises(UserError, match=r"generation: no values of '.*'; no row holds a measurement"):
        analysis.effects(failed, "generation", RATE)


def test_a_figure_that_cannot_be_drawn_is_one_message(
    run_dir: Path, write: Any, cell: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(run_dir, [row | {"benchmark": "noop"} for row in cell([1.0, 2.0])], "idle", benchmark="noop")

    def refuse(*_: Any) -> None:
        raise ValueError("too large")

    monkeypatch.setattr(Figure, "draw_without_rendering", refuse)
    with pytest.raises(UserError, match=r"idle: The figure could not be drawn \(ValueError: too large\)"):
        analysis.figures(analysis.read(run_dir), "idle")


def test_names_that_are_not_there(run: RunRows) -> None:
    for function in (analysis.averages, analysis.figures, analysis.rows, analysis.study_sections):
        with pytest.raises(UserError, match="no sweep 'loading'; this run has generation"):
            function(run, "loading")
    with pytest.raises(UserError, match=r"the metrics with values are .*generation_rate"):
        analysis.effects(run, "generation", "load_time_s")


def test_what_is_no_run_is_told_with_what_to_give(run: RunRows, run_dir: Path) -> None:
    path: Any = str(run_dir)
    with pytest.raises(UserError, match=r"and a str was given; read it first: analysis\.read\('.*demo'\)"):
        analysis.averages(path, "generation")
    several: Any = [run, run]
    with pytest.raises(UserError, match=r"and a list was given; see analysis\.read"):
        analysis.compare(run, several)
    with pytest.raises(UserError, match=r"was given a list; give the path of one run directory, .* one by one"):
        analysis.read(several)
    with pytest.raises(UserError, match=r"a directory of runs, not a run; choose one of .*demo"):
        analysis.read(run_dir.parent)


def test_the_home_directory_has_its_sign(run: RunRows, run_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(run_dir.parent))
    assert analysis.read("~/demo").directory == run_dir


def test_public_names_are_typed_documented_and_no_name_of_a_module() -> None:
    functions = [name for name in analysis.__all__ if name != "thresholds"]
    for name in functions:
        function = getattr(analysis, name)
        assert function is getattr(notebook, name)
        assert "Returns:" in function.__doc__
        assert "Raises:" in function.__doc__
        hints: Mapping[str, Any] = function.__annotations__
        assert "return" in hints
    assert not {path.stem for path in (ROOT / "analysis").iterdir()} & set(functions)
    assert set(analysis.__all__) <= set(dir(analysis))
    assert analysis.thresholds.calibrate.__doc__
    with pytest.raises(AttributeError, match=r"no attribute 'figurs'; it has averages, compare, effects, figures"):
        _ = analysis.figurs


def test_importing_the_package_imports_nothing_else() -> None:
    heavy = "{'pandas', 'numpy', 'matplotlib', 'pyarrow', 'scipy', 'analysis.notebook'} & set(sys.modules)"
    command = f"import sys, analysis; assert 'figures' in dir(analysis); assert not {heavy}"
    subprocess.run([sys.executable, "-c", command], check=True, cwd=ROOT)


def test_figures_without_pictures_say_so() -> None:
    assert Figures()._repr_html_() == "<p>no figures</p>"
