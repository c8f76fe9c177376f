"""Files of any bytes, and good files that were broken: never a traceback, never a row that is not accounted for."""

import gzip
import json
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring.corpora.corpus import Corpus, CorpusSettings, read_rows, records_of
from scoring.corpora.labels import Authors, label_key
from scoring.corpora.records import NULL_REASONS, Record, is_missing_text
from scoring.errors import CorpusError

pytestmark = pytest.mark.fuzz

SUFFIXES = (".jsonl", ".ndjson", ".csv", ".tsv", ".json", ".parquet")
MAPPINGS: list[dict[str, Any]] = [
    {"text": "text", "label": "label", "id": "id", "generator": "generator", "dataset": "dataset"},
    {"text": "text"},
    {"human": "text", "synthetic": "*e*"},
]
TEXTS = st.text(st.characters(codec=None, exclude_categories=()), max_size=8)
"""Half surrogate pairs and control characters among them."""
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS | st.sampled_from(["human", "ai", "0", "1.0"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXTS, inner, max_size=2),
    max_leaves=4,
)
NAMES = st.sampled_from(["text", "label", "id", "generator", "dataset", "machine", " text", "\ud800"])
ROWS = st.lists(st.dictionaries(NAMES, VALUES, max_size=6), min_size=1, max_size=6)


def check(content: bytes, name: str, **columns: Any) -> list[Record] | None:
    """Open a file and read it; its records, or None where it was refused in one line."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(content)
        try:
            corpus = Corpus.open(CorpusSettings(path=str(path), **columns))
        except CorpusError as error:
            assert str(error).isprintable()
            return None
        rows = [raw for shard in corpus.shards(2) for raw in read_rows(shard)]
        records = list(records_of(corpus.settings, rows))
        again = Corpus.open(corpus.settings)
        assert again.history == corpus.history
        assert again.continued(corpus.history).files == corpus.files
    assert len(records) == corpus.rows
    assert len({record.record_id for record in records}) == len(records)
    for raw, record in zip(rows, records, strict=True):
        assert record.null_reason is None or record.null_reason in NULL_REASONS
        assert (raw.values is None) == (record.null_reason == "bad_row")
        assert bool(record.texts) == (record.null_reason is None)
        for text in record.texts:
            for part in (record.record_id, record.dataset, text.generator, text.text):
                (part or "").encode()
    assert all(line.isprintable() for line in (*corpus.survey.lines, *corpus.survey.warnings))
    return records


@given(st.binary(max_size=200), st.sampled_from(SUFFIXES), st.sampled_from(["", ".gz", ".zst"]), st.integers(0, 2))
def test_any_bytes(content: bytes, suffix: str, compression: str, mapping: int) -> None:
    check(content, f"any{suffix}{compression}", **MAPPINGS[mapping])
    if compression == ".gz":
        check(gzip.compress(content), f"any{suffix}.gz", **MAPPINGS[mapping])


@given(
    st.lists(st.sampled_from(['"', ",", "\n", "\r", "\0", "a", " b", "1", "\ud800", "é", "\t", ";"]), max_size=60),
    st.sampled_from([".csv", ".tsv"]),
    st.sampled_from([None, "latin-1", "utf-16"]),
)
def test_any_delimited_text(pieces: list[str], suffix: str, encoding: str | None) -> None:
    mark = "," if suffix == ".csv" else "\t"
    body = f"text{mark}label\nfirst words{mark}human\n" + "".join(pieces)
    content = body.encode(encoding or "utf-8", "replace")
    check(content, f"any{suffix}", text="text", label="label", encoding=encoding)


@given(ROWS, st.integers(0, 2), st.data())
def test_any_objects_and_what_is_left_of_them(rows: list[dict[str, Any]], mapping: int, data: st.DataObject) -> None:
    lines = [json.dumps(row).encode() for row in rows]
    records = check(b"\n".join(lines), "rows.jsonl", **MAPPINGS[mapping])
    assert records is None or len(records) == len(rows)
    listed = check(b"[" + b",\n".join(lines) + b"]", "rows.json", **MAPPINGS[mapping])
    if listed is not None and records is not None:
        assert [record.texts for record in listed] == [record.texts for record in records]
    whole = b"\n".join(lines)
    cut = data.draw(st.integers(0, len(whole)))
    junk = data.draw(st.binary(max_size=4))
    for name in ("rows.jsonl", "rows.json", "rows.csv"):
        check(whole[:cut] + junk + whole[cut:], name, **MAPPINGS[mapping])


@given(
    st.lists(st.tuples(st.text(max_size=8), st.sampled_from(["human", "AI ", None, "x"])), min_size=1, max_size=8),
    st.data(),
)
def test_parquet_files_that_are_cut_or_overwritten(rows: list[tuple[str, str | None]], data: st.DataObject) -> None:
    table = pa.table({"text": [text for text, _ in rows], "label": [label for _, label in rows]})
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, row_group_size=3)
    content = sink.getvalue().to_pybytes()
    records = check(content, "rows.parquet", text="text", label="label")
    if records is not None:
        known = Counter(
            label.strip().lower() for text, label in rows if label in ("human", "AI ") and not is_missing_text(text)
        )
        assert sum(bool(record.texts) for record in records) == known.total()
    place = data.draw(st.integers(0, len(content) - 1))
    broken = content[:place] + data.draw(st.binary(min_size=1, max_size=4)) + content[place + 4 :]
    for changed in (broken, content[:place]):
        check(changed, "rows.parquet", text="text", label="label")


@given(st.lists(VALUES, max_size=4), st.lists(VALUES, max_size=4), VALUES)
def test_any_labels(human: list[Any], synthetic: list[Any], value: Any) -> None:
    key = label_key(value)
    try:
        authors = Authors(human, synthetic)
    except ValueError as error:
        assert "labels" in str(error)
        return
    if key is not None and key in {label_key(label) for label in human}:
        assert authors.author(key) == "human"
    assert label_key(key) == key
