"""Parts of any version and in any state: what can be read is used, what cannot is said."""

import os
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from analysis.cell_averages import average
from analysis.load import SweepRows, read_run
from sweeps.schema import COMMON

RATE = "generation_rate_tokens_per_s"
Change = Callable[[pa.Table], pa.Table]


def sweep_of(run_dir: Path) -> SweepRows:
    (sweep,) = read_run(run_dir).sweeps
    return sweep


def rewrite(part: Path, change: Change, to: str | None = None) -> None:
    table = change(pq.ParquetFile(part).read())
    pq.write_table(table, part.with_name(to or part.name))


def with_column(name: str, values: Any) -> Change:
    def change(table: pa.Table) -> pa.Table:
        column = pa.array(values * table.num_rows if isinstance(values, list) else values)
        if name in table.column_names:
            return table.set_column(table.column_names.index(name), name, column)
        return table.append_column(name, column)

    return change


def _truncated(part: Path) -> None:
    part.write_bytes((part.parent / "part-0.parquet").read_bytes()[:-20])


def _empty(part: Path) -> None:
    part.write_bytes(b"")


def _foreign(part: Path) -> None:
    pq.write_table(pa.table({"a": [1]}), part)


def _pipe(part: Path) -> None:
    os.mkfifo(part)


def _broken_link(part: Path) -> None:
    part.symlink_to("nowhere")


def _two_of_one_name(part: Path) -> None:
    pq.write_table(pa.table([["t"], ["ok"], ["ok"]], names=["task_id", "status", "status"]), part)


def _status_of_lists(part: Path) -> None:
    pq.write_table(pa.table({"task_id": ["t"], "status": [["ok"]]}), part)


def _half_characters(part: Path) -> None:
    text = pa.Array.from_buffers(pa.string(), 1, [None, pa.py_buffer(b"\0\0\0\0\1\0\0\0"), pa.py_buffer(b"\xff")])
    pq.write_table(pa.table({"task_id": ["t"], "status": ["ok"], "model": text}), part)


@pytest.mark.parametrize(
    "spoil",
    [
        _truncated,
        _empty,
        _foreign,
        Path.mkdir,
        _pipe,
        _broken_link,
        _two_of_one_name,
        _status_of_lists,
        _half_characters,
    ],
    ids=lambda spoil: spoil.__name__,
)
def test_a_damaged_part_is_named_and_the_others_are_used(run_dir: Path, write: Any, cell: Any, spoil: Any) -> None:
    folder = write(run_dir, cell([1.0, 2.0]))
    spoil(folder / "part-1.parquet")
    sweep = sweep_of(run_dir)
    assert len(sweep.rows) == 2
    (remark,) = sweep.remarks
    assert remark.startswith("part-1.parquet is not used: ")
    assert "measures its tasks again" in remark


def test_a_value_that_changed_on_the_disk_is_not_used(run_dir: Path, write: Any, cell: Any) -> None:
    part = write(run_dir, cell([1234.5, 2.0])) / "part-0.parquet"
    pq.write_table(
        pq.ParquetFile(part).read(), part, compression="none", use_dictionary=False, write_page_checksum=True
    )
    content = part.read_bytes()
    assert struct.pack("<d", 1234.5) in content
    part.write_bytes(content.replace(struct.pack("<d", 1234.5), struct.pack("<d", 4321.5)))
    sweep = sweep_of(run_dir)
    assert len(sweep.rows) == 0
    assert sweep.remarks[0].startswith("part-0.parquet is not used: ")


def test_without_any_part_that_can_be_read_the_sweep_has_no_rows(run_dir: Path, write: Any, cell: Any) -> None:
    (write(run_dir, cell([1.0])) / "part-0.parquet").write_bytes(b"no")
    sweep = sweep_of(run_dir)
    assert (len(sweep.rows), len(sweep.remarks), sweep.benchmark) == (0, 1, "generation")


def test_columns_that_an_older_version_lacked_have_no_value(run_dir: Path, write: Any, cell: Any) -> None:
    folder = write(run_dir, cell([1.0]))
    rewrite(folder / "part-0.parquet", lambda table: table.drop_columns(["ttft_s", "neighbours"]), "part-1.parquet")
    rewrite(folder / "part-1.parquet", with_column("max_new_tokens", [pa.scalar(99, pa.int32())]))
    sweep = sweep_of(run_dir)
    assert list(sweep.rows["ttft_s"].isna()) == [False, True]
    assert (
        sweep.remarks[0]
        == "1 of 2 parts lack these columns, as parts of other versions do: neighbours, ttft_s; their values are null"
    )


def test_columns_of_a_newer_version_are_named(run_dir: Path, write: Any, cell: Any) -> None:
    folder = write(run_dir, cell([1.0]))
    rewrite(folder / "part-0.parquet", with_column("energy_j", [1.0]))
    assert sweep_of(run_dir).remarks == ("columns that this version does not know are not shown: energy_j",)


def test_only_what_tells_rows_apart_is_needed(run_dir: Path, write: Any, cell: Any) -> None:
    folder = write(run_dir, cell([1.0, 2.0]))
    rewrite(folder / "part-0.parquet", lambda table: table.select(["task_id", "status", RATE]))
    sweep = sweep_of(run_dir)
    assert list(average(sweep).cells["mean"]) == [1.5]
    assert "lack these columns" in sweep.remarks[0]


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("cpu_cores", ["two"]),
        ("cpu_cores", [2.5]),
        ("ttft_s", ["fast"]),
        ("model", [["a", "b"]]),
        ("model", [{"name": "a"}]),
        ("started_at", ["yesterday"]),
        ("attempt", ["first"]),
    ],
)
def test_a_column_of_another_type_has_no_value(
    run_dir: Path, write: Any, cell: Any, column: str, values: list[Any]
) -> None:
    folder = write(run_dir, cell([1.0]))
    rewrite(folder / "part-0.parquet", with_column(column, values))
    sweep = sweep_of(run_dir)
    assert sweep.rows[column].isna().all()
    assert any(f"{column}" in remark and "values are null" in remark for remark in sweep.remarks)
    assert average(sweep).cells["mean"].iloc[0] == 1.0


