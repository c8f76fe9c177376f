"""What is read, what is ignored, and how each mistake is told."""

import shutil
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from analysis.load import read_run
from sweeps.errors import UserError


def test_reads_every_part_of_every_sweep(run_dir: Path, write: Any, cell: Any) -> None:
    write(run_dir, cell([1.0, 2.0]), part="0")
    write(run_dir, cell([3.0], max_new_tokens=32), part="1", factors={"max_new_tokens": [16, 32]})
    write(run_dir, cell([4.0]), "other")
    run = read_run(run_dir)
    assert run.name == "demo"
    assert [(sweep.name, len(sweep.rows)) for sweep in run.sweeps] == [("generation", 3), ("other", 1)]
    assert run.sweeps[0].spec["factors"] == {"max_new_tokens": [16, 32]}
    assert run.sweeps[0].environments["e1"]["host"] == "box"


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


def test_without_environment_json_rows_are_still_read(run_dir: Path, write: Any, cell: Any) -> None:
    (write(run_dir, cell([1.0])) / "environment.json").unlink()
    run = read_run(run_dir)
    assert run.name == "demo"
    assert run.sweeps[0].spec == {}


def test_a_failed_attempt_is_replaced_by_a_later_one(run_dir: Path, write: Any, cell: Any, row: Any) -> None:
    lost = row(0, status="worker_lost", started_at=None)
    still_lost = row(0, status="worker_lost", started_at=None, max_new_tokens=64)
    write(run_dir, [lost, still_lost], part="0")
    write(run_dir, cell([1.0, 2.0]), part="1")
    (sweep,) = read_run(run_dir).sweeps
    assert list(sweep.rows["status"]) == ["worker_lost", "ok", "ok"]
    assert list(sweep.rows["max_new_tokens"]) == [64, 16, 16]
    assert sweep.replaced == 1


def test_rows_of_one_attempt_stay_together(run_dir: Path, write: Any, cell: Any, row: Any) -> None:
    write(run_dir, [*cell([1.0, 2.0]), row(2, status="oom_gpu")])
    (sweep,) = read_run(run_dir).sweeps
    assert (len(sweep.rows), sweep.replaced) == (3, 0)


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


def _broken_part(run_dir: Path, sweep: Path) -> Path:
    (sweep / "part-1.parquet").write_bytes(b"PAR1 not really")
    return run_dir


def _foreign_part(run_dir: Path, sweep: Path) -> Path:
    pq.write_table(pa.table({"a": [1]}), sweep / "part-1.parquet")
    return run_dir


def _other_type(run_dir: Path, sweep: Path) -> Path:
    table = pq.ParquetFile(sweep / "part-0.parquet").read()
    index = table.column_names.index("cpu_cores")
    changed = table.set_column(index, "cpu_cores", pa.array(["two"] * table.num_rows))
    pq.write_table(changed, sweep / "part-1.parquet")
    return run_dir


def _broken_environment(run_dir: Path, sweep: Path) -> Path:
    (sweep / "environment.json").write_text("{")
    return run_dir


def _foreign_environment(run_dir: Path, sweep: Path) -> Path:
    (sweep / "environment.json").write_text("[]")
    return run_dir


MISTAKES = [
    (_missing, "no such directory; give a run directory"),
    (_a_file, "not a directory"),
    (_empty, "no rows here"),
    (_parent, "holds runs, is none; choose one of"),
    (_one_sweep, "one sweep of a run; give the run directory"),
    (_broken_part, "part-1.parquet: cannot be read as Parquet"),
    (_foreign_part, "part-1.parquet: not a part of a sweep: no column benchmark"),
    (_other_type, "differ in the type of a column"),
    (_broken_environment, "environment.json: cannot be read as JSON"),
    (_foreign_environment, "environment.json: expected an object"),
]


@pytest.mark.parametrize(("spoil", "message"), MISTAKES, ids=[spoil.__name__ for spoil, _ in MISTAKES])
def test_mistakes_name_the_path_and_what_to_do(run_dir: Path, write: Any, cell: Any, spoil: Any, message: str) -> None:
    given = spoil(run_dir, write(run_dir, cell([1.0])))
    with pytest.raises(UserError, match=message) as caught:
        read_run(given)
    assert str(given) in str(caught.value)


def test_several_benchmarks_in_one_directory_are_refused(run_dir: Path, write: Any, cell: Any) -> None:
    write(run_dir, cell([1.0]) + cell([1.0], benchmark="logits"))
    with pytest.raises(UserError, match="several benchmarks"):
        read_run(run_dir)
