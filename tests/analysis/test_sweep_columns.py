"""Columns come from the file beside the rows, else from the built-in benchmarks, else from the parts."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from analysis.cell_averages import average
from analysis.load import SweepRows, read_run
from analysis.report import write_report
from sweeps.schema import COLUMNS, COMMON, Columns

PAINTING = Columns(
    factors={"colour": pa.string()},
    metrics={"drying_time_s": pa.float64(), "coats": pa.int32(), "smooth": pa.bool_(), "words": pa.list_(pa.string())},
    headlines=("smooth", "drying_time_s"),
)
ROWS = [
    {"drying_time_s": 2.0, "coats": 1, "smooth": True, "words": ["a"]},
    {"drying_time_s": 4.0, "coats": 2, "smooth": False, "words": []},
]


def described(columns: Columns) -> dict[str, Any]:
    groups = {name: getattr(columns, name) for name in ("factors", "metrics", "identity")}
    types = {group: {name: str(kind) for name, kind in held.items()} for group, held in groups.items()}
    return types | {"headlines": list(columns.headlines), "measure": columns.measure}


def painted(run_dir: Path, content: Any, columns: Columns = PAINTING, rows: Any = ROWS) -> SweepRows:
    """A sweep of a benchmark that nobody can import, read back; `content` is what its file says of its columns."""
    folder = run_dir / "painting"
    folder.mkdir(parents=True)
    common = {"benchmark": "painting", "task_id": "t", "cell_id": "c", "status": "ok", "duration_s": 1.0}
    written = [common | {"iteration": number, "colour": "red"} | row for number, row in enumerate(rows)]
    pq.write_table(pa.Table.from_pylist(written, schema=columns.schema), folder / "part-0.parquet")
    sweep = {"name": "painting", "benchmark": "painting", "factors": {"colour": ["red"]}}
    document = {"version": 2, "spec": {"name": "art", "sweep": sweep}, "environments": {}, "columns": content}
    (folder / "_environment.json").write_text(json.dumps(document))
    (seen,) = read_run(run_dir).sweeps
    return seen


def means(sweep: SweepRows) -> dict[str, float]:
    cells = average(sweep).cells
    return dict(zip(cells["metric"], cells["mean"], strict=True))


def test_the_file_names_headlines_in_their_order(run_dir: Path) -> None:
    sweep = painted(run_dir, described(PAINTING))
    assert list(means(sweep).items()) == [("smooth", 0.5), ("drying_time_s", 3.0)]
    assert average(sweep).constants["colour"] == "red"
    assert sweep.remarks == ("columns that this version does not know are not shown: words",)
    page = write_report(run_dir).read_text()
    assert "drying time" in page


def test_a_file_without_columns_leaves_what_the_parts_show(run_dir: Path) -> None:
    sweep = painted(run_dir, None)
    assert means(sweep) == {"drying_time_s": 3.0}, "its numbers with a unit"
    assert list(sweep.rows["coats"]) == [1, 2]
    assert sweep.remarks == ("columns that this version does not know are not shown: words",)


def test_the_figure_may_ask_for_a_metric_of_the_file(run_dir: Path) -> None:
    painted(run_dir, described(PAINTING))
    path = run_dir / "painting" / "_environment.json"
    path.write_text(path.read_text().replace('"factors": {"colour": ["red"]}', '"figure": {"y": "coats"}'))
    (sweep,) = read_run(run_dir).sweeps
    assert average(sweep).metrics == ("smooth", "drying_time_s", "coats")


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"factors": {}, "metrics": {}, "identity": {}, "headlines": None, "measure": None},
        {"factors": [], "metrics": {}, "identity": {}, "headlines": [], "measure": None},
        {"factors": {"model": "string"}, "metrics": {}, "identity": {}, "headlines": [], "measure": None},
        {"factors": {}, "metrics": {"a": ["int64"]}, "identity": {}, "headlines": [], "measure": None},
        {"factors": {}, "metrics": {"a": "int64"}, "identity": {}, "headlines": [["a"]], "measure": None},
    ],
)
def test_odd_columns_are_a_remark_and_the_parts_show_theirs(run_dir: Path, content: Any) -> None:
    sweep = painted(run_dir, content)
    assert any("_environment.json: columns cannot be used" in remark for remark in sweep.remarks)
    assert means(sweep) == {"drying_time_s": 3.0}


def test_columns_that_are_no_object_are_a_remark(run_dir: Path) -> None:
    assert "_environment.json: columns is a list, not an object; ignored" in painted(run_dir, []).remarks


def test_items_of_another_benchmark_are_averaged_and_never_taken_for_texts(run_dir: Path) -> None:
    columns = Columns(
        identity={"record_id": pa.string()}, metrics={"score": pa.float64()}, headlines=("score",), measure="score"
    )
    rows = [{"record_id": "q1", "score": 1.0}, {"record_id": "q1", "score": 3.0}, {"record_id": "q2", "score": 5.0}]
    sweep = painted(run_dir, described(columns), columns, rows)
    assert (means(sweep), len(sweep.rows)) == ({"score": 3.0}, 3)
    assert write_report(run_dir).exists()


def test_the_file_counts_before_the_built_in_columns(run_dir: Path, write: Any, cell: Any) -> None:
    folder = write(run_dir, cell([1.0]))
    path = folder / "_environment.json"
    older = Columns(metrics=dict(COLUMNS["generation"].metrics), headlines=("ttft_s",))
    path.write_text(json.dumps(json.loads(path.read_text()) | {"columns": described(older)}))
    (sweep,) = read_run(run_dir).sweeps
    assert average(sweep).metrics == ("ttft_s",)


def test_every_type_of_a_built_in_column_is_known(run_dir: Path) -> None:
    for name, columns in COLUMNS.items():
        sweep = painted(run_dir / name, described(columns), columns, [{}])
        assert sweep.columns == columns
    not_shown = {"affinity", "device_uuid", "worker_id", "round", "order_index", "iteration", "attempt"}
    assert COMMON.keys() - not_shown <= set(sweep.rows)
