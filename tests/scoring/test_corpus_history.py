"""A corpus is its content: what grew or moved continues, and what changed otherwise is refused with its name."""

import gzip
import json
import os
import pickle
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring.corpora.corpus import Corpus, CorpusSettings, Shard, read_rows, records_of
from scoring.errors import CorpusChanged, CorpusError

PAIRED = {"human": "human", "synthetic": "ai"}
Files = dict[str, list[dict[str, Any]]]


def row(number: int, record_id: str | None = None) -> dict[str, Any]:
    return {"id": record_id or f"r{number}", "human": f"person {number}", "ai": f"model {number}"}


def lines(rows: list[dict[str, Any]]) -> str:
    return "".join(json.dumps(each) + "\n" for each in rows)


def write(folder: Path, files: Files) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, rows in files.items():
        (folder / name).write_text(lines(rows))


def opened(path: Path, **columns: Any) -> Corpus:
    return Corpus.open(CorpusSettings(path=str(path), **PAIRED | columns))


def extents(shards: list[Shard]) -> list[tuple[int, int]]:
    return [(shard.first_row, shard.row_count) for shard in shards]


@pytest.mark.parametrize("kind", ["jsonl", "jsonl.gz", "csv", "json", "parquet"])
def test_the_first_rows_of_a_file_are_a_corpus_of_their_own(tmp_path: Path, kind: str) -> None:
    rows = [row(number, "same" if number in (1, 4, 9) else None) for number in range(20)]
    path = tmp_path / f"c.{kind}"
    if kind == "parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
    elif kind == "csv":
        path.write_text("id,human,ai\n" + "".join(f"{','.join(each.values())}\n" for each in rows))
    else:
        text = json.dumps(rows) if kind == "json" else lines(rows)
        path.write_bytes(gzip.compress(text.encode()) if kind.endswith("gz") else text.encode())
    part = opened(path, id="id", first_rows=7)
    assert (part.rows, extents([*part.cut(3)])) == (7, [(0, 3), (3, 3), (6, 1)])
    assert extents([*part.cut(5)]) == [(0, 5), (5, 2)], "a size that was not known when it was opened"
    ids = [record.record_id for record in part.records()]
    assert ids == ["r0", "same", "r2", "r3", f"same#c.{kind}:4", "r5", "r6"]
    assert "of each file the first 7 rows at most: first_rows says so" in part.survey.lines
    assert opened(path, id="id").rows == opened(path, id="id", first_rows=21).rows == 20
    with pytest.raises(ValueError, match="first_rows"):
        opened(path, first_rows=0)


def test_what_is_written_behind_the_first_rows_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "c.jsonl"
    path.write_text(lines([row(number) for number in range(20)]))
    before = opened(path, first_rows=7)
    path.write_text(lines([row(number) for number in range(30)]))
    after = opened(path, first_rows=7).continued(json.loads(json.dumps(before.history)))
    assert after.history == before.history
    assert [*after.cut(3)] == [*before.cut(3)]


def test_a_corpus_that_grew_keeps_its_shards(tmp_path: Path) -> None:
    path = tmp_path / "grow.jsonl"
    path.write_text(lines([row(number) for number in range(20)]))
    first = opened(path)
    old = list(first.shards(16))
    path.write_text(lines([row(number) for number in range(30)]))
    grown = opened(path).continued(json.loads(json.dumps(first.history)))
    new = list(grown.shards(16))
    assert new[:2] == old
    assert extents(new) == [(0, 16), (16, 4), (20, 10)]
    assert [rows for rows, _ in grown.history["grow.jsonl"]] == [20, 30]
    again = opened(path).continued(grown.history)
    assert again.history == grown.history
    assert list(again.shards(16)) == new


