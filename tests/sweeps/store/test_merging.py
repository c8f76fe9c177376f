"""Parts that are merged: no row is lost or doubled, whatever is killed, and readers see the same rows."""

from collections import Counter
from pathlib import Path

import pyarrow.dataset as ds
import pytest

from sweeps.errors import SinkFailed
from sweeps.run_layout import SweepLayout, part_numbers, visible_parts
from sweeps.schema import COLUMNS
from sweeps.store import sink as sink_module
from sweeps.store.parts import read_on_disk
from sweeps.store.sink import Sink
from sweeps.task import Row


def row(task_id: str) -> Row:
    return {"sweep": "s", "benchmark": "noop", "task_id": task_id, "status": "ok", "index": 0}


def sink_with(directory: Path, parts: int, first: int = 0) -> Sink:
    """A sink that wrote that many parts of one task each."""
    sink = Sink(directory, COLUMNS["noop"])
    for number in range(first, first + parts):
        sink.add([row(f"t{number}")])
        sink.flush()
    return sink


def tasks(directory: Path) -> Counter[str]:
    """Tasks of the rows that pandas would read."""
    return Counter(ds.dataset(sorted(directory.glob("part-*.parquet"))).to_table()["task_id"].to_pylist())


def names(directory: Path) -> list[str]:
    return sorted(part.name for part in directory.glob("part-*"))


def test_parts_of_single_flushes_become_one(tmp_path: Path) -> None:
    sink_with(tmp_path, 5).merge()
    assert names(tmp_path) == ["part-000000-000004.parquet"]
    assert tasks(tmp_path) == Counter([f"t{number}" for number in range(5)])


def test_a_merged_part_stays_and_the_next_ones_are_merged_beside_it(tmp_path: Path) -> None:
    sink = sink_with(tmp_path, 3)
    sink.merge()
    later = sink_with(tmp_path, 2, first=3)
    later.merge()
    assert names(tmp_path) == ["part-000000-000002.parquet", "part-000003-000004.parquet"]
    assert sum(tasks(tmp_path).values()) == 5


def test_one_part_stays_as_it_is(tmp_path: Path) -> None:
    sink_with(tmp_path, 1).merge()
    assert names(tmp_path) == ["part-000000.parquet"]


def test_a_long_run_merges_on_its_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sink_module, "MERGE_EVERY", 4)
    sink_with(tmp_path, 10)
    assert names(tmp_path) == [
        "part-000000-000003.parquet",
        "part-000004-000007.parquet",
        "part-000008.parquet",
        "part-000009.parquet",
    ]
    assert sum(tasks(tmp_path).values()) == 10


def test_a_run_that_is_killed_before_it_deletes_leaves_no_task_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sink = sink_with(tmp_path, 4)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", _killed)
        with pytest.raises(KeyboardInterrupt):
            sink.merge()
    assert len(names(tmp_path)) == 5, "the merged part, and those in it"
    on_disk = read_on_disk(tmp_path, None, lambda _part, _error: None)
    assert (len(on_disk.statuses), on_disk.repeated) == (4, set())
    Sink(tmp_path, COLUMNS["noop"]).mend(lambda _: None)
    assert names(tmp_path) == ["part-000000-000003.parquet"]
    assert set(tasks(tmp_path).values()) == {1}


def test_a_merged_part_that_is_damaged_takes_none_of_its_parts_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sink = sink_with(tmp_path, 4)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", _killed)
        with pytest.raises(KeyboardInterrupt):
            sink.merge()
    (tmp_path / "part-000000-000003.parquet").write_bytes(b"no parquet")
    told: list[str] = []
    Sink(tmp_path, COLUMNS["noop"]).mend(told.append)
    assert len(told) == 1
    assert tasks(tmp_path) == Counter([f"t{number}" for number in range(4)])


def test_a_part_with_other_rows_under_a_covered_number_is_kept_and_told(tmp_path: Path) -> None:
    sink_with(tmp_path, 3).merge()
    elsewhere = tmp_path / "elsewhere"
    sink_with(elsewhere, 1, first=7)
    (elsewhere / "part-000000.parquet").rename(tmp_path / "part-000001.parquet")
    told: list[str] = []
    Sink(tmp_path, COLUMNS["noop"]).mend(told.append)
    assert "not in the merged part" in told[0]
    assert (tmp_path / "_part-000001.parquet.damaged").exists()
    assert names(tmp_path) == ["part-000000-000002.parquet"]


def test_no_more_parts_than_a_few_are_in_memory_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sink = sink_with(tmp_path, 6)
    monkeypatch.setattr(sink_module, "MERGE_EVERY", 4)
    sink.merge()
    assert names(tmp_path) == ["part-000000.parquet", "part-000001.parquet", "part-000002-000005.parquet"]


def _killed(_path: Path, missing_ok: bool = False) -> None:
    raise KeyboardInterrupt


def test_a_disk_that_is_full_leaves_all_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sink = sink_with(tmp_path, 3)
    before = names(tmp_path)

    def full(*_: object) -> None:
        raise SinkFailed("no space left")

    monkeypatch.setattr(sink_module, "replace_file", full)
    sink.merge()
    assert names(tmp_path) == before


def test_a_part_that_is_damaged_stays_for_the_next_run_to_tell(tmp_path: Path) -> None:
    sink = sink_with(tmp_path, 3)
    (tmp_path / "part-000001.parquet").write_bytes(b"no parquet")
    sink.merge()
    assert len(names(tmp_path)) == 3


def test_a_later_run_counts_on_after_the_merged_part(tmp_path: Path) -> None:
    sink_with(tmp_path, 3).merge()
    sink_with(tmp_path, 1, first=3)
    assert names(tmp_path) == ["part-000000-000002.parquet", "part-000003.parquet"]


def test_a_reader_that_is_overtaken_by_a_merge_reads_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sink = sink_with(tmp_path, 3)
    listed = SweepLayout.parts
    calls = 0

    def then_merged(layout: SweepLayout) -> list[Path]:
        nonlocal calls
        calls += 1
        parts = listed(layout)
        if calls == 1:
            sink.merge()
        return parts

    monkeypatch.setattr(SweepLayout, "parts", then_merged)
    damaged: list[Path] = []
    on_disk = read_on_disk(tmp_path, None, lambda part, _error: damaged.append(part))
    assert (len(on_disk.statuses), damaged) == (3, [])


@pytest.mark.parametrize(
    ("found", "seen"),
    [
        (["part-000010.parquet", "part-000009.parquet"], ["part-000009.parquet", "part-000010.parquet"]),
        (["part-000001.parquet", "part-000000-000001.parquet"], ["part-000000-000001.parquet"]),
        (["part-000002.parquet", "part-000000-000001.parquet"], ["part-000000-000001.parquet", "part-000002.parquet"]),
        (["part-b.parquet", "part-000000-000001.parquet", "notes"], ["part-b.parquet", "part-000000-000001.parquet"]),
        (["part-1000000.parquet", "part-999999.parquet"], ["part-999999.parquet", "part-1000000.parquet"]),
    ],
)
def test_parts_come_in_the_order_in_which_they_were_written(found: list[str], seen: list[str]) -> None:
    assert visible_parts(found) == seen
    assert part_numbers("part-000002-000004.parquet") == (2, 4)
