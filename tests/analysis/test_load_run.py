"""Files that are read, files that are ignored, and the message on each mistake."""

import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.dataset
import pytest

from analysis.assembly import names_of_runs
from analysis.load import RunRows, read_run
from analysis.report import write_report
from analysis.run_directories import report_directory
from sweeps.errors import UserError


def test_reads_every_part_of_every_sweep(run_dir: Path, write: Any, cell: Any) -> None:
    write(run_dir, cell([1.0, 2.0]), part="0")
    write(run_dir, cell([3.0], max_new_tokens=32), part="1", factors={"max_new_tokens": [16, 32]})
    write(run_dir, cell([4.0]), "other")
    run = read_run(run_dir)
    assert run.name == "demo"
    assert [(sweep.name, len(sweep.rows)) for sweep in run.sweeps] == [("generation", 3), ("other", 1)]
    assert run.sweeps[0].description.factors == {"max_new_tokens": [16, 32]}
    assert run.sweeps[0].description.environments["e1"]["host"] == "box"


def test_whole_numbers_stay_whole_beside_nulls(run_dir: Path, write: Any, cell: Any, row: Any) -> None:
    write(run_dir, [*cell([1.0]), row(1, cpu_cores=None)])
    assert [str(level) for level in read_run(run_dir).sweeps[0].rows["cpu_cores"]] == ["2", "<NA>"]


def test_other_files_are_ignored(run_dir: Path, write: Any, cell: Any) -> None:
    folder = write(run_dir, cell([1.0]))
    (folder / ".part-1.parquet.tmp").write_bytes(b"half")
    (folder / ".part-2.parquet").write_bytes(b"half")
    (folder / "notes.parquet").write_bytes(b"mine")
    (run_dir / "report").mkdir()
    (run_dir / "notes.txt").write_text("mine")
    assert [len(sweep.rows) for sweep in read_run(run_dir).sweeps] == [1]


def _missing(run_dir: Path, sweep: Path) -> Path:
    shutil.rmtree(run_dir)
    return run_dir


def _a_file(run_dir: Path, sweep: Path) -> Path:
    return sweep / "part-0.parquet"


def _empty(run_dir: Path, sweep: Path) -> Path:
    shutil.rmtree(sweep)
    return run_dir


def _parent(run_dir: Path, sweep: Path) -> Path:
    return run_dir.parent


def _one_sweep(run_dir: Path, sweep: Path) -> Path:
    return sweep


MISTAKES = [
    (_missing, "no such directory; give a run directory"),
    (_a_file, "not a directory"),
    (_empty, "no rows here"),
    (_parent, "a directory of runs, not a run; choose one of"),
    (_one_sweep, "one sweep of a run, not a run; give the run directory"),
]


@pytest.mark.parametrize(("spoil", "message"), MISTAKES, ids=[spoil.__name__ for spoil, _ in MISTAKES])
def test_mistakes_name_the_path_and_what_to_do(run_dir: Path, write: Any, cell: Any, spoil: Any, message: str) -> None:
    given = spoil(run_dir, write(run_dir, cell([1.0])))
    with pytest.raises(UserError, match=message) as caught:
        read_run(given)
    assert str(given) in str(caught.value)


def test_a_sweep_that_has_no_rows_yet_is_part_of_the_run(run_dir: Path, write: Any, cell: Any) -> None:
    write(run_dir, cell([1.0]), "first", tasks=1)
    (write(run_dir, [], "second", tasks=40) / "part-0.parquet").unlink()
    first, second = read_run(run_dir).sweeps
    assert (len(first.rows), len(second.rows)) == (1, 0)
    assert second.description.tasks == 40


def test_a_sweep_that_is_called_report_keeps_its_directory(run_dir: Path, write: Any, cell: Any) -> None:
    assert report_directory(run_dir) == run_dir / "report"
    folder = write(run_dir, cell([1.0, 2.0]), "report")
    before = sorted(path.name for path in folder.iterdir())
    assert report_directory(run_dir) == run_dir / "_report"
    assert write_report(run_dir) == run_dir / "_report" / "index.html"
    assert sorted(path.name for path in folder.iterdir()) == before


def test_every_run_of_a_page_has_another_name(tmp_path: Path, write: Any, cell: Any) -> None:
    for place in ("a/demo", "b/demo", "c"):
        write(tmp_path / place, cell([1.0]))
    twice = [read_run(tmp_path / place) for place in ("a/demo", "b/demo", "c")]
    assert names_of_runs(twice) == [str(tmp_path / "a/demo"), str(tmp_path / "b/demo"), "c"]
    assert names_of_runs(twice[:1]) == ["demo"]
    called_c = RunRows(Path("c"), ())
    assert names_of_runs([called_c, *twice[1:]]) == ["c", "demo", str(tmp_path / "c")]
    assert len(set(names_of_runs([twice[0], twice[0]]))) == 2


@pytest.mark.parametrize("name", ["_environment.json", "environment.json"])
def test_a_sweeps_directory_is_a_data_set(run_dir: Path, write: Any, cell: Any, name: str) -> None:
    folder = write(run_dir, cell([1.0, 2.0]))
    write(run_dir, cell([3.0], max_new_tokens=32), part="1")
    (folder / "_environment.json").rename(folder / name)
    write_report(run_dir)
    if name.startswith("_"):  # an older run's file stands in the way of both; the report reads it
        assert len(pd.read_parquet(folder)) == 3
        assert pyarrow.dataset.dataset(folder).count_rows() == 3
    assert len(read_run(run_dir).sweeps[0].rows) == 3


@pytest.mark.parametrize(
    "name", ["a [b] *?", "$5 {} %s", "新 عربي 😀", "line\nbreak\x1b[31m", "_under", "x" * 200, "-x"]
)
def test_sweeps_of_any_name_are_read(run_dir: Path, write: Any, cell: Any, name: str) -> None:
    write(run_dir, cell([1.0]), name)
    (sweep,) = read_run(run_dir).sweeps
    assert (sweep.name, len(sweep.rows), sweep.remarks) == (name, 1, ())


def test_a_part_that_a_merged_one_covers_is_not_counted_twice_and_is_told(run_dir: Path, write: Any, cell: Any) -> None:
    folder = write(run_dir, cell([1.0, 2.0]), part="000000-000001")
    shutil.copy(folder / "part-000000-000001.parquet", folder / "part-000001.parquet")
    (sweep,) = read_run(run_dir).sweeps
    assert len(sweep.rows) == 2
    assert any("part-000001.parquet: not read" in remark for remark in sweep.remarks)
