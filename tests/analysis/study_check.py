"""Reads the page of `make study`: every section of the published study holds data, and what it cannot hold is named.

`make study-check` runs this file by its name, after `make study`; the name keeps it out of `make test`. A page that is
missing fails every test.
"""

import os
import re
from pathlib import Path

import pytest

from analysis.in_short import MOST_SENTENCES
from analysis.progress import REHEARSED
from tests.analysis.chromium import BROWSER, Chromium
from tests.analysis.outline import LLAMA3, LOGITS, OUTLINE, SCORES
from tests.analysis.page_data import PageData

PAGE = Path(os.environ.get("STUDY_PAGE", "runs/study-rehearsal/report/index.html")).resolve()
NEEDS_MORE = {SCORES + "§ 2.1 Model combinations": "binoculars_combinations"}
"""Sections that two tiny models cannot give, with the sweep that gives them: two pairs make no matrix."""
STAND_INS = {
    LLAMA3
    + "§ 2.3 Inference time averages, 256 tokens, 4 cores": "No row has 256 max new tokens: 64 is shown instead.",
    LLAMA3 + "§ 3.1 Decoding strategy: generation rate, K80 vs GTX1070": "No row is of a GPU: cpu is shown instead.",
    LLAMA3 + "§ 3.2 Inference time averages K80 vs GTX1070, 256 tokens": "No row is of a GPU: cpu is shown instead.",
    LLAMA3 + "§ 3.2b Generation rate by model, GTX1070": "No row is of a GPU: cpu is shown instead.",
    LOGITS + "§ 1.4 Rate and memory averages, LLaMA3-8B": "Rows of model builtin://tiny-base.",
}
"""Sections with rows in place of those that the title names, each with the sentence that says so."""
MOST_BYTES = 1_000_000
MOST_SCRIPT = 12_000


@pytest.fixture(scope="module")
def page() -> str:
    if not PAGE.is_file():
        pytest.fail(f"no page at {PAGE}: `make study` writes it")
    return PAGE.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def data(page: str) -> PageData:
    return PageData(page)


def test_the_page_has_every_section_in_the_order_of_the_outline(data: PageData) -> None:
    assert list(data.articles) == [heading for heading in OUTLINE if heading not in NEEDS_MORE]


@pytest.mark.parametrize("heading", [heading for heading in OUTLINE if heading not in NEEDS_MORE])
def test_a_section_holds_figures_with_marks_and_tables_with_numbers(data: PageData, heading: str) -> None:
    assert OUTLINE[heading].lacks(data.articles[heading]) == []


@pytest.mark.parametrize("heading", STAND_INS)
def test_rows_in_place_of_others_are_named(data: PageData, heading: str) -> None:
    assert STAND_INS[heading] in data.articles[heading].sentences


def test_what_two_tiny_models_cannot_give_is_named_with_the_sweep_that_gives_it(page: str) -> None:
    folded = re.findall(r'<details class="missing">.*?</details>', page, re.DOTALL)
    named = re.findall(r"<code>python -m sweeps.run (\w+)</code> gives: ([^<]*)<", " ".join(folded))
    assert named == [(spec, heading.partition(": ")[2]) for heading, spec in NEEDS_MORE.items()]


def test_the_page_begins_with_what_it_is_and_how_far_the_run_came(page: str) -> None:
    head = page[page.index("<header") : page.index("</header>")]
    assert head.index(REHEARSED) < head.index("tasks are done") < head.index('id="tldr"')
    done, planned = re.findall(r"([\d,]+) of ([\d,]+) tasks are done", head)[0]
    assert done == planned
    shown = head[head.index('id="tldr"') :].partition("<details>")[0]
    assert 10 <= shown.count("<li>") <= MOST_SENTENCES
    report = (PAGE.parent / "report.md").read_text(encoding="utf-8")
    assert REHEARSED in report.splitlines()[2]


def test_the_page_is_one_small_file(page: str) -> None:
    assert len(page.encode()) <= MOST_BYTES
    scripts = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    assert len(scripts) == 1
    assert len(scripts[0]) <= MOST_SCRIPT
    assert not re.search(r"<(link|img|iframe|object)\b|\bsrc=|@import|url\((?!#)", page.replace(scripts[0], ""))


@pytest.mark.skipif(BROWSER is None, reason="no chromium or google-chrome on PATH")
@pytest.mark.parametrize("width", [390, 1200])
def test_a_browser_shows_the_page_without_an_error_or_a_request(tmp_path: Path, page: str, width: int) -> None:
    with Chromium(tmp_path / "profile") as browser:
        browser.open(PAGE, width=width)
        assert browser.errors == []
        assert browser.requests == [PAGE.as_uri()]
        wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        assert browser.evaluate(wide) == 0, "nothing sticks out"
        empty = "[...document.querySelectorAll('.plot svg')].filter(f => f.getBoundingClientRect().height < 100).length"
        assert browser.evaluate(empty) == 0
