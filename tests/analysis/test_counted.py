"""Every iteration and every text counts once, whatever is written twice."""

import shutil
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from analysis.cell_averages import average
from analysis.load import SweepRows, read_run

RATE = "generation_rate_tokens_per_s"


def sweep_of(run_dir: Path) -> SweepRows:
    (sweep,) = read_run(run_dir).sweeps
    return sweep


def test_a_failed_attempt_is_replaced_by_a_later_one(run_dir: Path, write: Any, cell: Any, row: Any) -> None:
    lost = row(0, status="worker_lost", started_at=None)
    still_lost = row(0, status="worker_lost", started_at=None, max_new_tokens=64)
    write(run_dir, [lost, still_lost], part="0")
    write(run_dir, cell([1.0, 2.0]), part="1")
    sweep = sweep_of(run_dir)
    assert list(sweep.rows["status"]) == ["worker_lost", "ok", "ok"]
    assert list(sweep.rows["max_new_tokens"]) == [64, 16, 16]
    assert sweep.replaced == 1


def test_the_last_failure_counts_whether_or_not_it_ever_started(run_dir: Path, write: Any, row: Any) -> None:
    write(run_dir, [row(0, status="error")], part="0")
    write(run_dir, [row(0, status="unavailable", started_at=None)], part="1")
    write(run_dir, [row(0, status="unavailable", started_at=None)], part="10")
    sweep = sweep_of(run_dir)
    assert (list(sweep.rows["status"]), sweep.replaced, sweep.repeated) == (["unavailable"], 2, 0)


def test_a_later_attempt_within_one_part_counts(run_dir: Path, write: Any, row: Any) -> None:
    write(run_dir, [row(0, status="error", attempt=1), row(0, attempt=2, **{RATE: 5.0})])
    sweep = sweep_of(run_dir)
    assert (list(sweep.rows["attempt"]), sweep.replaced, sweep.repeated) == ([2], 1, 0)


def test_a_failed_attempt_is_replaced_with_the_rows_that_it_had_measured(
    run_dir: Path, write: Any, cell: Any, row: Any
) -> None:
    write(run_dir, [*cell([1.0, 2.0]), row(2, status="oom_gpu")], part="0")
    write(run_dir, cell([7.0]), part="1")
    sweep = sweep_of(run_dir)
    assert (list(sweep.rows[RATE]), sweep.replaced) == ([7.0], 3)


def test_measured_rows_outlive_a_later_attempt_that_failed(run_dir: Path, write: Any, cell: Any, row: Any) -> None:
    write(run_dir, cell([1.0, 2.0]), part="0")
    write(run_dir, [row(0, status="error")], part="1")
    sweep = sweep_of(run_dir)
    assert (list(sweep.rows[RATE]), sweep.replaced, sweep.repeated) == ([1.0, 2.0], 0, 1)


def test_rows_of_one_attempt_stay_together(run_dir: Path, write: Any, cell: Any, row: Any) -> None:
    write(run_dir, [*cell([1.0, 2.0]), row(2, status="oom_gpu")])
    sweep = sweep_of(run_dir)
    assert (len(sweep.rows), sweep.replaced) == (3, 0)


def test_a_part_that_was_copied_counts_once_and_is_said(run_dir: Path, write: Any, cell: Any) -> None:
    folder = write(run_dir, cell([1.0, 2.0, 4.0, 5.0]))
    shutil.copy(folder / "part-0.parquet", folder / "part-1.parquet")
    sweep = sweep_of(run_dir)
    assert len(sweep.rows) == 4
    assert sweep.remarks == (
        "4 rows repeat an iteration or a text that has another row; the last ok row of each counts",
    )


def test_of_two_measurements_of_one_iteration_the_last_counts(run_dir: Path, write: Any, cell: Any) -> None:
    write(run_dir, cell([1.0, 2.0]), part="0")
    write(run_dir, cell([10.0]), part="1")
    assert sorted(sweep_of(run_dir).rows[RATE]) == [2.0, 10.0]


def test_more_rounds_and_iterations_are_more_rows_of_the_cell(run_dir: Path, write: Any, cell: Any) -> None:
    first = [r | {"task_id": "first"} for r in cell([1.0, 2.0])]
    later = [r | {"task_id": f"round {number}", "round": number} for number in (1, 2) for r in cell([3.0, 4.0, 5.0])]
    write(run_dir, first, part="0")
    write(run_dir, later, part="1")
    sweep = sweep_of(run_dir)
    averages = average(sweep)
    assert sweep.repeated == 0
    assert averages.factors == ()
    assert list(averages.cells.loc[averages.cells["metric"] == RATE, "n"]) == [8]


def test_rows_of_two_revisions_of_a_model_are_two_cells(run_dir: Path, write: Any, cell: Any) -> None:
    write(run_dir, cell([1.0, 1.0], revision="a") + cell([9.0, 9.0], revision="b"))
    averages = average(sweep_of(run_dir))
    assert averages.factors == ("revision",)
    assert list(averages.cells.loc[averages.cells["metric"] == RATE, "mean"]) == [1.0, 9.0]


FACTORS = [("model", "n"), ("device", "gpu"), ("quantization", "8-bit"), ("dtype", "float16"), ("cpu_cores", 8)]


@pytest.mark.parametrize(("name", "level"), [*FACTORS, ("max_new_tokens", 99)])
def test_iterations_that_differ_in_a_factor_all_count(
    run_dir: Path, write: Any, row: Any, name: str, level: Any
) -> None:
    identity = {"task_id": "t", "cell_id": "c", RATE: 1.0}
    write(run_dir, [row(0, **identity), row(0, **identity, **{name: level})])
    assert sweep_of(run_dir).repeated == 0


