"""Sentences that conclude a study: effects that are there, and the doubt that one round leaves."""

from pathlib import Path
from typing import Any

import pytest

from analysis.conclusions.limits import ONE_ROUND
from analysis.load import read_run
from analysis.sections.conclusions import extremes, findings, summary
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
    content = summary(findings(selection_of(run_dir, write, rows_of(cell, 1, 2.0)), RATE))
    assert content is not None
    assert any(sentence.startswith("Quantization explains") for sentence in content.sentences)
    assert content.sentences[-1] == ONE_ROUND


def test_several_rounds_leave_no_such_doubt(run_dir: Path, write: Any, cell: Any) -> None:
    content = extremes(findings(selection_of(run_dir, write, rows_of(cell, 6, 2.0)), RATE), "Rates")
    assert content is not None
    assert any(sentence.startswith("Quantization explains") for sentence in content.sentences)
    assert ONE_ROUND not in content.sentences
    ranking = content.tables[1]
    assert ranking.rows[0][0] == "quantization"
    assert ranking.rows[0][3] == "< 0.001"


@pytest.mark.parametrize("rounds", [1, 6])
def test_without_an_effect_none_is_claimed_and_that_is_said(run_dir: Path, write: Any, cell: Any, rounds: int) -> None:
    content = extremes(findings(selection_of(run_dir, write, rows_of(cell, rounds, 1.0)), RATE), "Rates")
    assert content is not None
    assert not any("explain" in sentence for sentence in content.sentences)
    assert ONE_ROUND not in content.sentences
    assert any(sentence.startswith("No effect of quantization was shown") for sentence in content.sentences)


def few_of_each_quantization(cell: Any) -> list[dict[str, Any]]:
    """Rows in which the quantization matters most, but has 4 values a level; cores have 6."""
    return [
        row
        for quantization, speed in (("none", 1.0), ("4-bit", 2.0), ("8-bit", 3.0))
        for cores in (1, 2)
        for row in cell(
            [10.0 * speed * 1.2**cores, 10.01 * speed * 1.2**cores], quantization=quantization, cpu_cores=cores
        )
    ]


def test_a_larger_share_without_a_claim_is_told_beside_the_claim(run_dir: Path, write: Any, cell: Any) -> None:
    content = summary(findings(selection_of(run_dir, write, few_of_each_quantization(cell)), RATE))
    assert content is not None
    (said,) = [sentence for sentence in content.sentences if sentence.startswith("CPU cores explain")]
    assert "% of the variation of generation rate (p < 0.001); quantization explains more, 9" in said
    assert said.endswith("%, but without a claim: too few to tell, a level has 4 values and 5 are needed.")


def test_without_any_claim_the_largest_share_is_told_with_the_reason(run_dir: Path, write: Any, cell: Any) -> None:
    rows = [row for row in few_of_each_quantization(cell) if row["cpu_cores"] == 1]
    content = summary(findings(selection_of(run_dir, write, rows), RATE))
    assert content is not None
    assert content.sentences[1] == (
        "Nothing is claimed on what changes generation rate: the largest share of the variation among 3 "
        "configurations is that of quantization (100%); too few to tell, a level has 2 values and 5 are needed."
    )


def test_rows_that_entered_no_claim_are_told_beside_the_first_claim(run_dir: Path, write: Any, cell: Any) -> None:
    rows = rows_of(cell, 1, 2.0)
    rows[0]["neighbours"] = 1
    rows[-1]["generation_rate_tokens_per_s"] = 60.0
    content = summary(findings(selection_of(run_dir, write, rows), RATE))
    assert content is not None
    (said,) = [sentence for sentence in content.sentences if sentence.startswith("Quantization explains")]
    assert said.endswith("; left out: 1 of 24 rows measured beside other work and 1 of 4 cells, which are unsteady.")
    assert "⚠" in content.sentences[0], "the highest mean is of the unsteady cell"


def placed(rows: list[dict[str, Any]], device: str) -> list[dict[str, Any]]:
    return [row | {"device": device, "cell_id": f"{row['cell_id']} {device}"} for row in rows]


def test_factors_that_change_together_are_taken_apart_where_the_cells_allow(
    run_dir: Path, write: Any, cell: Any
) -> None:
    rates = [10.0, 10.1, 9.9, 10.05, 9.95]
    grid = [
        ("gtx", "4-bit", 4.0),
        ("gtx", "8-bit", 2.0),
        ("k80", "4-bit", 3.0),
        ("k80", "8-bit", 1.5),
        ("cpu", "none", 1.0),
    ]
    rows = [
        row
        for device, quantization, speed in grid
        for row in placed(cell([speed * rate for rate in rates], quantization=quantization), device)
    ]
    content = extremes(findings(selection_of(run_dir, write, rows), RATE), "Rates")
    assert content is not None
    said = " ".join(content.sentences)
    assert "Device and quantization together explain" in said
    assert "Quantization, from faster to slower: 4-bit; then 8-bit. 4-bit is 2 times as fast as 8-bit" in said
    assert "Device, from faster to slower: gtx; then k80." in said
    assert "Device and quantization: gtx with 4-bit is faster than all others, and cpu with none is slower" in said
