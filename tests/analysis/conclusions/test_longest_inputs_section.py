"""The longest inputs on the page: hosts and CPU cores are told apart, or what is pooled is told."""

from pathlib import Path
from typing import Any

import pytest

from analysis.load import read_run
from analysis.sections.longest_inputs import longest
from analysis.sections.section import Content
from analysis.sections.selection import Selection
from tests.analysis.conftest import Row, generation_row, write_sweep


def logits_row(words: int, status: str, **columns: Any) -> Row:
    row = generation_row(words, benchmark="logits", sweep="logits", input_words=words, status=status, **columns)
    cell = f"{words} {columns}"
    left_out = ("max_new_tokens", "prompt_words", "decoding_strategy")
    return {name: value for name, value in row.items() if name not in left_out} | {"cell_id": cell, "task_id": cell}


def content_of(run: Path, rows: list[Row]) -> Content:
    write_sweep(run, rows, "logits", benchmark="logits")
    return longest(Selection(read_run(run).sweeps[0]).with_device_map(), "input_words")


@pytest.mark.parametrize(("column", "levels", "title"), [("host", "ab", "host"), ("cpu_cores", (1, 4), "CPU cores")])
def test_hosts_and_cores_are_told_apart(run_dir: Path, column: str, levels: Any, title: str) -> None:
    small, large = ({column: level} for level in levels)
    content = content_of(
        run_dir,
        [
            logits_row(100, "ok", **small),
            logits_row(200, "oom_gpu", **small),
            logits_row(100, "ok", **large),
            logits_row(200, "ok", **large),
        ],
    )
    assert content.sentences == (
        f"Longest input that fitted: 100 to 200 words, by {title}, on cpu, and longer ones ran out of memory in 1 of 2 "
        "configurations.",
    )
    assert title in content.tables[0].headers


def test_hosts_that_some_rows_do_not_say_are_pooled_with_a_remark(run_dir: Path) -> None:
    rows = [
        logits_row(100, "ok", host="a"),
        logits_row(200, "ok", host="b"),
        logits_row(400, "skipped_oom", host=None),
    ]
    content = content_of(run_dir, rows)
    assert content.sentences == (
        "Longest input that fitted: 200 words on cpu (400 was not tried: something smaller had run out of memory).",
        "The longest inputs are over every host (2 levels): some rows do not say theirs.",
    )
