"""The page as a browser shows it, on a screen and on a phone."""

from pathlib import Path

import pytest

from scoring.detection.inputs import Entry
from tests.analysis.chromium import BROWSER, Chromium
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
    sideways = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    with Chromium(tmp_path / "profile") as browser:
        for width in (1200, 390):
            browser.open(tmp_path / "page" / "page.html", width=width)
            assert browser.evaluate(sideways) == 0, f"nothing sticks out at {width} px"
            assert browser.evaluate("document.querySelectorAll('.window.machine').length") >= 2
        assert browser.errors == []
        assert browser.requests == [(tmp_path / "page" / "page.html").as_uri()] * 2
