"""The page as a browser shows it, on a screen and on a phone."""

import re
from pathlib import Path

import pytest

from scoring.detection.inputs import Entry
from tests.analysis.test_report_in_chromium import BROWSER, browse, measured_copy
from tests.scoring.detection.fakes import CURVE, FOR_WINDOWS, calibration
from tests.scoring.detection.test_judging import WINDOWS, words
from tests.scoring.detection.test_page import page_of

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(BROWSER is None, reason="no chromium or google-chrome on PATH"),
]


def test_nothing_sticks_out_of_the_page_at_any_width(tmp_path: Path) -> None:
    (tmp_path / "page").mkdir()
    entries = [
        Entry("a/" + "long" * 40, text=f"{words(4, 0.1)} {'w' * 300} {words(4)}"),
        Entry("b.jsonl", "b.jsonl:7", 7, null_reason="bad_row", error="line 8: " + "x" * 200),
    ]
    page_of(tmp_path / "page", entries, calibration(**FOR_WINDOWS, probability=CURVE), WINDOWS, prior=0.5)
    copy = measured_copy(tmp_path / "page" / "page.html")
    for width in (1200, 390):
        dom = browse(copy, tmp_path / "profile", f"--window-size={width},900", "--dump-dom")
        assert 'data-overflow="0"' in dom, f"nothing sticks out at {width} px"
        assert len(re.findall('class="window machine"', dom)) >= 2