def test_checkpoints_spare_the_second_pass(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "grow.jsonl"
    path.write_text(lines([row(number) for number in range(5)]))
    history = opened(path).history
    path.write_text(lines([row(number) for number in range(9)]))
    settings_ = CorpusSettings(path=str(path), **PAIRED)
    without, remembered = Corpus.open(settings_), Corpus.open(settings_, frozenset({5}))
    assert without.continued(history).history == remembered.continued(history).history
    monkeypatch.setattr(Corpus, "open", None)
    assert extents(list(remembered.continued(history).shards(100))) == [(0, 5), (5, 4)]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([0, 1, 2], r"texts.jsonl: has shrunk, 3 rows where it had 5"),
        ([9, 0, 1, 2, 3, 4], "rows 0 to 4, counted from 0, are not what they were"),
        ([1, 0, 2, 3, 4], "are not what they were"),
        ([0, 1, 7, 3, 4], "are not what they were"),
        ([10, 11, 12, 13, 14, 15], "are not what they were"),
    ],
)
def test_what_changed_is_refused_with_its_name(tmp_path: Path, rows: list[int], message: str) -> None:
    path = tmp_path / "texts.jsonl"
    path.write_text(lines([row(number) for number in range(5)]))
    history = opened(tmp_path).history
    path.write_text(lines([row(number) for number in rows]))
    with pytest.raises(CorpusChanged, match=message):
        opened(tmp_path).continued(history)


def test_the_first_part_that_differs_is_named(tmp_path: Path) -> None:
    path = tmp_path / "texts.jsonl"
    history: Any = {}
    for count in (3, 6, 9):
        path.write_text(lines([row(number) for number in range(count)]))
        history = opened(path).continued(history).history
    path.write_text(lines([row(number if number != 4 else 99) for number in range(9)]))
    with pytest.raises(CorpusChanged, match="rows 3 to 5"):
        opened(path).continued(history)


def test_a_file_that_is_gone_is_refused_and_a_new_one_is_new_rows(tmp_path: Path) -> None:
    write(tmp_path, {"a.jsonl": [row(0)], "b.jsonl": [row(1)]})
    history = opened(tmp_path).history
    write(tmp_path, {"0.jsonl": [row(2)]})
    grown = opened(tmp_path).continued(history)
    assert [(shard.name, shard.row_count) for shard in grown.shards(10)] == [
        ("0.jsonl", 1), ("a.jsonl", 1), ("b.jsonl", 1)
    ]  # fmt: skip
    (tmp_path / "a.jsonl").unlink()
    with pytest.raises(CorpusChanged, match=r"a\.jsonl is gone, 1 row of it"):
        opened(tmp_path).continued(history)


def test_a_file_that_moved_keeps_its_name_and_dataset(tmp_path: Path) -> None:
    rows = [row(number) for number in range(4)]
    write(tmp_path / "one", {"a.jsonl": rows})
    first = opened(tmp_path / "one")
    packed = tmp_path / "two" / "deep" / "z.jsonl.gz"
    packed.parent.mkdir(parents=True)
    packed.write_bytes(gzip.compress(lines([*rows, row(4)]).encode()))
    moved = opened(tmp_path / "two").continued(first.history)
    records = [record for shard in moved.shards(3) for record in records_of(moved.settings, read_rows(shard))]
    assert [record.record_id for record in records] == [f"a.jsonl:{number}" for number in range(5)]
    assert {record.dataset for record in records} == {"a"}
    assert "deep/z.jsonl.gz is the file that was a.jsonl, and keeps that name" in moved.survey.lines
    assert moved.history["a.jsonl"][0] == first.history["a.jsonl"][0]


def test_the_same_rows_have_one_fingerprint_in_every_place_and_compression(tmp_path: Path) -> None:
    text = lines([row(number) for number in range(4)])
    (tmp_path / "plain.jsonl").write_text(text)
    (tmp_path / "packed.JSONL.GZ").write_bytes(gzip.compress(text.replace("\n", " \r\n\n").encode()))
    one, two = (opened(tmp_path / name).files[0].states for name in ("plain.jsonl", "packed.JSONL.GZ"))
    assert one == two


