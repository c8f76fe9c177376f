"""Files to shards to records: every format, every mapping, and what happens to what is broken."""

import csv
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from scoring.corpora import passing
from scoring.corpora.corpus import Corpus, CorpusSettings, read_records, read_rows, records_of
from scoring.corpora.records import Record
from scoring.errors import CorpusError

ROWS: list[dict[str, Any]] = [
    {"who": str(number % 2), "body": f'text "{number}",\nof two lines, é', "key": f"k{number}"} for number in range(23)
]
LABELLED = {"text": "body", "label": "who"}


def write(path: Path, rows: list[dict[str, Any]], row_group_size: int = 5) -> Path:
    match path.suffix:
        case ".jsonl":
            path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        case ".csv":
            with path.open("w", newline="") as stream:
                writer = csv.DictWriter(stream, list(rows[0]))
                writer.writeheader()
                writer.writerows(rows)
        case ".parquet":
            pq.write_table(pa.Table.from_pylist(rows), path, row_group_size=row_group_size)
    return path


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("corpora")
    return {suffix: write(folder / f"docs{suffix}", ROWS) for suffix in (".jsonl", ".csv", ".parquet")}


@pytest.mark.parametrize("suffix", [".jsonl", ".csv", ".parquet"])
@settings(max_examples=20)
@given(size=st.integers(1, 30), reverse=st.booleans())
def test_any_shards_in_any_order_are_the_same_records(
    files: dict[str, Path], suffix: str, size: int, reverse: bool
) -> None:
    corpus = Corpus.open(CorpusSettings(path=str(files[suffix]), **LABELLED))
    assert corpus.rows == len(ROWS)
    shards = list(corpus.shards(size))
    assert sum(shard.row_count for shard in shards) == len(ROWS)
    assert all(shard.row_count <= size for shard in shards)
    order = shards[::-1] if reverse else shards
    records = {record.record_id: record for shard in order for record in read_records(corpus.settings, shard)}
    for index, row in enumerate(ROWS):
        record = records.pop(f"docs{suffix}:{index}")
        assert record.texts[0].text == row["body"]
        assert record.texts[0].author == ("human" if row["who"] == "0" else "synthetic")
        assert record.dataset == "docs"
    assert not records


def test_rows_can_be_read_here_and_made_records_there(files: dict[str, Path]) -> None:
    corpus = Corpus.open(CorpusSettings(path=str(files[".jsonl"]), id="key", **LABELLED))
    shard = list(corpus.shards(10))[1]
    shipped = list(read_rows(shard))
    assert [row.index for row in shipped] == list(range(10, 20))
    records = list(records_of(corpus.settings, shipped))
    assert records == list(read_records(corpus.settings, shard))
    assert records[0].record_id == "k10"


def test_blank_lines_are_no_rows(tmp_path: Path) -> None:
    path = tmp_path / "gaps.jsonl"
    path.write_text('\n{"body": "a", "who": "0"}\n\n  \n{"body": "b", "who": "1"}\n\n')
    corpus = Corpus.open(CorpusSettings(path=str(path), **LABELLED))
    assert [shard.row_count for shard in corpus.shards(1)] == [1, 1]
    assert [record.texts[0].text for record in corpus.records()] == ["a", "b"]


def test_bad_rows_become_records_with_a_reason(tmp_path: Path) -> None:
    lines = [
        b'{"body": "good", "who": "human"}',
        b'{"body": "cut sho',
        b'["body"]',
        b'{"body": "\xff\xfe", "who": "0"}',
        b'{"body": "no label"}',
        b'{"body": null, "who": "0"}',
        b'{"body": 7, "who": "0"}',
        b'{"body": "\\ud800", "who": "0"}',
        b'{"body": "x", "who": "martian"}',
        b'{"body": "fine", "who": "AI"}',
    ]
    path = tmp_path / "mixed.jsonl"
    path.write_bytes(b"\n".join(lines))
    records = list(Corpus.open(CorpusSettings(path=str(path), **LABELLED)).records())
    reasons = [record.null_reason for record in records]
    bad_row, not_text = "bad_row", "not_text"
    assert reasons == [
        None, bad_row, bad_row, bad_row, "missing_column", not_text, not_text, "not_unicode", "unknown_label", None
    ]  # fmt: skip
    assert [record.record_id for record in records] == [f"mixed.jsonl:{index}" for index in range(10)]
    assert records[9].texts[0].author == "synthetic"


def paper_folder(tmp_path: Path) -> Path:
    for dataset, human in (("cc_news", "text"), ("cnn", "article"), ("pubmed", "article")):
        for generator, column in (
            ("falcon7", "-fs-cml-models-Falcon-falcon-7b_generated_text_wo_prompt"),
            ("llama2_13", "meta-llama-Llama-2-13b-hf_generated_text_wo_prompt"),
        ):
            folder = tmp_path / dataset
            folder.mkdir(exist_ok=True)
            rows = [{human: f"{dataset} human {i}", "x": 1, column: f"{generator} {i}"} for i in range(3)]
            write(folder / f"{dataset}-{generator}.jsonl", rows)
    (tmp_path / "README.md").write_text("not data")
    return tmp_path