def text(row: Any, index: int, **columns: Any) -> dict[str, Any]:
    made = row(index, benchmark="binoculars", observer="o", performer="p")
    identity = {"record_id": "r", "author": "human", "dataset": "d", "generator": None, "fragment_index": 0}
    return dict(made | identity | {"score": 1.0} | columns)


@pytest.mark.parametrize(
    "differs",
    [
        {"record_id": "other"},
        {"author": "synthetic"},
        {"fragment_index": 1},
        {"prefix_tokens": 64},
        {"cell_id": "another pair"},
        {"dataset": "e"},
        {"generator": "g"},
        {"start_word": 7},
        *({name: level} for name, level in FACTORS),
    ],
    ids=str,
)
def test_texts_that_differ_in_anything_all_count(run_dir: Path, write: Any, row: Any, differs: Any) -> None:
    write(run_dir, [text(row, 0, cell_id="c"), text(row, 1, **{"cell_id": "c"} | differs)], benchmark="binoculars")
    assert sweep_of(run_dir).repeated == 0


def test_a_text_counts_once_in_whichever_task_and_round(run_dir: Path, write: Any, row: Any) -> None:
    rows = [text(row, 0, task_id=f"t{number}", round=number, score=1.0 + number) for number in range(3)]
    rows.append(text(row, 0, task_id="t9", round=9, status="oom_gpu", score=None))
    write(run_dir, rows, benchmark="binoculars")
    sweep = sweep_of(run_dir)
    assert list(sweep.rows["score"]) == [3.0], "the last one that was measured"
    assert sweep.repeated == 3


def test_rows_without_an_identity_all_count(run_dir: Path, write: Any, row: Any) -> None:
    write(run_dir, [row(0) | {"task_id": None}, row(0) | {"task_id": None}, row(0) | {"iteration": None}])
    assert sweep_of(run_dir).repeated == 0


def spoil(folder: Path, column: str, part: str = "part-0.parquet", values: Any = None) -> None:
    table = pq.ParquetFile(folder / part).read().drop_columns([column])
    if values is not None:
        table = table.append_column(column, pa.array([values] * table.num_rows))
    pq.write_table(table, folder / part)


def humans_and_synthetics(row: Any) -> list[dict[str, Any]]:
    return [
        text(row, 0, record_id=record_id, author=author, score=score)
        for record_id in ("a", "b")
        for author, score in (("human", 1.0), ("synthetic", 0.7))
    ]


@pytest.mark.parametrize("values", [None, ["human"], b"\xff"], ids=["absent", "nested", "of another type"])
def test_without_authors_no_row_is_taken_for_a_repetition(run_dir: Path, write: Any, row: Any, values: Any) -> None:
    spoil(write(run_dir, humans_and_synthetics(row), benchmark="binoculars"), "author", values=values)
    sweep = sweep_of(run_dir)
    assert sorted(sweep.rows["score"]) == [0.7, 0.7, 1.0, 1.0]
    assert sweep.repeated == 0
    assert sweep.remarks[-1] == ("4 rows may repeat others: their parts lack values of author; all of these rows count")


@pytest.mark.parametrize("column", ["cell_id", "record_id", "dataset", "generator", "fragment_index", "prefix_tokens"])
def test_rows_that_only_an_absent_column_told_apart_all_count(run_dir: Path, write: Any, row: Any, column: str) -> None:
    rows = [text(row, 0, **{column: value}) for value in ((1, 2) if column.endswith(("index", "tokens")) else "ab")]
    spoil(write(run_dir, rows, benchmark="binoculars"), column)
    sweep = sweep_of(run_dir)
    assert (len(sweep.rows), sweep.repeated) == (2, 0)
    assert sweep.remarks[-1].startswith("2 rows may repeat others")


def test_rows_without_a_score_are_not_told_as_possible_repetitions(run_dir: Path, write: Any, row: Any) -> None:
    rows = [text(row, index, status="oom_gpu", score=None) for index in range(2)]
    spoil(write(run_dir, rows, benchmark="binoculars"), "author")
    assert not any("may repeat others" in remark for remark in sweep_of(run_dir).remarks)


def test_iterations_without_a_number_all_count(run_dir: Path, write: Any, cell: Any) -> None:
    spoil(write(run_dir, cell([1.0, 2.0])), "iteration")
    sweep = sweep_of(run_dir)
    assert (len(sweep.rows), sweep.repeated) == (2, 0)
    assert "lack values of iteration" in sweep.remarks[-1]


def test_a_part_that_lacks_a_column_leaves_the_others_as_they_are(run_dir: Path, write: Any, row: Any) -> None:
    folder = write(run_dir, humans_and_synthetics(row), benchmark="binoculars")
    shutil.copy(folder / "part-0.parquet", folder / "part-1.parquet")
    shutil.copy(folder / "part-0.parquet", folder / "part-2.parquet")
    spoil(folder, "author", "part-2.parquet")
    sweep = sweep_of(run_dir)
    assert (len(sweep.rows), sweep.repeated) == (8, 4)
    assert sweep.remarks[-2].startswith("4 rows repeat an iteration or a text")
    assert sweep.remarks[-1].startswith("4 rows may repeat others")


def test_an_absent_column_is_no_matter_where_no_rows_are_alike(run_dir: Path, write: Any, row: Any) -> None:
    rows = [text(row, i, record_id=str(i)) for i in range(3)]
    spoil(write(run_dir, rows, benchmark="binoculars"), "prefix_tokens")
    assert not any("may repeat others" in remark for remark in sweep_of(run_dir).remarks)
