"""Two million rows of scores have a report within 1 GB of memory."""

from pathlib import Path

import pytest

from bench.report_scale import report_cost, write_rows

ROWS = 2_000_000


@pytest.mark.slow
def test_two_million_rows_need_less_than_a_gigabyte(tmp_path: Path) -> None:
    write_rows(tmp_path / "scale", ROWS)
    *_, peak_gib = report_cost(tmp_path / "scale")
    page = (tmp_path / "scale" / "report" / "index.html").read_text(encoding="utf-8")
    assert f"<b>{ROWS:,}</b> ok" in page
    assert peak_gib * 2**30 < 1e9