def test_the_papers_six_files_load_by_their_folder(tmp_path: Path) -> None:
    corpus = Corpus.open(CorpusSettings(path=str(paper_folder(tmp_path))))
    assert (len(corpus.files), corpus.rows) == (6, 18)
    records = list(corpus.records())
    assert len({record.record_id for record in records}) == 18
    assert records[0].record_id == "cc_news/cc_news-falcon7.jsonl:0"
    assert records[0].texts[0].text == "cc_news human 0"
    assert [text.author for text in records[0].texts] == ["human", "synthetic"]
    origins = {(record.dataset, record.texts[1].generator) for record in records}
    assert origins == {(d, g) for d in ("cc_news", "cnn", "pubmed") for g in ("falcon-7b", "llama2-13b")}


def test_globs_name_files_the_same_on_every_machine(tmp_path: Path) -> None:
    names = []
    for machine in ("one", "two"):
        folder = tmp_path / machine
        folder.mkdir()
        pattern = str(paper_folder(folder) / "*" / "*falcon7.jsonl")
        names.append([record.record_id for record in Corpus.open(CorpusSettings(path=pattern)).records()])
    assert names[0] == names[1]
    assert len(names[0]) == 9


def test_the_generator_comes_from_the_column_where_the_file_does_not_say(tmp_path: Path) -> None:
    rows = [{"text": "a", "some-model_generated_text_wo_prompt": "b"}]
    corpus = Corpus.open(CorpusSettings(path=str(write(tmp_path / "mine.jsonl", rows))))
    (record,) = corpus.records()
    assert record == Record("mine.jsonl:0", "mine", record.texts)
    assert record.texts[1].generator == "some-model"


def test_a_dataset_through_datasets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "data"
    folder.mkdir()
    write(folder / "train.jsonl", ROWS)
    corpus = Corpus.open(CorpusSettings(path=f"hf://{folder}:train", id="key", **LABELLED))
    assert corpus.rows == len(ROWS)
    records = [record for shard in corpus.shards(10) for record in read_records(corpus.settings, shard)]
    assert [record.record_id for record in records] == [row["key"] for row in ROWS]
    part = Corpus.open(CorpusSettings(path=f"hf://{folder}:train[:7]", **LABELLED))
    assert (part.rows, part.files[0].name) == (7, f"{folder}:train[:7]")
    assert [rows for rows, _ in part.continued(part.history).history[part.files[0].name]] == [7]
    with pytest.raises(CorpusError, match=r"cannot be loaded.*check the name"):
        Corpus.open(CorpusSettings(path=f"hf://{tmp_path / 'absent'}", **LABELLED))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("absent.jsonl", None, r"no file there that ends in \.jsonl, \.ndjson, \.csv"),
        ("notes.txt", b"text", "cannot read .txt; can read .jsonl"),
        ("empty.jsonl", b"", "has no rows"),
        ("binary.jsonl", b"\x00\x01\n\x02", "no row could be decoded"),
        ("other.jsonl", b'{"title": "a", "tag": 1}\n', "columns seen: 'title', 'tag'; asked for: text = 'body'"),
        ("fake.parquet", b"PAR1 not", "cannot be read"),
    ],
)
def test_a_bad_file_is_one_error_before_the_start(
    tmp_path: Path, name: str, content: bytes | None, message: str
) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(CorpusError, match=message):
        Corpus.open(CorpusSettings(path=str(path), **LABELLED))


def test_a_file_that_shrank_is_noticed(tmp_path: Path) -> None:
    path = write(tmp_path / "docs.jsonl", ROWS)
    shard = next(Corpus.open(CorpusSettings(path=str(path), **LABELLED)).shards(100))
    write(path, ROWS[:5])
    with pytest.raises(CorpusError, match=r"5 rows .* where 23 were counted"):
        list(read_rows(shard))


@pytest.mark.parametrize(
    "wrong",
    [{"human": "a"}, {"label": "a"}, {"synthetic": "*"}, {"human": "a", "synthetic": "b", "text": "c"}],
)
def test_a_half_mapping_is_refused(wrong: dict[str, str]) -> None:
    with pytest.raises(ValidationError, match="paired"):
        CorpusSettings.model_validate({"path": "x.jsonl", **wrong})


def test_a_path_alone_is_a_corpus() -> None:
    assert CorpusSettings.model_validate("builtin://docs").columns.human == "human"
    with pytest.raises(CorpusError, match=r"s3://bucket.*not known"):
        Corpus.open(CorpusSettings(path="s3://bucket"))


def test_settings_need_no_torch() -> None:
    code = "import sys, scoring.fragments, scoring.corpora.corpus, scoring.results; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_long_look_at_a_corpus_says_how_far_it_is(files: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passing, "PROGRESS_ROWS", 10)
    told: list[str] = []
    Corpus.open(CorpusSettings(path=str(files[".jsonl"]), **LABELLED), progress=told.append)
    assert told == ["docs.jsonl: 10 rows looked at", "docs.jsonl: 20 rows looked at"]
