"""Tables on the page beside their CSV files."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import analysis.cells_table
from analysis import page
from analysis.cell_averages import average
from analysis.cells_table import cells_table
from analysis.load import read_run
from analysis.report import write_report
from analysis.tables import Table, auc_table


def test_the_most_telling_columns_come_first_and_the_rest_on_demand(run_dir: Path, write: Any, cell: Any) -> None:
    write(run_dir, cell([5.0]) + cell([5.0, 5.1, 5.2, 5.3, 5.4], max_new_tokens=32))
    table = cells_table(average(read_run(run_dir).sweeps[0]), "s")
    assert table is not None
    shown = len(table.headers) - table.on_demand
    assert table.headers[:shown] == (
        "max new tokens", "generation rate (tokens/s)", "n", "95% interval",
    )  # fmt: skip
    assert [row[:shown] for row in table.rows] == [
        ("16", "5.000", "1", "too few to tell"),
        ("32", "5.200", "5", "5.007 – 5.400"),
    ]
    assert table.headers[shown:] == (
        "median of generation rate", "sd of generation rate", "min of generation rate", "max of generation rate",
        "inference time (s)", "TTFT (ms)", "peak RSS (host) (MiB)",
    )  # fmt: skip


def test_a_mean_to_doubt_says_why_in_its_row(run_dir: Path, write: Any, cell: Any) -> None:
    rows = cell([5.0, 10.0, 20.0])
    write(run_dir, [row | {"neighbours": 2 * number} for number, row in enumerate(rows)])
    table = cells_table(average(read_run(run_dir).sweeps[0]), "s")
    assert table is not None
    (row,) = table.rows
    assert (
        row[0] == "11.67 ⚠ sd 65% of the mean; a row 71% away from the mean; 2 of 3 rows beside up to 4 other workers"
    )


def test_an_auc_tells_its_numbers_of_texts() -> None:
    auc = pd.DataFrame({"observer": ["o"], "auc": [0.75], "n_human": [1200], "n_synthetic": [3]})
    assert auc_table(auc, "s").rows == (("o", "0.7500", "1,200", "3"),)


def test_long_tables_are_cut_on_the_page_only(small_run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(analysis.cells_table, "MAX_TABLE_ROWS", 1)
    page = write_report(small_run).read_text(encoding="utf-8")
    assert "1 more row in" in page
    assert len(pd.read_csv(small_run / "report/tables/generation-averages.csv")) == 8


@pytest.mark.parametrize(
    ("rows", "left_out", "size"),
    [(15, 0, ""), (16, 0, "16 rows"), (1, 14, ""), (1, 15, "1 of 16 rows"), (200, 1100, "200 of 1,300 rows")],
)
def test_a_table_that_does_not_fit_its_box_counts_its_rows_in_its_heading(rows: int, left_out: int, size: str) -> None:
    assert Table("t", ("a",), (("x",),) * rows, left_out=left_out).size == size


def test_the_number_of_rows_stands_behind_the_title(run_dir: Path, write: Any, cell: Any) -> None:
    write(run_dir, [row for cores in range(1, 18) for row in cell([5.0], cpu_cores=cores)])
    page = write_report(run_dir).read_text(encoding="utf-8")
    assert '<h4>All cells <span class="aside">17 rows</span> <a class="aside"' in page


def test_columns_of_words_are_told_from_columns_of_numbers() -> None:
    rows = (("gpu", "1,200", "–", "< 0.001", "", "too few"), ("cpu", "-0.5 ⚠ sd 20%", "≤ 5%", "0.5", "⚠ sd", "4-bit"))
    table = Table("t", ("name", *"abcde"), rows, names=1)
    assert table.texts == (5,), "'4-bit' begins with a number, and a column of mixed cells counts as one of numbers"


def test_doubts_stand_below_their_number_and_commands_are_code_all_escaped() -> None:
    assert page._with_doubt("1.5 (1 – 2) ⚠ <b>") == '1.5 (1 – 2) <div class="doubt">⚠ &lt;b&gt;</div>'
    assert page._with_doubt("<i>") == "&lt;i&gt;"
    assert page._with_code("run `a <b>`: now") == "run <code>a &lt;b&gt;</code>: now"
    assert page._with_code("a ` that <i> is alone") == "a ` that &lt;i&gt; is alone"
    assert page._with_code("bell \x07") == "bell \\x07"
