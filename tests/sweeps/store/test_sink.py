"""Parts are whole or absent; what is done can be read back from them."""

import errno
import os
import re
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from sweeps.errors import SinkFailed, UserError
from sweeps.schema import COLUMNS
from sweeps.store.parts import read_on_disk
from sweeps.store.sink import Sink


def row(task_id: str, status: str = "ok", iteration: int = 0) -> dict[str, Any]:
    return {"task_id": task_id, "status": status, "iteration": iteration}


def sink_at(directory: Path) -> Sink:
    return Sink(directory, COLUMNS["noop"])


def finished(directory: Path) -> dict[str, str]:
    sink_at(directory)
    return read_on_disk(directory, None, lambda part, error: pytest.fail(f"{part}: {error}")).statuses


def test_rows_become_visible_by_flush_only(tmp_path: Path) -> None:
    sink = sink_at(tmp_path)
    sink.add([row("t1"), row("t1", iteration=1)])
    assert (finished(tmp_path), len(sink)) == ({}, 2)
    sink.flush()
    assert (finished(tmp_path), len(sink)) == ({"t1": "ok"}, 0)
    sink.flush()
    assert len(list(tmp_path.glob("part-*"))) == 1, "nothing to write, no part"


def test_schema_is_the_designed_one_even_where_all_is_null(tmp_path: Path) -> None:
    sink = sink_at(tmp_path)
    sink.add([row("t1")])
    sink.flush()
    assert ds.dataset(tmp_path, format="parquet").schema.equals(COLUMNS["noop"].schema)


def test_a_later_sink_goes_on_counting(tmp_path: Path) -> None:
    for task_id in ("t1", "t2"):
        sink = sink_at(tmp_path)
        sink.add([row(task_id)])
        sink.flush()
    assert sorted(part.name for part in tmp_path.glob("part-*")) == ["part-000000.parquet", "part-000001.parquet"]


def test_leftovers_of_a_killed_write_are_removed(tmp_path: Path) -> None:
    (tmp_path / ".part-000000.parquet.tmp").write_bytes(b"half")
    assert finished(tmp_path) == {}
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_keeps_the_rows_and_leaves_no_half_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sink = sink_at(tmp_path)
    sink.add([row("t1")])

    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(SinkFailed, match="No space left"):
            sink.flush()
    assert (list(tmp_path.iterdir()), len(sink)) == ([], 1)
    sink.flush()
    assert finished(tmp_path) == {"t1": "ok"}


def test_a_truncated_part_is_set_aside_and_its_tasks_run_again(tmp_path: Path) -> None:
    sink = sink_at(tmp_path)
    for task_id in ("t1", "t2"):
        sink.add([row(task_id)])
        sink.flush()
    part = tmp_path / "part-000000.parquet"
    part.write_bytes(part.read_bytes()[:-20])
    told: list[str] = []
    sink_at(tmp_path).mend(told.append)
    assert "part-000000.parquet" in told[0]
    assert (tmp_path / "_part-000000.parquet.damaged").exists()
    assert finished(tmp_path) == {"t2": "ok"}
    assert ds.dataset(tmp_path).count_rows() == 1, "what was set aside does not stand in the way of those who read"


def test_a_part_of_an_older_version_gets_todays_columns(tmp_path: Path) -> None:
    part = tmp_path / "part-000000.parquet"
    schema = COLUMNS["noop"].schema
    older = [name for name in schema.names if name not in ("environment_id", "neighbours")]
    pq.write_table(pa.Table.from_pylist([row("t1")], schema).select(older), part)
    sink = sink_at(tmp_path)
    sink.mend(pytest.fail)
    sink.add([row("t2")])
    sink.flush()
    assert ds.dataset(tmp_path).schema.equals(schema)
    assert finished(tmp_path) == {"t1": "ok", "t2": "ok"}


@pytest.mark.parametrize(
    ("column", "values", "seen"),
    [("later", [1], "column later (int64)"), ("iteration", ["one"], "column iteration (string)")],
)
def test_a_part_that_this_version_did_not_write_is_refused_and_kept(
    column: str, values: list[Any], seen: str, tmp_path: Path
) -> None:
    part = tmp_path / "part-000000.parquet"
    pq.write_table(pa.table({"task_id": ["t1"], "status": ["ok"], column: values}), part)
    before = part.read_bytes()
    with pytest.raises(UserError, match=re.escape(seen)):
        sink_at(tmp_path).mend(pytest.fail)
    assert part.read_bytes() == before


