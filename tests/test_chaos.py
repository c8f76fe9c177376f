"""Twenty random kills of workers, nodes, coordinator and driver change no row: `make chaos` with smaller numbers."""

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from bench import chaos

TASKS, KILLS, SEED = 300, 20, 11


@pytest.mark.ray
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_twenty_random_kills_change_no_row(tmp_path: Path) -> None:
    options = {"--tasks": TASKS, "--kills": KILLS, "--seed": SEED, "--directory": tmp_path}
    words = [str(word) for option in options.items() for word in option]
    command = [sys.executable, "-m", "bench.chaos", *words]
    answer = subprocess.run(command, capture_output=True, text=True, timeout=580, check=False)
    assert answer.returncode == 0, answer.stdout[-3000:] + answer.stderr[-5000:]
    calm, after = chaos.rows(tmp_path / "calm"), chaos.rows(tmp_path / "chaos")
    assert {row["status"] for row in calm} == {"ok"}
    assert len({row["task_id"] for row in calm}) == TASKS
    keys = ("task_id", "iteration", "status")
    assert Counter(tuple(row[key] for key in keys) for row in after) == Counter(
        tuple(row[key] for key in keys) for row in calm
    )
    kills = json.loads((tmp_path / "figures.json").read_text())["kills"]
    assert sum(kills.values()) == KILLS
    assert set(kills) == set(chaos.KINDS), "the seed lets every kind happen"
