"""Parquet files and datasets of the Hub: odd values cost nothing but themselves, a Hub that is away is no mistake."""

import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from scoring.corpora.arrow_files import load_split
from scoring.corpora.corpus import Corpus, CorpusSettings, read_records, read_rows
from scoring.corpora.streams import errors_naming
from scoring.errors import CorpusError, CorpusUnavailable

FAR = 10**7
"""Days after 1970: the year 29349, which Python's dates do not reach."""
ODD = {
    "date": (pa.date32(), 1, FAR),
    "date in milliseconds": (pa.date64(), 86_400_000, FAR * 86_400_000),
    "time": (pa.timestamp("ms"), 1, 2**53),
    "zone": (pa.timestamp("us", "Mars/Olympus"), 1, 2),
    "span": (pa.duration("s"), 1, 2**62),
    "list": (pa.list_(pa.date32()), [1], [FAR]),
    "struct": (pa.struct([("day", pa.date32())]), {"day": 1}, {"day": FAR}),
    "map": (pa.map_(pa.string(), pa.date32()), [("day", 1)], [("day", FAR)]),
}


def written(path: Path, **columns: pa.Array) -> CorpusSettings:
    pq.write_table(pa.table(columns), path)
    return CorpusSettings(path=str(path), text="text")


@pytest.mark.parametrize("kind", ODD)
def test_a_value_that_python_cannot_hold_leaves_its_row_readable(tmp_path: Path, kind: str) -> None:
    form, near, far = ODD[kind]
    texts = pa.array(["one text", "another text", "a third text"])
    corpus = Corpus.open(written(tmp_path / "a.parquet", text=texts, odd=pa.array([near, far, None], form)))
    assert corpus.survey.warnings == ()
    assert [record.texts[0].text for record in corpus.records()] == texts.to_pylist()
    other = Corpus.open(written(tmp_path / "b.parquet", text=texts, odd=pa.array([near, near, None], form)))
    assert corpus.files[0].states != other.files[0].states, "the odd value is part of what the rows are"


def test_odd_values_are_the_same_whatever_rows_are_read_with_them(tmp_path: Path) -> None:
    days = pa.array([5, FAR, 7, FAR + 1, 9], pa.date32()).dictionary_encode()
    corpus = Corpus.open(written(tmp_path / "a.parquet", text=pa.array(["two words"] * 5), odd=days))
    apart = [next(iter(read_rows(shard))).values for shard in corpus.shards(1)]
    assert apart == [row.values for shard in corpus.shards(5) for row in read_rows(shard)]


def test_an_odd_value_in_the_texts_own_column_is_no_text(tmp_path: Path) -> None:
    settings = written(tmp_path / "a.parquet", text=pa.array([FAR], pa.date32()))
    with pytest.raises(CorpusError, match="not_text"):
        Corpus.open(settings)
    ends, letters = pa.py_buffer(b"\0\0\0\0\3\0\0\0\5\0\0\0"), pa.py_buffer(b"a b\xff\xfe")
    broken = pa.Array.from_buffers(pa.string(), 2, [None, ends, letters])
    corpus = Corpus.open(written(tmp_path / "b.parquet", text=broken))
    assert [record.null_reason for shard in corpus.shards(1) for record in read_records(corpus.settings, shard)] == [
        None,
        "not_text",
    ]


@pytest.mark.parametrize("error", [OverflowError("far"), MemoryError(), pa.ArrowKeyError("a"), pa.ArrowTypeError("b")])
def test_whatever_arrow_raises_is_one_error_with_the_files_name(error: Any) -> None:
    with pytest.raises(CorpusError, match=r"a\.parquet: cannot be read"), errors_naming("a.parquet"):
        raise error


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Names of what was loaded from a Hub that has one dataset, `there`."""
    asked: list[str] = []

    def load_dataset(name: str, split: str) -> datasets.Dataset:
        asked.append(f"{name}:{split}")
        if name != "there":
            raise ConnectionError(f"Couldn't reach {name}\nand more")
        return datasets.Dataset.from_dict({"text": [f"text number {number}" for number in range(9)]})

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    load_split.cache_clear()
    yield asked
    load_split.cache_clear()


def test_a_dataset_of_the_hub_is_loaded_once_a_process(hub: list[str]) -> None:
    corpus = Corpus.open(CorpusSettings(path="hf://there", text="text"))
    assert [row.index for shard in corpus.shards(2) for row in read_rows(shard)] == list(range(9))
    assert hub == ["there:train"]


def test_a_dataset_that_is_not_reached_is_unavailable(hub: list[str]) -> None:
    with pytest.raises(CorpusUnavailable, match="hf://away:test cannot be loaded: Couldn't reach away; check") as told:
        Corpus.open(CorpusSettings(path="hf://away:test", text="text"))
    again = pickle.loads(pickle.dumps(told.value))
    assert (type(again), str(again), isinstance(again, OSError)) == (CorpusUnavailable, str(told.value), True)
    assert hub == ["away:test"]
