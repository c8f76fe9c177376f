"""Tables on the page beside their CSV files."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import analysis.tables
from analysis.averages import average
from analysis.load import read_run
from analysis.report import write_report
from analysis.tables import auc_table, overview, statistics


def test_every_cell_tells_its_number_of_rows_and_one_row_has_no_interval(run_dir: Path, write: Any, cell: Any) -> None:
    write(run_dir, cell([5.0]) + cell([5.0, 6.0, 7.0], max_new_tokens=32))
    averages = average(read_run(run_dir).sweeps[0])
    table = statistics(averages, "generation_rate_tokens_per_s", "s")
    assert table.headers[:3] == ("max new tokens", "n", "mean")
    assert [row[:3] for row in table.rows] == [("16", "1", "5.000"), ("32", "3", "6.000")]
    shown = overview(averages, "s")
    assert shown is not None
    assert [row[1] for row in shown.rows] == ["5.000", "6.000 ± 2.484 ⚠"]


def test_an_auc_tells_its_numbers_of_texts() -> None:
    auc = pd.DataFrame({"observer": ["o"], "auc": [0.75], "n_human": [1200], "n_synthetic": [3]})
    assert auc_table(auc, "s").rows == (("o", "0.7500", "1,200", "3"),)


def test_long_tables_are_cut_on_the_page_only(small_run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(analysis.tables, "MAX_TABLE_ROWS", 1)
    assert "1 more rows in" in write_report(small_run).read_text(encoding="utf-8")
    assert len(pd.read_csv(small_run / "report/tables/generation-averages.csv")) == 8
