"""Sentences that conclude a study: effects that are there, and the doubt that one round leaves."""

from pathlib import Path
from typing import Any

import pytest

from analysis.load import read_run
from analysis.sections.conclusions import ONE_ROUND, extremes, summary
from analysis.sections.selection import Selection

RATE = "generation_rate_tokens_per_s"


def rows_of(cell: Any, rounds: int, factor: float) -> list[dict[str, Any]]:
    """Rows of two quantizations and two numbers of cores; 4-bit is `factor` times as fast."""
    rows = []
    for quantization, speed in (("none", 1.0), ("4-bit", factor)):
        for cores in (1, 2):
            rates = [speed * rate for rate in (10.0, 10.1, 9.9, 10.05, 9.95, 10.02)]
            made = cell(rates, quantization=quantization, cpu_cores=cores)
            rows += [row | {"round": number % rounds} for number, row in enumerate(made)]
    return rows


def selection_of(run_dir: Path, write: Any, rows: list[dict[str, Any]]) -> Selection:
    write(run_dir, rows)
    return Selection(read_run(run_dir).sweeps[0])


def test_an_effect_is_claimed_with_the_doubt_that_one_round_leaves(run_dir: Path, write: Any, cell: Any) -> None:
    content = summary(selection_of(run_dir, write, rows_of(cell, 1, 2.0)), RATE)
    assert content is not None
    assert any(sentence.startswith("Quantization explains") for sentence in content.sentences)
    assert content.sentences[-1] == ONE_ROUND


def test_several_rounds_leave_no_such_doubt(run_dir: Path, write: Any, cell: Any) -> None:
    content = extremes(selection_of(run_dir, write, rows_of(cell, 6, 2.0)), RATE, "Rates")
    assert content is not None
    assert any(sentence.startswith("Quantization explains") for sentence in content.sentences)
    assert ONE_ROUND not in content.sentences
    ranking = content.tables[1]
    assert ranking.rows[0][0] == "quantization"
    assert ranking.rows[0][3] == "p < 0.001"


@pytest.mark.parametrize("rounds", [1, 6])
def test_without_an_effect_none_is_claimed_and_that_is_said(run_dir: Path, write: Any, cell: Any, rounds: int) -> None:
    content = extremes(selection_of(run_dir, write, rows_of(cell, rounds, 1.0)), RATE, "Rates")
    assert content is not None
    assert not any("explain" in sentence for sentence in content.sentences)
    assert ONE_ROUND not in content.sentences
    assert any(sentence.startswith("No effect of quantization was shown") for sentence in content.sentences)
