"""Reasons of the sections of scores for what they leave out or do not conclude: each is the true one."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.analysis.scores.test_score_sections import made, measured

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
