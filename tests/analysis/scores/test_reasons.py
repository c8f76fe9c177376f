"""Reasons of the sections of scores for what they leave out or do not conclude: each is the true one."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from analysis.sections.order import SECTIONS
from analysis.sections.scores.scored import settings_of
from tests.analysis.scores.test_score_sections import PAIRS, made, measured

Write = Callable[..., Path]
Scored = Callable[..., list[dict[str, Any]]]


def test_scored_rows_without_a_record_are_told(run_dir: Path, write: Write, scored: Scored) -> None:
    rows = scored()
    lost = [
        row | {"record_id": None, "task_id": "lost", "fragment_index": None, "iteration": 1000 + n}
        for n, row in enumerate(rows[:40])
    ]
    write(run_dir, [*rows, *lost], "s", benchmark="binoculars")
    said = (
        "40 of 280 scored rows have no record_id: the sections of scores leave them out, and the table of averages "
        "counts them."
    )
    assert said in made(measured(run_dir), "LLaMA3-8B").sentences
    write(run_dir, [row | {"author": "editor"} for row in rows[:1]], "s", benchmark="binoculars")
    (only,) = made(measured(run_dir), "LLaMA3-8B").sentences
    assert only.startswith("1 of 1 scored rows have no author, or another than human and synthetic: ")


@pytest.mark.parametrize(("lacks", "reason"), [("record_id", "have no record_id"), ("author", "have no author, or")])
def test_a_sweep_whose_scored_rows_all_lack_their_place_says_so_once(
    run_dir: Path, write: Write, scored: Scored, lacks: str, reason: str
) -> None:
    for pairs, title in ((PAIRS[:1], "LLaMA3-8B"), (PAIRS, "Model benchmark")):
        every = enumerate(scored(20, pairs=pairs))
        rows = [row | {lacks: None, "iteration": number, "fragment_index": number} for number, row in every]
        write(run_dir, rows, "s", benchmark="binoculars")
        sweep = measured(run_dir)
        scores = [one for one in SECTIONS if one.benchmark == "binoculars" and "score" in one.columns]
        contents = {one.title: one.make(sweep) for one in scores if one.has_rows(sweep)}
        said = {name: content.sentences for name, content in contents.items() if content and content.sentences}
        assert list(said) == [title]
        (sentence,) = said[title]
        assert sentence.startswith(f"{len(rows)} of {len(rows)} scored rows {reason}")


def test_prefixes_beside_whole_texts_are_no_texts_of_their_own(run_dir: Path, write: Write, scored: Scored) -> None:
    rows = [
        row | {"prefix_tokens": tokens, "length_tokens": tokens or 400}
        for row in scored(fragments=1)
        for tokens in ((16, 32, None) if row["record_id"] < "r00030" else (16, 32))
    ]
    write(run_dir, rows, "s", benchmark="binoculars")
    sweep = measured(run_dir)
    content = made(sweep, "LLaMA3-8B")
    assert content.files["s-pairs"][["n_human", "n_synthetic"]].iloc[0].tolist() == [60, 60]
    said = "Of the prefixes of a text, the longest with a score counts here."
    assert any(sentence.endswith(said) for sentence in content.sentences)
    (setting,) = settings_of(sweep, longest=True)
    assert sorted(setting.rows["length_tokens"]) == [32] * 60 + [400] * 60


def test_prefixes_of_different_length_are_not_paired(run_dir: Path, write: Write, scored: Scored) -> None:
    rows = [
        row | {"prefix_tokens": tokens}
        for row in scored(fragments=1)
        for tokens in (16, 32)
        if tokens == 16 or row["author"] == "human" or row["record_id"] < "r00025"
    ]
    write(run_dir, rows, "s", benchmark="binoculars")
    frame = made(measured(run_dir), "LLaMA3-8B").files["s-pairs"]
    assert frame[["n_human", "n_synthetic", "pairs"]].iloc[0].tolist() == [60, 60, 25]


def test_one_bin_of_length_is_said_with_what_two_need(run_dir: Path, write: Write, scored: Scored) -> None:
    write(run_dir, scored(fragments=1), "s", benchmark="binoculars")
    said = made(measured(run_dir), "Binoculars score by fragment length").sentences[0]
    assert "no AUROC by length: all texts are in one bin (16–296 tokens)" in said
    assert "120 texts of each author" in said


def test_bins_of_few_records_are_counted(run_dir: Path, write: Write, scored: Scored) -> None:
    write(run_dir, scored(10, 15), "s", benchmark="binoculars")
    said = made(measured(run_dir), "Binoculars score by fragment length").sentences[0]
    assert said.endswith("no AUROC by length: no bin has 20 records of each author, of 2 bins.")


def test_scores_that_do_not_vary_are_not_too_few(run_dir: Path, write: Write, scored: Scored) -> None:
    write(run_dir, [row | {"score": 1.0} for row in scored(40)], "s", benchmark="binoculars")
    said = made(measured(run_dir), "LLaMA3-8B").sentences
    assert said[0] == "No pair is ranked: the scores vary too little for an interval."
