"""A report that is made while the run goes on: the page shows what is on disk, and how far the run came."""

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from analysis.report import write_report
from sweeps.run_layout import RunLayout
from tests.live_run import PATIENCE_S, WAITS, eventually

pytestmark = pytest.mark.slow
TASKS = 5_000


@pytest.fixture
def running(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A run of thousands of short tasks, which ends with the test."""
    (tmp_path / "live.toml").write_text(WAITS.format(index=list(range(TASKS))).replace("[0.25]", "[0.02]"))
    command = [sys.executable, "-m", "sweeps.run", "live.toml", "--address", "inline"]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(PATIENCE_S)
        finally:
            process.kill()


def test_the_page_of_a_run_that_goes_on_begins_with_its_progress(
    running: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    run = tmp_path / "runs" / "live"
    eventually(lambda: RunLayout(run).has_parts(), "rows on disk")
    page = write_report(run).read_text(encoding="utf-8")
    assert "live goes on: waits: " in (run / "report/report.md").read_text(encoding="utf-8")
    assert running.poll() is None, "the run went on meanwhile"
    head = page[: page.index("</header>")]
    (done,) = re.findall(rf"([\d,]+) of {TASKS:,} tasks; the run goes on", head)
    assert 0 < int(done.replace(",", "")) < TASKS
    assert "python -m sweeps.run live.toml --address inline" in head
    assert "All cells" in page
