"""A shard is read from where it starts: what lies before it is not passed, where a file allows that."""

import gzip
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring.corpora import arrow_files, delimited_records, json_lines, survey
from scoring.corpora.corpus import Corpus, CorpusSettings, read_rows
from scoring.corpora.raw_rows import Dialect, Start
from scoring.corpora.readers import reader_of

ROWS = 1000
TEXTS = [f"é text {number}" + "\nof two lines" * (number % 3 == 0) for number in range(ROWS)]


def csv_of(texts: list[str]) -> bytes:
    return "".join(["text,number\r\n", *(f'"{text}",{number}\r\n' for number, text in enumerate(texts))]).encode()


def counted(taken: list[int], lines: Callable[..., Iterator[Any]]) -> Callable[..., Iterator[Any]]:
    def counting(*arguments: Any) -> Iterator[Any]:
        for line in lines(*arguments):
            taken[-1] += 1
            yield line

    return counting


@pytest.mark.parametrize("form", ["jsonl", "csv", "csv with a mark", "parquet", "latin-1 jsonl", "latin-1 csv"])
def test_a_shard_takes_its_own_rows_from_the_file_and_hardly_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    path = tmp_path / f"a.{form.removeprefix('latin-1 ').split(' ')[0]}"
    encoding = "latin-1" if form.startswith("latin-1") else None
    match form:
        case "latin-1 jsonl":
            rows = (json.dumps({"text": text}, ensure_ascii=False) for text in TEXTS)
            path.write_bytes("".join(row + "\n" for row in rows).encode("latin-1"))
        case "latin-1 csv":
            path.write_bytes(csv_of(TEXTS).decode().encode("latin-1"))
        case "jsonl":
            path.write_text("".join(json.dumps({"text": text}) + "\n" for text in TEXTS))
        case "csv" | "csv with a mark":
            path.write_bytes(b"\xef\xbb\xbf" * (form != "csv") + csv_of(TEXTS))
        case "parquet":
            pq.write_table(pa.table({"text": TEXTS}), path)
    corpus = Corpus.open(CorpusSettings(path=str(path), text="text", encoding=encoding))
    shards = list(corpus.shards(100))
    taken: list[int] = []
    monkeypatch.setattr(json_lines, "byte_lines", counted(taken, json_lines.byte_lines))
    monkeypatch.setattr(json_lines, "lines", counted(taken, json_lines.lines))
    monkeypatch.setattr(delimited_records, "lines", counted(taken, delimited_records.lines))
    monkeypatch.setattr(arrow_files, "_rows_of_batch", counted(taken, arrow_files._rows_of_batch))
    read = []
    for shard in shards:
        taken.append(0)
        read += [(row.values or {})["text"] for row in read_rows(shard)]
    assert read == TEXTS
    assert max(taken) <= 100 + 34 + 2, "a row may have two lines, and there is a header"


@given(
    st.lists(
        st.text(st.sampled_from('aé"\n\r, \ufeff\U0001f600'), min_size=1).map(lambda text: f"x{text}"), max_size=9
    ),
    st.booleans(),
)
def test_a_csv_is_the_same_from_any_record_on(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str], has_mark: bool
) -> None:
    path = tmp_path_factory.mktemp("csv") / "a.csv"
    doubled = [text.replace('"', '""') for text in texts]
    odd = b'\r\nx,y\r"\xff\xfe\nbroken bytes",1\n\xef\xbb\xbfafter,them\r\none field\na"b,no quote\n'
    path.write_bytes(b"\xef\xbb\xbf" * has_mark + csv_of(doubled) + odd)
    reader = reader_of(str(path), Dialect())
    whole = list(reader.rows(Start()))
    assert len(whole) >= 4
    for row, (byte, content) in enumerate(reader.contents()):
        assert byte is not None
        rest = list(reader.rows(Start(row, byte)))
        assert [(raw.content, raw.values) for raw in rest] == [(raw.content, raw.values) for raw in whole[row:]]
        assert content == whole[row].content


def test_a_file_that_cannot_be_opened_at_any_row_is_said_when_it_is_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(survey, "MANY_ROWS", 5)
    (tmp_path / "packed.csv.gz").write_bytes(gzip.compress(csv_of(TEXTS[:6])))
    (tmp_path / "short.csv.gz").write_bytes(gzip.compress(csv_of(TEXTS[:5])))
    (tmp_path / "list.json").write_text(json.dumps([{"text": text} for text in TEXTS[:6]]))
    (tmp_path / "lines.json").write_text("".join(json.dumps({"text": text}) + "\n" for text in TEXTS[:6]))
    (tmp_path / "plain.csv").write_bytes(csv_of(TEXTS[:7]))
    told = Corpus.open(CorpusSettings(path=str(tmp_path), text="text")).survey
    assert [line for line in told.lines if "read in order" in line] == [
        "read in order, a worker that must go back starts the file again: packed.csv.gz; "
        "unpacked JSONL in UTF-8 is read from any row on"
    ]


@pytest.mark.parametrize(("rows", "is_said"), [(20_000, False), (20_001, True)])
def test_a_file_is_long_beyond_twenty_thousand_rows(tmp_path: Path, rows: int, is_said: bool) -> None:
    path = tmp_path / "packed.csv.gz"
    path.write_bytes(gzip.compress(b"text\n" + b"word\n" * rows))
    lines = Corpus.open(CorpusSettings(path=str(path), text="text")).survey.lines
    assert any("read in order" in line for line in lines) is is_said
