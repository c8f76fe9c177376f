"""The page as a browser shows it: no error, no request, sorted by a click, zoomed, dark, on a phone, without script."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from analysis.report import write_report
from tests.analysis.chromium import BROWSER, Chromium

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(BROWSER is None, reason="no chromium or google-chrome on PATH"),
]
SIDEWAYS = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
COLUMN = (
    "[...document.querySelectorAll('section[id^=sweep] .grid tbody tr')].map(row => row.cells[{}].textContent.trim())"
)


@pytest.fixture
def page(run_dir: Path, write: Any, cell: Any, row: Any) -> Path:
    rows = [
        row
        for model in ("builtin://tiny-base", f"org/{'long-name-' * 20}", "新模型 $x$ [b] 😀")
        for tokens in (8, 16, 32, 128)
        for row in cell([10.0 * tokens, 11.0 * tokens, 12.5 * tokens], model=model, max_new_tokens=tokens)
    ]
    rows.append(
        row(
            status="error",
            error_type="E",
            error_message="<img src=x onerror=alert(1)>",
            max_new_tokens=128,
            model="tiny-base",
        )
    )
    write(run_dir, rows, tasks=13)
    return write_report(run_dir)


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Chromium]:
    with Chromium(tmp_path / "profile") as browser:
        yield browser


def test_tables_and_figures_are_shown_without_an_error_or_a_request(browser: Chromium, page: Path) -> None:
    browser.open(page)
    assert browser.evaluate("document.querySelectorAll('table').length") >= 4
    assert browser.evaluate("document.body.innerText.includes('<img src=x onerror=alert(1)>')")
    assert browser.evaluate("document.body.innerText.includes('新模型 $x$ [b] 😀')")
    box = "document.querySelector('.plot svg').getBoundingClientRect()"
    assert browser.evaluate(f"{box}.width") > 300
    assert browser.evaluate(f"{box}.height") > 150
    assert browser.evaluate("[...document.querySelectorAll('.plot text')].some(t => t.textContent == 'max new tokens')")
    assert browser.evaluate(SIDEWAYS) == 0, "nothing sticks out of the page"
    assert browser.requests == [page.as_uri()]
    assert browser.errors == []


def test_a_click_on_a_header_sorts_by_number_and_another_one_turns_the_order(browser: Chromium, page: Path) -> None:
    browser.open(page)
    column = COLUMN.format(1)
    browser.click("section[id^=sweep] .grid thead th:nth-child(2)")
    assert browser.evaluate(column)[:12] == sorted(browser.evaluate(column)[:12], key=int)
    assert {"8", "128"} <= set(browser.evaluate(column))
    browser.click("section[id^=sweep] .grid thead th:nth-child(2)")
    assert browser.evaluate(column)[0] == "128"


def test_rows_are_filtered_by_every_word(browser: Chromium, page: Path) -> None:
    browser.open(page)
    browser.evaluate(
        "(() => { const box = document.querySelector('section[id^=sweep] .filter'); box.value = 'TINY-base 128';"
        "box.dispatchEvent(new Event('input')); })()"
    )
    shown = "[...document.querySelectorAll('section[id^=sweep] .grid tbody tr')].filter(row => row.offsetHeight).length"
    assert browser.evaluate(shown) == 2, "one cell, and the row of the table of failures"


def test_a_figure_is_enlarged_and_closed_again(browser: Chromium, page: Path) -> None:
    browser.open(page, width=700)
    width = "document.querySelector('dialog.zoom svg').getBoundingClientRect().width"
    before = browser.evaluate("document.querySelector('.plot svg').getBoundingClientRect().width")
    browser.click(".plot")
    browser.click("dialog.zoom .bar button")
    browser.click("dialog.zoom .bar button")
    assert browser.evaluate(width) > 1.3 * before
    browser.evaluate("document.querySelector('dialog.zoom .bar button:last-child').click()")
    assert browser.evaluate("document.querySelector('dialog.zoom[open]') === null")
    assert browser.errors == []


def test_more_columns_are_shown_on_demand_and_the_first_column_stays(browser: Chromium, page: Path) -> None:
    browser.open(page, width=700)
    hidden = "getComputedStyle(document.querySelector('section[id^=sweep] .grid tbody td:last-child')).display"
    assert browser.evaluate(hidden) == "none"
    browser.click("section[id^=sweep] .more input")
    assert browser.evaluate(hidden) == "table-cell"
    left = "document.querySelector('section[id^=sweep] .grid tbody th').getBoundingClientRect().left"
    before = browser.evaluate(left)
    browser.evaluate("document.querySelector('section[id^=sweep] .wide').scrollLeft = 300")
    assert browser.evaluate("document.querySelector('section[id^=sweep] .wide').scrollLeft") > 100
    assert browser.evaluate(left) == before


def test_a_dark_page_has_light_figures(browser: Chromium, page: Path, tmp_path: Path) -> None:
    color = "getComputedStyle(document.querySelector('.plot text')).fill"
    browser.open(page)
    assert browser.evaluate(color) == "rgb(28, 30, 33)"
    browser.open(page, dark=True)
    assert browser.evaluate(color) == "rgb(228, 230, 233)"
    assert browser.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(22, 24, 27)"
    browser.screenshot(tmp_path / "dark.png")
    assert (tmp_path / "dark.png").stat().st_size > 20_000


def test_a_phone_shows_the_page_without_scrolling_sideways(browser: Chromium, page: Path, tmp_path: Path) -> None:
    browser.open(page, width=390, height=1600)
    assert browser.evaluate(SIDEWAYS) == 0
    browser.screenshot(tmp_path / "phone.png")
    assert (tmp_path / "phone.png").stat().st_size > 20_000


def test_the_page_is_complete_without_its_script(browser: Chromium, page: Path) -> None:
    browser.call("Emulation.setScriptExecutionDisabled", value=True)
    browser.open(page)
    assert browser.evaluate("document.querySelector('.filter') === null"), "the script did not run"
    assert browser.evaluate("[...document.querySelectorAll('.grid tr')].every(row => row.offsetHeight > 0)")
    assert browser.evaluate("document.querySelector('.plot svg').getBoundingClientRect().width") > 300
    browser.click("section[id^=sweep] .more input")
    assert browser.evaluate("document.querySelector('section[id^=sweep] .grid tbody td:last-child').offsetWidth") > 0


def test_the_link_of_a_column_opens_what_it_means(browser: Chromium, page: Path) -> None:
    browser.open(page)
    browser.click("section[id^=sweep] .grid thead th:nth-child(3) a")
    place = "document.querySelector('tr:target').getBoundingClientRect().height"
    assert browser.evaluate(place) > 0, "the folded text is open"
    assert browser.evaluate("document.querySelector('tr:target code').textContent") == "generation_rate_tokens_per_s"
