"""The table of scores: every score is a column, and none needs torch to be read."""

import subprocess
import sys
from dataclasses import fields
from typing import get_args

from scoring.results import FragmentScore, Score
from scoring.scores import SCORES, Direction


def test_every_score_is_a_field_of_results_and_of_rows() -> None:
    for result in (Score, FragmentScore):
        assert SCORES.keys() <= {field.name for field in fields(result)}


def test_entries_are_whole() -> None:
    for name, kind in SCORES.items():
        assert kind.name == name
        assert kind.formula
        assert kind.direction in (None, *get_args(Direction))
        assert all(len(source.split(".")[1]) == 5 for source in kind.source)


def test_directions_are_those_of_the_sources() -> None:
    sides = {name: kind.direction for name, kind in SCORES.items() if kind.direction}
    assert sides == {
        "score": "lower",
        "fast_detect": "higher",
        "log_ppl": "lower",
        "log_rank": "lower",
        "lrr": "higher",
        "entropy": "lower",
    }


def test_scores_without_the_panel_exist_without_it() -> None:
    assert {name for name, kind in SCORES.items() if not kind.needs_panel} == {"score", "log_ppl"}


def test_the_table_is_read_without_torch_and_numpy() -> None:
    code = "import sys; import scoring.scores; sys.exit(bool({'torch', 'numpy', 'transformers'} & sys.modules.keys()))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
