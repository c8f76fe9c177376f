"""Parts are whole or absent; what is done can be read back from them."""

import errno
import os
from pathlib import Path
from typing import Any

import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from sweeps.errors import SinkFailed
from sweeps.schema import schema_of
from sweeps.sink import Sink


def row(task_id: str, status: str = "ok", iteration: int = 0) -> dict[str, Any]:
    return {"task_id": task_id, "status": status, "iteration": iteration}


def sink_at(directory: Path) -> Sink:
    return Sink(directory, schema_of("noop"))


def finished(directory: Path) -> dict[str, str]:
    return sink_at(directory).finished(lambda message: pytest.fail(message))


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
    assert ds.dataset(tmp_path, format="parquet").schema.equals(schema_of("noop"))


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
    assert sink_at(tmp_path).finished(told.append) == {"t2": "ok"}
    assert "part-000000.parquet" in told[0]
    assert (tmp_path / "part-000000.damaged").exists()


def test_forget_takes_whole_tasks_out(tmp_path: Path) -> None:
    sink = sink_at(tmp_path)
    sink.add([row("good"), row("bad"), row("bad", "error", 1)])
    sink.flush()
    sink.add([row("worse", "timeout")])
    sink.flush()
    assert sink.forget({"error", "timeout"}) == 2
    assert finished(tmp_path) == {"good": "ok"}
    assert pq.read_table(tmp_path / "part-000000.parquet").num_rows == 1
    assert sink.forget(()) == 0
