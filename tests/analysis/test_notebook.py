"""The functions for notebooks, on a run directory."""

from pathlib import Path
from typing import Any

import pytest

import analysis
from analysis import notebook
from sweeps.errors import UserError

RATE = "generation_rate_tokens_per_s"


@pytest.fixture
def run(run_dir: Path, write: Any, cell: Any) -> notebook.RunRows:
    rows = [
        row for cores in (1, 2) for row in cell([cores * rate for rate in (10, 10.1, 10.2, 9.9, 9.8)], cpu_cores=cores)
    ]
    write(run_dir, rows, factors={"cpu_cores": [1, 2]})
    return notebook.read(run_dir)


def test_frames_of_a_run(run: notebook.RunRows) -> None:
    assert set(notebook.averages(run, "generation")["cpu_cores"]) == {1, 2}
    assert notebook.effects(run, "generation", RATE).found["term"].tolist() == [("cpu_cores",)]
    compared = notebook.compare(run, run).cells
    assert compared["ratio"].eq(1).all()
    assert not compared["significant"].any()


def test_names_that_are_not_there(run: notebook.RunRows) -> None:
    with pytest.raises(UserError, match="this run has generation"):
        notebook.averages(run, "loading")
    with pytest.raises(UserError, match=r"the metrics with values are .*generation_rate"):
        notebook.effects(run, "generation", "load_time_s")


def test_public_names_are_those_of_the_notebook() -> None:
    assert {name: getattr(analysis, name) for name in analysis.__all__} == {
        name: getattr(notebook, name) for name in analysis.__all__
    }
    with pytest.raises(AttributeError, match="no attribute 'figurs'"):
        _ = analysis.figurs
