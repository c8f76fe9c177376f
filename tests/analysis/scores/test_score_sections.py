"""Sections of notebook 03 from rows on disk: what they hold, and when they are absent."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from analysis.load import read_run
from analysis.sections.measured_sweep import MeasuredSweep
from analysis.sections.order import SECTIONS
from analysis.sections.scores.length_bins import by_length
from analysis.sections.scores.scored import settings_of, thinned
from analysis.sections.section import Content, Notebook
from analysis.thresholds.asked import Asked
from analysis.thresholds.files import tables_directory, write_files
from analysis.thresholds.run_fit import fit_run
from analysis.thresholds.tables import tables_of

Write = Callable[..., Path]
Scored = Callable[..., list[dict[str, Any]]]
PAIRS = (("x/base", "x/instruct", 2.0), ("x/instruct", "x/base", 0.5), ("y/base", "x/instruct", -2.0))


def measured(run: Path, name: str = "s") -> MeasuredSweep:
    sweeps = read_run(run).sweeps
    return MeasuredSweep(next(sweep for sweep in sweeps if sweep.name == name), name, name, sweeps)


def section(sweep: MeasuredSweep, title: str) -> Content | None:
    own = next(one for one in SECTIONS if one.title == title and one.notebook is Notebook.SCORES)
    return own.make(sweep) if own.has_rows(sweep) else None


def made(sweep: MeasuredSweep, title: str) -> Content:
    content = section(sweep, title)
    assert content is not None
    return content


@pytest.fixture
def one_pair(run_dir: Path, write: Write, scored: Scored) -> MeasuredSweep:
    write(run_dir, scored(panel=True), "s", benchmark="binoculars")
    return measured(run_dir)


@pytest.fixture
def three_pairs(run_dir: Path, write: Write, scored: Scored) -> MeasuredSweep:
    failed = {"status": "unsupported", "error_message": "tokenizers differ at 'é'", "score": None, "author": None}
    rows = scored(pairs=PAIRS)
    rows.append(rows[0] | failed | {"pair": json.dumps(["y/base", "z/instruct"]), "task_id": "t9"})
    write(run_dir, rows, "s", benchmark="binoculars")
    return measured(run_dir)


@pytest.mark.parametrize(
    ("title", "figures"),
    [
        ("LLaMA3-8B", 1),
        ("Perplexity vs cross-perplexity", 1),
        ("Perplexity ratio score distribution", 1),
        ("Binoculars score by fragment length", 1),
        ("Fragment length distribution", 2),
        ("Scores of the panel", 1),
    ],
)
def test_figures_of_one_pair_are_drawn(one_pair: MeasuredSweep, title: str, figures: int) -> None:
    content = made(one_pair, title)
    assert len(content.drawings) == figures
    for drawing in content.drawings:
        assert b"<path" in drawing.svg
        assert len(drawing.svg) < 150_000
        assert drawing.png.startswith(b"\x89PNG")
    assert section(one_pair, "Model benchmark") is None


def test_pairs_are_ranked_and_one_that_points_the_other_way_is_named(three_pairs: MeasuredSweep) -> None:
    content = made(three_pairs, "Model benchmark")
    said = " ".join(content.sentences)
    assert "x/base with x/instruct separates best: AUROC 0.9" in said
    assert "is below 0.5: here this score points the other way" in said
    assert content.tables[0].rows[0][0] == "x/base with x/instruct"
    assert len(content.tables[1].rows) == 3
    assert content.drawings
    assert content.files["s-pairs"]["records"].tolist() == [60, 60, 60]


def test_the_matrix_shows_pairs_that_cannot_be_scored_with_the_reason(three_pairs: MeasuredSweep) -> None:
    table = made(three_pairs, "Model combinations").tables[0]
    cells = {row[0]: row[1:] for row in table.rows}
    assert len(cells) == 3
    assert any("unsupported: tokenizers differ at 'é'" in cell for row in cells.values() for cell in row)
    assert sum(cell.startswith("0.") for row in cells.values() for cell in row) == 3


def test_few_records_are_shown_and_conclude_nothing(run_dir: Path, write: Write, scored: Scored) -> None:
    write(run_dir, scored(12, pairs=PAIRS), "s", benchmark="binoculars")
    content = made(measured(run_dir), "Model benchmark")
    assert "Too few records to rank: 20 with human and with synthetic text are needed." in content.sentences
    frame = content.files["s-pairs"]
    assert frame[["low", "high", "auroc_low", "p_welch_holm", "p_paired_holm"]].isna().all(axis=None)
    assert frame["auroc"].notna().all()


def test_scores_of_the_panel_are_on_the_same_texts_and_no_rate_is_claimed_of_too_few(one_pair: MeasuredSweep) -> None:
    content = made(one_pair, "Scores of the panel")
    table = content.tables[0]
    assert {row[1] for row in table.rows} == {"score", "fast_detect", "log_ppl", "log_rank", "lrr", "entropy"}
    assert {row[table.headers.index("n human")] for row in table.rows} == {"60"}
    assert {row[table.headers.index("TPR at FPR ≤ 1%")] for row in table.rows} == {
        "too few human texts: 100 are needed"
    }
    assert any(sentence.startswith("entropy: AUROC 0.") for sentence in content.sentences)


def test_rows_without_a_score_are_counted_by_author_and_length(run_dir: Path, write: Write, scored: Scored) -> None:
    rows = scored()
    for row in rows[::5]:
        row |= {"score": None, "log_ppl": None, "length_tokens": None, "null_reason": "too_short"}
    write(run_dir, rows, "s", benchmark="binoculars")
    content = made(measured(run_dir), "Binoculars score by fragment length")
    assert "48 rows have no score and enter no number here: too_short (48)." in content.sentences
    nulls = content.files["s-nulls"]
    assert nulls["rows_without_score"].sum() == 48
    assert (nulls["share"] == nulls["rows_without_score"] / nulls["rows"]).all()
    assert set(nulls["author"]) == {"human", "synthetic"}


def test_rows_without_a_score_count_where_no_length_is_known(run_dir: Path, write: Write, scored: Scored) -> None:
    rows = scored()
    for row in rows[:7]:
        row |= {"score": None, "log_ppl": None, "length_words": None, "length_tokens": None, "null_reason": "bad_row"}
    write(run_dir, rows, "s", benchmark="binoculars")
    nulls = made(measured(run_dir), "Binoculars score by fragment length").files["s-nulls"]
    assert nulls["rows_without_score"].sum() == 7
    assert set(nulls["length"]) == {"unknown"}


def test_bins_of_length_hold_every_text_once(one_pair: MeasuredSweep) -> None:
    setting = settings_of(one_pair)[0]
    table = by_length(setting, "score")
    assert table["n"].sum() == len(setting.rows)
    of_human = table[table["author"] == "human"]
    human = setting.rows[setting.rows["is_human"]]
    assert (of_human["n"] * of_human["mean"]).sum() / len(human) == pytest.approx(human["score"].mean())


def test_without_a_calibration_the_command_and_what_the_records_carry(one_pair: MeasuredSweep, run_dir: Path) -> None:
    said = made(one_pair, "Thresholding").sentences
    assert f"analysis.thresholds {run_dir} --sweep s --fpr 0.05 --out {run_dir}/calibration.json" in said[0]
    assert "60 records with human text, 36 of them in the calibrate part, no false-positive rate can be" in said[1]
    assert "5% needs 59" in said[1]
    assert made(one_pair, "Thresholding").in_short == (), "what is not there yet is not said at the top"


def test_thresholds_are_shown_with_the_promise(run_dir: Path, write: Write, scored: Scored) -> None:
    write(run_dir, scored(200, 1, panel=True), "s", benchmark="binoculars")
    _, fit = fit_run(run_dir, Asked(0.05, split=(0.3, 0.4, 0.3)), None, ())
    out = run_dir / "calibration.json"
    write_files(fit.calibration, tables_of(fit), out, tables_directory(out))
    content = made(measured(run_dir), "Thresholding")
    assert "at most 5% of new human texts like these are flagged, with confidence 95%" in content.sentences[0]
    assert content.in_short == content.sentences
    names = [drawing.name for drawing in content.drawings]
    assert names == [f"s-thresholds-{kind}" for kind in ("by-length", "fpr", "tpr", "reliability")]
    assert content.tables[0].rows[0][2] == "≤ 5%"
    headers = {table.title.partition(" ")[0]: table.headers for table in content.tables[1:]}
    assert headers["Rates"][:4] == ("column", "level", "n human", "false positives")
    assert headers["Rates"][4:6] == ("FPR (exact 95%)", "above promise")
    assert "score" in headers["AUROC"]
    assert not any(name.endswith((" low", " high")) for name in headers["Rates"])
    (whole,) = (table.rows[0] for table in content.tables if table.title.startswith("Rates"))
    assert whole[4].count("%") == 3
    assert whole[5] == "no"
    groups = content.tables[0].rows
    assert len(groups) == len(fit.calibration.groups)
    steps = made(measured(run_dir), "Binoculars score by fragment length").drawings[0].caption
    assert "the threshold of each length group" in steps


def test_a_calibration_of_other_scores_is_not_shown(run_dir: Path, write: Write, scored: Scored) -> None:
    write(run_dir, scored(200, 1), "s", benchmark="binoculars")
    _, fit = fit_run(run_dir, Asked(0.05), None, ())
    write_files(fit.calibration, {}, run_dir / "calibration.json", run_dir / "tables-of-it")
    write(run_dir, scored(200, 1, pairs=(("z/base", "z/instruct", 1.0),)), "s", benchmark="binoculars")
    content = made(measured(run_dir), "Thresholding")
    assert content.sentences[0] == "calibration.json in the run directory is of other scores than this sweep's."
    assert "calibration-s.json" in content.sentences[1]
    assert not content.drawings


def test_a_broken_calibration_is_a_sentence(one_pair: MeasuredSweep, run_dir: Path) -> None:
    (run_dir / "calibration.json").write_text("{", encoding="utf-8")
    assert "no whole JSON file" in made(one_pair, "Thresholding").sentences[0]


def test_sections_are_absent_where_no_text_has_a_score(run_dir: Path, write: Write, scored: Scored) -> None:
    rows = [row | {"score": None, "null_reason": "too_short"} for row in scored(5)]
    write(run_dir, rows, "s", benchmark="binoculars")
    sweep = measured(run_dir)
    own = [one for one in SECTIONS if one.notebook is Notebook.SCORES and one.columns[:1] == ("score",)]
    assert own
    assert not any(one.has_rows(sweep) for one in own)


def test_one_author_alone_fails_no_section(run_dir: Path, write: Write, scored: Scored) -> None:
    rows = [row for row in scored(30, panel=True) if row["author"] == "human"]
    write(run_dir, rows, "s", benchmark="binoculars")
    sweep = measured(run_dir)
    assert made(sweep, "LLaMA3-8B").sentences[0] == "No pair scored texts of both authors, so nothing separates them."
    for one in SECTIONS:
        if one.notebook is Notebook.SCORES and one.has_rows(sweep):
            one.make(sweep)
    assert section(sweep, "Scores of the panel") is None


def test_points_are_drawn_alike_whatever_the_order_of_the_rows(one_pair: MeasuredSweep) -> None:
    rows = settings_of(one_pair)[0].rows
    chosen, again = thinned(rows, 20), thinned(rows.sample(frac=1, random_state=1), 20)
    assert len(chosen) == 40
    pd.testing.assert_frame_equal(chosen.sort_index(), again.sort_index())


def test_the_page_has_one_word_for_the_author_that_is_not_human(three_pairs: MeasuredSweep) -> None:
    contents = [one.make(three_pairs) for one in SECTIONS if one.has_rows(three_pairs)]
    said = [
        text
        for content in contents
        if content
        for text in (
            *content.sentences,
            *(drawing.caption for drawing in content.drawings),
            *(text for table in content.tables for text in (table.title, table.note, *table.headers)),
        )
    ]
    assert [text for text in said if "synthetic" in text]
    assert [text for text in said if "machine" in text] == []
