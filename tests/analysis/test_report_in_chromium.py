"""The page as a browser shows it: tables are there, figures are drawn with a size."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from analysis.report import write_report

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1200,2000",
)
MEASURE = """<script>addEventListener('load', () => {
  const sizes = [...document.images].map(image => image.naturalWidth + 'x' + image.naturalHeight);
  document.body.setAttribute('data-images', sizes.join(' '));
  const root = document.documentElement;
  document.body.setAttribute('data-overflow', root.scrollWidth - root.clientWidth);
});</script></body>"""
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(BROWSER is None, reason="no chromium or google-chrome on PATH"),
]


def browse(page: Path, profile: Path, *flags: str) -> str:
    result = subprocess.run(
        [str(BROWSER), *FLAGS, f"--user-data-dir={profile}", *flags, page.as_uri()],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return result.stdout


def measured_copy(page: Path) -> Path:
    """The page with a script that notes sizes; its own policy would forbid the script."""
    text = re.sub(r"<meta http-equiv=[^>]*>", "", page.read_text(encoding="utf-8"))
    copy = page.with_name("measured.html")
    copy.write_text(text.replace("</body>", MEASURE), encoding="utf-8")
    return copy


@pytest.fixture
def page(run_dir: Path, write: Any, cell: Any, row: Any) -> Path:
    rows = [
        row
        for model in ("builtin://tiny-base", "builtin://tiny-instruct")
        for tokens in (16, 32, 64)
        for row in cell([10.0, 11.0, 12.5], model=model, max_new_tokens=tokens)
    ]
    rows.append(row(status="error", error_type="E", error_message="<img src=x onerror=alert(1)>"))
    write(run_dir, rows)
    return write_report(run_dir)


def test_tables_and_figures_are_shown(page: Path, tmp_path: Path) -> None:
    dom = browse(measured_copy(page), tmp_path / "profile", "--dump-dom")
    assert dom.count("<table") >= 4
    assert "builtin://tiny-instruct" in dom
    assert "95% CI from" in dom
    (sizes,) = re.findall(r'data-images="([^"]*)"', dom)
    (size,) = sizes.split()
    width, height = map(int, size.split("x"))
    assert width > 300
    assert height > 200
    assert 'data-overflow="0"' in dom, "nothing sticks out of the page"


def test_a_screenshot_is_not_blank(page: Path, tmp_path: Path) -> None:
    picture = tmp_path / "page.png"
    browse(page, tmp_path / "profile", f"--screenshot={picture}")
    assert picture.stat().st_size > 50_000
