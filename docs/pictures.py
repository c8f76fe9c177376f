"""Take the pictures of a report that README.md and docs/analysis.md show.

    python -m docs.pictures runs/study-rehearsal/report/index.html

Needs Chromium; the fonts are those that the machine has for `system-ui`. `make pictures` runs the rehearsal first.
"""

import sys
import tempfile
from pathlib import Path
from typing import Final

from tests.analysis.chromium import Chromium

WIDTH: Final = 1100
PICTURES: Final = {"report.png": ("html", 900), "report-section.png": ("#study-1-10", 730)}
"""For each file, the element at its upper edge, and its height in pixels."""


def main(page: Path) -> None:
    """Write the pictures beside this file."""
    with tempfile.TemporaryDirectory() as profile, Chromium(Path(profile)) as browser:
        browser.call("Emulation.setScrollbarsHidden", hidden=True)
        for name, (element, height) in PICTURES.items():
            browser.open(page.resolve(), width=WIDTH, height=height)
            browser.evaluate(f"document.querySelector('{element}').scrollIntoView()")
            browser.screenshot(Path(__file__).with_name(name))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
