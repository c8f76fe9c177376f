"""Every test runs once, in whatever lot, and none can fail unseen."""

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.in_two_processes import FOLDERS

ROOT = Path(__file__).parent.parent
SETTINGS = "[pytest]\ntestpaths = tests\nmarkers = ray\naddopts = --import-mode=importlib"
TESTS = """
import os, pytest
from pathlib import Path

def note(name):
    with Path("ran.txt").open("a") as ran:
        ran.write(f"{__file__} {name}\\n")

def test_without():
    note("without")

@pytest.mark.ray
def test_with():
    note("with")
"""


def tree(root: Path) -> list[Path]:
    """Write a test with a Ray and one without into every folder that this repository has; return the files."""
    (root / "pytest.ini").write_text(SETTINGS)
    found = {path.parent.relative_to(ROOT) for path in (ROOT / "tests").rglob("test_*.py")}
    files = [root / folder / "test_it.py" for folder in sorted(found)]
    for file in files:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(TESTS)
    return files


def run(root: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.in_two_processes", "-q", "-p", "no:cacheprovider"]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    return subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_every_test_runs_exactly_once(tmp_path: Path) -> None:
    files = tree(tmp_path)
    done = run(tmp_path)
    ran = Counter((tmp_path / "ran.txt").read_text().splitlines())
    assert ran == {f"{file} {name}": 1 for file in files for name in ("with", "without")}
    assert done.returncode == 0, done.stdout
    assert done.stdout.count(" passed") == len(FOLDERS) + 2


@pytest.mark.slow
@pytest.mark.parametrize("test", ["assert False", "import os; os.kill(os.getpid(), 9)"], ids=["fails", "kills pytest"])
def test_a_test_that_fails_in_any_lot_is_seen(tmp_path: Path, test: str) -> None:
    tree(tmp_path)
    (tmp_path / FOLDERS[1][0] / "test_bad.py").write_text(f"def test_bad():\n    {test}\n")
    assert run(tmp_path).returncode not in {0, 5}