def test_a_renamed_column_of_a_csv_is_a_change(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("human,ai,note\na b,c d,x\n")
    history = opened(path).history
    path.write_text("ai,human,note\na b,c d,x\n")
    with pytest.raises(CorpusChanged, match="are not what they were"):
        opened(path).continued(history)


def shard_of(path: Path) -> Shard:
    (shard,) = opened(path).shards(100)
    return shard


@pytest.mark.parametrize("name", ["texts.jsonl", "texts.csv", "texts.jsonl.gz"])
def test_a_shard_whose_rows_changed_raises_with_the_file(tmp_path: Path, name: str) -> None:
    path = tmp_path / name

    def put(*words: str) -> None:
        if path.suffix == ".csv":
            text = "human,ai\n" + "".join(f"{word},model\n" for word in words)
        else:
            text = lines([{"human": word, "ai": "model"} for word in words])
        path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())

    put("one", "two")
    shard = shard_of(path)
    assert len(list(read_rows(shard))) == 2
    put("one", "two", "three")
    assert len(list(read_rows(shard))) == 2, "rows behind the shard are none of its business"
    put("one", "other")
    with pytest.raises(CorpusChanged, match=r"texts.*rows 0 to 1.*start again"):
        next(read_rows(shard))
    put("one")
    with pytest.raises(CorpusChanged, match=r"1 row .* where 2 were counted"):
        next(read_rows(shard))
    path.write_bytes(path.read_bytes()[: len(path.read_bytes()) // 2])
    with pytest.raises(CorpusChanged):
        next(read_rows(shard))
    path.unlink()
    with pytest.raises(FileNotFoundError):
        next(read_rows(shard))
    pickle.loads(pickle.dumps(shard))
    assert issubclass(CorpusChanged, CorpusError)


def test_a_file_that_changes_between_opening_and_cutting_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "texts.jsonl"
    path.write_text(lines([row(0), row(1)]))
    corpus = opened(path)
    path.write_text(lines([row(0), row(2)]))
    with pytest.raises(CorpusChanged, match="not what they were"):
        list(corpus.shards(1))
    path.write_text(lines([row(0)]))
    with pytest.raises(CorpusChanged, match="1 row where 2"):
        list(corpus.shards(1))


def test_a_file_that_changes_while_it_is_read_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from scoring.corpora import passing

    path = tmp_path / "texts.jsonl"
    path.write_text(lines([row(0), row(1)]))
    read = passing.reader_of

    def writing(file: str, dialect: Any) -> Any:
        os.utime(path, ns=(1, 1))
        return read(file, dialect)

    monkeypatch.setattr(passing, "reader_of", writing)
    with pytest.raises(CorpusChanged, match="changed while it was read"):
        opened(path)


def test_the_first_row_keeps_its_id_and_repetitions_get_their_rows_name(tmp_path: Path) -> None:
    ids = ["a", "a#t.jsonl:2", "a", "b", "a", "a#t.jsonl:4"]
    path = tmp_path / "t.jsonl"
    path.write_text(lines([row(number, record_id) for number, record_id in enumerate(ids)]))
    corpus = opened(path, id="id")
    assert [record.record_id for record in corpus.records()] == [
        "a", "a#t.jsonl:2", "a#t.jsonl:2#t.jsonl:2", "b", "a#t.jsonl:4", "a#t.jsonl:4#t.jsonl:5"
    ]  # fmt: skip
    assert any("1 id of column 'id' occur" in line and "a 3" in line for line in corpus.survey.warnings)


def test_rows_that_are_sent_make_the_same_records(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text(lines([row(number, "same") for number in range(3)]))
    corpus = opened(path, id="id")
    (shard,) = corpus.shards(10)
    sent = pickle.loads(pickle.dumps(list(read_rows(shard))))
    path.unlink()
    assert [record.record_id for record in records_of(corpus.settings, sent)] == [
        "same", "same#t.jsonl:1", "same#t.jsonl:2"
    ]  # fmt: skip


def test_a_new_file_in_front_does_not_take_the_id_of_an_older_row(tmp_path: Path) -> None:
    write(tmp_path, {"m.jsonl": [row(0, "x"), row(1, "y")]})
    history = opened(tmp_path, id="id").history
    write(tmp_path, {"a.jsonl": [row(2, "y"), row(3, "z")]})
    history = opened(tmp_path, id="id").continued(history).history
    write(tmp_path, {"m.jsonl": [row(0, "x"), row(1, "y"), row(4, "z")], "0.jsonl": [row(5, "x")]})
    corpus = opened(tmp_path, id="id").continued(history)
    ids = {(shard.name, r.index): r.record_id for shard in corpus.shards(9) for r in read_rows(shard)}
    assert ids == {
        ("m.jsonl", 0): None, ("m.jsonl", 1): None, ("m.jsonl", 2): "z#m.jsonl:2",
        ("a.jsonl", 0): "y#a.jsonl:0", ("a.jsonl", 1): None, ("0.jsonl", 0): "x#0.jsonl:0",
    }  # fmt: skip


OPERATIONS = ("append", "edit", "insert", "swap", "shrink", "replace", "rename", "add", "repeat_id", "literal_id")
HARMLESS = ("append", "rename", "add", "repeat_id", "literal_id")
"""Changes that must never be refused: new rows at the end, new files, other names."""


def change(files: Files, operation: str, pick: int, fresh: int) -> Files:
    """The files after one operation; `fresh` makes rows that were never there."""
    files = {name: list(rows) for name, rows in files.items()}
    name = sorted(files)[pick % len(files)]
    rows = files[name]
    match operation:
        case "append":
            rows += [row(fresh + number) for number in range(1 + pick % 3)]
        case "edit":
            rows[pick % len(rows)] = row(fresh)
        case "insert":
            rows.insert(pick % len(rows), row(fresh))
        case "swap":
            rows[0], rows[-1] = rows[-1], rows[0]
        case "shrink":
            del rows[1 + pick % len(rows) :]
        case "replace":
            files[name] = [row(fresh + number) for number in range(len(rows))]
        case "rename":
            files[f"n{fresh}-{name[:3]}.jsonl"] = files.pop(name)
        case "add":
            files[f"{'abz'[pick % 3]}{fresh}.jsonl"] = [row(fresh), row(fresh + 1, rows[0]["id"])]
        case "repeat_id":
            rows.append(row(fresh, rows[pick % len(rows)]["id"]))
        case "literal_id":  # as one that was made unique would look
            rows.append(row(fresh, f"{rows[0]['id']}#{name}:{len(rows) + 1}"))
            rows.append(row(fresh + 1, rows[0]["id"]))
    return files


def state(corpus: Corpus, size: int) -> tuple[dict[Any, Any], dict[Any, Any]]:
    shards, records = {}, {}
    for shard in corpus.shards(size):
        shards[shard.name, shard.first_row, shard.row_count] = (shard.sha256, shard.record_ids)
        read = list(read_rows(shard))
        for raw, record in zip(read, records_of(corpus.settings, read), strict=True):
            records[shard.name, raw.index] = record
    return shards, records


@pytest.mark.fuzz
@given(
    size=st.integers(1, 5),
    has_ids=st.booleans(),
    steps=st.lists(st.tuples(st.sampled_from(OPERATIONS), st.integers(0, 20)), max_size=6),
)
def test_whatever_happens_old_shards_stay_or_it_is_refused(
    size: int, has_ids: bool, steps: list[tuple[str, int]]
) -> None:
    files: Files = {"a.jsonl": [row(number) for number in range(4)], "b.jsonl": [row(9, "r0"), row(8, "r0")]}
    columns = {"id": "id"} if has_ids else {}
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder) / "0", files)
        corpus = opened(Path(folder) / "0", **columns)
        shards, records = state(corpus, size)
        for number, (operation, pick) in enumerate(steps, start=1):
            changed = change(files, operation, pick, fresh=100 * number)
            write(Path(folder) / str(number), changed)
            try:
                grown = opened(Path(folder) / str(number), **columns).continued(corpus.history)
            except CorpusChanged:
                assert operation not in HARMLESS
                continue
            new_shards, new_records = state(grown, size)
            assert shards.items() <= new_shards.items()
            assert records.items() <= new_records.items()
            assert len(new_records) == grown.rows == sum(map(len, changed.values()))
            ids = [record.record_id for record in new_records.values()]
            assert len(set(ids)) == len(ids)
            new_rows = {key: found for key, found in new_records.items() if key not in records}
            covered = {
                (name, index)
                for name, first, count in new_shards.keys() - shards.keys()
                for index in range(first, first + count)
            }
            assert covered == set(new_rows)
            corpus, files, shards, records = grown, changed, new_shards, new_records


def all_rows(shards: list[Shard]) -> Iterator[Any]:
    for shard in shards:
        yield from read_rows(shard)


def test_shards_cut_at_any_size_are_the_same_rows(tmp_path: Path) -> None:
    write(tmp_path, {"a.jsonl": [row(number) for number in range(7)], "b.jsonl": [row(9)]})
    corpus = opened(tmp_path)
    whole = list(all_rows(list(corpus.shards(100))))
    for size in range(1, 9):
        assert list(all_rows(list(corpus.shards(size)))) == whole