@pytest.mark.parametrize("value", [2**31, "text", "\ud83d"])
def test_a_row_that_cannot_be_written_costs_that_row_only(value: Any, tmp_path: Path) -> None:
    sink = sink_at(tmp_path)
    bad = row("bad", iteration=1) | ({"host": value} if value == "\ud83d" else {"neighbours": value})
    sink.add([row("good"), bad, row("bad"), row("other")])
    (spoilt,) = sink.flush()
    assert (spoilt["task_id"], spoilt["status"]) == ("bad", "error")
    rows = ds.dataset(tmp_path).to_table().to_pylist()
    assert [(r["task_id"], r["iteration"], r["status"]) for r in rows] == [
        ("good", 0, "ok"),
        ("bad", 0, "ok"),
        ("other", 0, "ok"),
        ("bad", 1, "error"),
    ]
    assert "cannot be written" in rows[3]["error_message"]
    assert finished(tmp_path) == {"good": "ok", "bad": "error", "other": "ok"}, "also for the next command"


def test_of_a_task_in_two_parts_the_later_part_counts_whatever_their_dates(tmp_path: Path) -> None:
    sink = sink_at(tmp_path)
    for status in ("error", "ok"):
        sink.add([row("t1", status)])
        sink.flush()
    for age_s, part in enumerate(sorted(tmp_path.glob("part-*"))):
        os.utime(part, (1e9 - age_s, 1e9 - age_s))
    assert finished(tmp_path) == {"t1": "ok"}


def test_forget_takes_whole_tasks_out(tmp_path: Path) -> None:
    sink = sink_at(tmp_path)
    sink.add([row("good"), row("bad"), row("bad", "error", 1)])
    sink.flush()
    sink.add([row("worse", "timeout")])
    sink.flush()
    sink.forget({"bad", "worse"}, pytest.fail)
    assert finished(tmp_path) == {"good": "ok"}
    assert pq.read_table(tmp_path / "part-000000.parquet").num_rows == 1
    assert not (tmp_path / "part-000001.parquet").exists()


def test_a_part_that_is_damaged_when_tasks_are_taken_out_is_set_aside_and_the_others_go_on(tmp_path: Path) -> None:
    sink = sink_at(tmp_path)
    for task_ids in (("t1",), ("t2", "t3"), ("t4", "t5")):
        sink.add(list(map(row, task_ids)))
        sink.flush()
    for number in (0, 1):
        part = tmp_path / f"part-00000{number}.parquet"
        part.write_bytes(part.read_bytes()[:-20])
    told: list[str] = []
    sink.forget({"t4"}, told.append)
    assert len(told) == 2
    assert finished(tmp_path) == {"t5": "ok"}


def test_what_parts_say_of_tasks_models_and_damage(tmp_path: Path) -> None:
    sink = sink_at(tmp_path)
    sink.add([row("damaged")])
    sink.flush()
    part = tmp_path / "part-000000.parquet"
    part.write_bytes(part.read_bytes()[:-20])
    sink.add([row("t1") | {"revision": "aa, bb"}, row("t2") | {"revision": None}])
    sink.add([row("t3", "error") | {"revision": "cc"}, row("t4", "unsupported") | {"environment_id": "here"}])
    sink.flush()
    told: list[Path] = []
    seen = read_on_disk(tmp_path, None, lambda damaged, error: told.append(damaged))
    assert told == [part]
    assert seen.statuses == {"t1": "ok", "t2": "ok", "t3": "error", "t4": "unsupported"}
    assert (seen.measured, seen.revisions - {""}) == ({"t1", "t2"}, {"aa", "bb"})
    assert (seen.unsupported_in, seen.repeated) == ({"t4": "here"}, set())


def test_an_ok_row_without_its_measure_holds_no_measurement(tmp_path: Path) -> None:
    sink = Sink(tmp_path, COLUMNS["binoculars"])
    sink.add([row("t1") | {"score": 0.0, "revision": "aa"}, row("t2") | {"score": None, "revision": "bb"}])
    sink.flush()
    assert read_on_disk(tmp_path, "score", lambda part, error: pytest.fail(f"{part}: {error}")).measured == {"t1"}
    assert read_on_disk(tmp_path, None, lambda part, error: pytest.fail(f"{part}: {error}")).measured == {"t1", "t2"}