@pytest.mark.parametrize(
    ("column", "values", "read", "said"),
    [
        ("cpu_cores", ["2"], 2, "holds text; its values are read as int64"),
        ("cpu_cores", [True], 1, "holds bool; its values are read as int64"),
        ("cpu_cores", [2.0], 2, None),
        ("cpu_cores", [2**40], 2**40, None),
        ("ttft_s", ["0.25"], 0.25, "holds text; its values are read as double"),
        ("ttft_s", pa.array(["0.25"]).dictionary_encode(), 0.25, "holds text; its values are read as double"),
        ("ttft_s", [1], 1.0, None),
        ("model", [7], "7", "holds numbers; its values are read as string"),
        ("model", pa.array(["m"], pa.large_string()), "m", None),
    ],
)
def test_values_that_fit_are_read_whatever_their_type(
    run_dir: Path, write: Any, cell: Any, column: str, values: Any, read: Any, said: str | None
) -> None:
    folder = write(run_dir, cell([1.0]))
    rewrite(folder / "part-0.parquet", with_column(column, values))
    sweep = sweep_of(run_dir)
    assert list(sweep.rows[column]) == [read]
    assert sweep.remarks == ((f"column {column} of part-0.parquet {said}",) if said else ())


def test_text_that_holds_numbers_is_told_once_for_all_parts(run_dir: Path, write: Any, cell: Any) -> None:
    folder = write(run_dir, cell([1.0]))
    for number in (1, 2):
        rewrite(folder / "part-0.parquet", with_column("task_id", [f"t{number}"]), f"part-{number}.parquet")
        rewrite(folder / f"part-{number}.parquet", with_column(RATE, ["3.5"]))
    sweep = sweep_of(run_dir)
    assert list(sweep.rows[RATE]) == [1.0, 3.5, 3.5]
    assert sweep.remarks == (f"column {RATE} of part-1.parquet and 1 more holds text; its values are read as double",)


def test_a_column_without_any_value_is_no_change_of_type(run_dir: Path, write: Any, cell: Any) -> None:
    folder = write(run_dir, cell([1.0]))
    rewrite(folder / "part-0.parquet", with_column("tpot_s", pa.nulls(1)))
    assert sweep_of(run_dir).remarks == ()


def test_numbers_that_are_none_enter_no_average_and_are_counted(run_dir: Path, write: Any, row: Any) -> None:
    values = [2.0, float("inf"), float("-inf"), float("nan"), None, 4.0]
    write(run_dir, [row(index, **{RATE: value}) for index, value in enumerate(values)])
    sweep = sweep_of(run_dir)
    (cell,) = average(sweep).cells.to_dict("records")
    assert (cell["n"], cell["mean"]) == (2, 3.0)
    assert sweep.remarks == (f"3 values of {RATE} are infinite or not a number; they enter no average",)


def test_rows_of_another_benchmark_are_left_out_and_counted(run_dir: Path, write: Any, cell: Any) -> None:
    write(run_dir, cell([1.0]) + cell([5.0, 6.0, 7.0], benchmark="logits"))
    sweep = sweep_of(run_dir)
    assert (sweep.benchmark, len(sweep.rows)) == ("generation", 1)
    assert sweep.remarks == ("rows of benchmarks other than generation are left out: logits (3 rows)",)


def test_the_rows_say_the_benchmark_where_the_spec_says_another(run_dir: Path, write: Any, cell: Any) -> None:
    write(run_dir, cell([1.0]))
    path = run_dir / "generation" / "_environment.json"
    path.write_text(path.read_text().replace('"benchmark": "generation"', '"benchmark": "encoding"'))
    sweep = sweep_of(run_dir)
    assert sweep.benchmark == "generation"
    assert sweep.remarks == ("the spec names benchmark encoding, the rows name generation; the rows count",)


def test_a_benchmark_that_nobody_describes_shows_its_time(run_dir: Path, write: Any, cell: Any) -> None:
    folder = write(run_dir, cell([1.0]), factors={"colour": ["red", "blue"], "status": ["ok"], "mean": [1]})
    for number, colour in enumerate(["red", "blue"]):
        rewrite(folder / "part-0.parquet", with_column("colour", [colour]), f"part-{number + 1}.parquet")
        rewrite(folder / f"part-{number + 1}.parquet", with_column("benchmark", ["painting"]))
        rewrite(folder / f"part-{number + 1}.parquet", with_column("cell_id", [colour]))
        rewrite(folder / f"part-{number + 1}.parquet", lambda table: table.select([*COMMON, "colour"]))
    (folder / "part-0.parquet").unlink()
    averages = average(sweep_of(run_dir))
    assert (averages.metrics, averages.levels) == (("duration_s",), {"colour": ["red", "blue"]})


def test_an_unknown_status_and_none_are_counted(run_dir: Path, write: Any, cell: Any, row: Any) -> None:
    odd = [row(1, status="frozen"), row(2, status="frozen"), row(3, status=None)]
    write(run_dir, [*cell([1.0]), *odd])
    assert sweep_of(run_dir).remarks == (
        "2 rows with the status 'frozen', unknown to this version: left out of every number",
        "1 row with no status: left out of every number",
    )
