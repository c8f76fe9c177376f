"""Tables on the page beside their CSV files."""

from pathlib import Path

import pandas as pd
import pytest

import analysis.tables
from analysis.report import write_report


def test_long_tables_are_cut_on_the_page_only(small_run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(analysis.tables, "MAX_TABLE_ROWS", 1)
    assert "1 more rows in" in write_report(small_run).read_text(encoding="utf-8")
    assert len(pd.read_csv(small_run / "report/tables/generation-averages.csv")) == 8
