"""Shards that were cut in the one pass before a run are those that a second pass would cut, and take no memory."""

import json
import os
import pickle
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring.corpora import corpus as corpus_module
from scoring.corpora.corpus import Corpus, CorpusSettings, read_rows
from scoring.corpora.fingerprints import RowFingerprints
from scoring.errors import CorpusChanged

FORMS = ("jsonl", "csv", "json")


def write(path: Path, rows: int) -> None:
    texts = [f"text {'é' * (number % 3)} number {number}" for number in range(rows)]
    match path.suffix:
        case ".csv":
            path.write_text("text\n" + "".join(f"{text}\n" for text in texts))
        case ".jsonl":
            path.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
        case ".json":
            path.write_text(json.dumps([{"text": text} for text in texts], ensure_ascii=False))


def opened(path: Path, *sizes: int, **known: Any) -> Corpus:
    return Corpus.open(CorpusSettings(path=str(path), text="text"), shard_sizes=frozenset(sizes), **known)


def refuse(*_: object) -> None:
    raise AssertionError("the rows are read again")


@pytest.mark.parametrize("size", [1, 7, 64, 65, 1000])
def test_one_pass_cuts_as_two_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    for rows, form in zip((150, 64, 0), FORMS, strict=True):
        write(tmp_path / f"a.{form}", rows)
    (tmp_path / "b.csv").write_text("text\n")
    with_second_pass = list(opened(tmp_path).shards(size))
    assert sum(shard.row_count for shard in with_second_pass) == 214
    monkeypatch.setattr(corpus_module, "cut_file", refuse)
    corpus = opened(tmp_path, size, 3)
    assert list(corpus.shards(size)) == list(corpus.cut(size)) == with_second_pass
    assert len(corpus.cut(3)) == 50 + 22


def test_shards_are_a_sequence(tmp_path: Path) -> None:
    for form in FORMS:
        write(tmp_path / f"a.{form}", 10)
    shards = opened(tmp_path, 4).cut(4)
    assert [(shard.name[2:], shard.first_row, shard.row_count) for shard in shards] == [
        (form, *extent) for form in sorted(FORMS) for extent in ((0, 4), (4, 4), (8, 2))
    ]
    assert len(shards) == 9
    assert shards[-1] == shards[8] == list(shards)[8]
    assert shards[2:5] == [shards[2], shards[3], shards[4]]
    with pytest.raises(IndexError):
        shards[9]
    assert list(pickle.loads(pickle.dumps(shards))) == list(shards)


def test_a_shard_takes_a_few_bytes_of_a_plan(tmp_path: Path) -> None:
    write(tmp_path / "a.jsonl", 5000)
    shards = opened(tmp_path / "a.jsonl", 1).cut(1)
    assert len(shards) == 5000
    assert len(pickle.dumps(shards)) < 5000 * 24 + 1000


@pytest.mark.parametrize("form", FORMS)
def test_a_file_that_grew_is_cut_where_it_grew(tmp_path: Path, form: str) -> None:
    path = tmp_path / f"a.{form}"
    write(path, 10)
    history = opened(path, 4).history
    write(path, 17)
    grown = opened(path, 4, checkpoints=frozenset({10})).continued(history)
    assert [(shard.first_row, shard.row_count) for shard in grown.cut(4)] == [
        (0, 4), (4, 4), (8, 2), (10, 4), (14, 3)
    ]  # fmt: skip
    texts = [(row.values or {})["text"] for shard in grown.cut(4) for row in read_rows(shard)]
    assert [int(text.split()[-1]) for text in texts] == list(range(17))


def test_a_file_that_grew_by_whole_shards_is_not_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.csv"
    write(path, 8)
    history = opened(path, 4).history
    write(path, 17)
    plain = list(opened(path, checkpoints=frozenset({8})).continued(history).shards(4))
    monkeypatch.setattr(corpus_module, "cut_file", refuse)
    assert list(opened(path, 4, checkpoints=frozenset({8})).continued(history).cut(4)) == plain


def test_a_file_that_changed_since_it_was_opened_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    write(path, 9)
    corpus = opened(path, 4)
    path.write_text(path.read_text().replace("number 3", "number 4"))
    os.utime(path, ns=(1, 1))
    with pytest.raises(CorpusChanged, match="not what they were"):
        corpus.cut(4)
    path.unlink()
    with pytest.raises(FileNotFoundError):
        corpus.cut(4)


@given(
    st.lists(st.binary(max_size=3), max_size=200),
    st.sets(st.integers(1, 90), min_size=1, max_size=3),
    st.sets(st.integers(0, 200), max_size=4),
    st.sets(st.integers(0, 200), max_size=4),
)
def test_fingerprints_are_those_of_the_rows_alone(
    contents: list[bytes], sizes: set[int], stops: set[int], growths: set[int]
) -> None:
    def alone(first: int, end: int) -> str:
        rows = RowFingerprints()
        for content in contents[first:end]:
            rows.add(None, content)
        rows.cuts()
        return rows.digests[end - first]

    together = RowFingerprints(stops, sizes, growths)
    for number, content in enumerate(contents):
        together.add(number * 10, content)
    cuts = together.cuts()
    total = len(contents)
    assert together.digests == {rows: alone(0, rows) for rows in {0, total, *stops, *growths} if rows <= total}
    for size in sizes:
        borders = sorted({0, total, *(row for row in growths if row < total)})
        starts = [row for a, b in pairwise(borders) for row in range(a, b, size)]
        ends = [*starts[1:], total]
        assert len(cuts[size]) == len(starts)
        assert [cuts[size].digest(place) for place in range(len(starts))] == [
            alone(first, end)[:32] for first, end in zip(starts, ends, strict=False)
        ]
        first_bytes = cuts[size].first_bytes
        assert first_bytes is not None
        assert np.array_equal(first_bytes, np.array(starts, np.int64) * 10)
