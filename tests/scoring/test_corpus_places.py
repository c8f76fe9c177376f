"""A process keeps its place in a file that cannot be opened at a row, and the rows are the same in any order."""

import gzip
import io
import json
import random
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from scoring.corpora import json_elements, json_files, kept_places, packed_bytes, parquet_rows, passed_rows
from scoring.corpora.corpus import Corpus, CorpusSettings, Shard, read_rows
from scoring.corpora.kept_places import KeptPlaces
from scoring.errors import CorpusChanged

ROWS = 600
TEXTS = [f"a text{'é' * (number % 5)} number {number}" for number in range(ROWS)]
LISTED = [{"text": text, "number": number} for number, text in enumerate(TEXTS)]


def csv_of(texts: list[str]) -> bytes:
    return "".join(["text\r\n", *(f'"{text},\n second line"\r\n' for text in texts)]).encode()


def lines_of(rows: list[dict[str, Any]]) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def zst(content: bytes) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(content)
    return bytes(sink.getvalue().to_pybytes())


def parquet(rows: int = ROWS) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.table({"text": TEXTS}), sink, row_group_size=rows)
    return sink.getvalue()


FILES: dict[str, tuple[str, Callable[[], bytes], str | None]] = {
    "packed lines": ("a.JSONL.gz", lambda: gzip.compress(lines_of(LISTED).encode()), None),
    "packed with zstd": ("a.ndjson.zst", lambda: zst(lines_of(LISTED).encode()), None),
    "packed csv": ("a.csv.GZ", lambda: gzip.compress(b"\xef\xbb\xbf" + csv_of(TEXTS)), None),
    "packed tsv": ("a.tsv.gz", lambda: gzip.compress(csv_of(TEXTS)), None),
    "csv in UTF-16": ("a.csv", lambda: csv_of(TEXTS).decode().encode("utf-16"), "utf-16"),
    "lines in Big5": ("a.jsonl", lambda: lines_of(LISTED).replace("é", "中").encode("big5"), "big5"),
    "list": ("a.json", lambda: b"\xef\xbb\xbf" + json.dumps(LISTED, ensure_ascii=False, indent=1).encode(), None),
    "list in Latin-1": ("a.json", lambda: json.dumps(LISTED, ensure_ascii=False).encode("latin-1"), "latin-1"),
    "list in UTF-16": ("a.json", lambda: json.dumps(LISTED, ensure_ascii=False).encode("utf-16"), "utf-16"),
    "packed list": ("a.json.gz", lambda: gzip.compress(json.dumps(LISTED).encode()), None),
    "columns": ("a.json", lambda: json.dumps({"text": TEXTS}).encode(), None),
    "packed columns": ("a.json.zst", lambda: zst(json.dumps({"text": TEXTS}).encode()), None),
    "parquet": ("a.PARQUET", parquet, None),
    "parquet of groups": ("a.parquet", lambda: parquet(70), None),
    "packed parquet": ("a.parquet.gz", lambda: gzip.compress(parquet()), None),
}


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(packed_bytes, "BLOCK_BYTES", 1024)
    monkeypatch.setattr(parquet_rows, "DECODED_ROWS", 16)
    yield
    for places in (packed_bytes.UNPACKED, passed_rows.PASSED, parquet_rows.KEPT):
        places.clear()


def opened(folder: Path, kind: str) -> Corpus:
    name, content, encoding = FILES[kind]
    (folder / name).write_bytes(content())
    return Corpus.open(CorpusSettings(path=str(folder / name), text="text", encoding=encoding))


def values(shard: Shard) -> list[Any]:
    return [(row.index, dict(row.values or {})) for row in read_rows(shard)]


@pytest.mark.parametrize("kept_bytes", [2**26, 1000])
@pytest.mark.parametrize("kind", FILES)
def test_rows_are_the_same_in_any_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, kept_bytes: int
) -> None:
    monkeypatch.setattr(parquet_rows, "KEPT_BYTES", kept_bytes)
    corpus = opened(tmp_path, kind)
    shards = list(corpus.shards(7))
    in_order = [values(shard) for shard in shards]
    assert [index for rows in in_order for index, _ in rows] == list(range(ROWS))
    assert "number 599" in in_order[-1][-1][1]["text"]
    order = list(range(len(shards)))
    random.Random(0).shuffle(order)
    assert all(values(shards[place]) == in_order[place] for place in order)


@pytest.mark.parametrize("kind", ["packed lines", "packed with zstd", "packed csv", "packed list"])
def test_shards_in_order_unpack_a_file_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    shards = list(opened(tmp_path, kind).shards(7))
    monkeypatch.setattr(packed_bytes, "BLOCK_BYTES", 2**14)  # more than is read ahead
    monkeypatch.setattr(json_elements, "CHUNK_CHARACTERS", 2**10)
    restarts: list[object] = []
    monkeypatch.setattr(packed_bytes.UnpackedBytes, "_start_again", lambda self: restarts.append(self))
    made: list[object] = []
    make = packed_bytes.UnpackedBytes.__init__
    monkeypatch.setattr(
        packed_bytes.UnpackedBytes, "__init__", lambda self, opens: (made.append(1), make(self, opens))[1]
    )
    for shard in shards:
        list(read_rows(shard))
    assert (len(restarts), len(made)) == (0, 1)


@pytest.mark.parametrize("kind", ["csv in UTF-16", "lines in Big5", "list in UTF-16"])
def test_shards_in_order_pass_a_row_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    shards = list(opened(tmp_path, kind).shards(7))
    made: list[object] = []
    make = passed_rows._PassedRows.__init__
    monkeypatch.setattr(passed_rows._PassedRows, "__init__", lambda self, rows: (made.append(1), make(self, rows))[1])
    for shard in [*shards, shards[3], shards[5]]:
        list(read_rows(shard))
    assert len(made) == 2, "once for all, and once to go back"


def test_a_row_group_is_decoded_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shards = list(opened(tmp_path, "parquet").shards(7))
    parquet_rows.KEPT.clear()
    decoded: list[int] = []
    decode = parquet_rows.ParquetRows._decode_next
    monkeypatch.setattr(
        parquet_rows.ParquetRows, "_decode_next", lambda self, group: (decoded.append(1), decode(self, group))[1]
    )
    for shard in [*shards, *reversed(shards)]:
        list(read_rows(shard))
    assert len(decoded) == -(-ROWS // 16)


@pytest.mark.parametrize("form", ["list", "columns"])
def test_the_form_of_a_json_file_is_found_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str) -> None:
    shards = list(opened(tmp_path, form).shards(7))
    read: list[str] = []
    opens, columns = json_files.refuse_utf16, json_files._read_columns
    monkeypatch.setattr(json_files, "refuse_utf16", lambda file: (read.append("form"), opens(file))[1])
    monkeypatch.setattr(json_files, "_read_columns", lambda *given: (read.append("columns"), columns(*given))[1])
    for shard in shards:
        list(read_rows(shard))
    assert read == {"list": [], "columns": ["columns", "columns"]}[form], "the first shard keeps nothing"


@pytest.mark.parametrize("kind", FILES)
def test_a_file_that_changed_has_no_place(tmp_path: Path, kind: str) -> None:
    shards = list(opened(tmp_path, kind).shards(7))
    list(read_rows(shards[0]))
    list(read_rows(shards[1]))
    name = FILES[kind][0]
    path = tmp_path / name
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(CorpusChanged):
        list(read_rows(shards[-1]))
    path.unlink()
    with pytest.raises(FileNotFoundError):
        list(read_rows(shards[2]))


@pytest.mark.parametrize("kind", ["packed lines", "csv in UTF-16", "parquet"])
def test_threads_share_no_place(tmp_path: Path, kind: str) -> None:
    shards = list(opened(tmp_path, kind).shards(7))
    whole = [values(shard) for shard in shards]
    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(values, shards)) == whole


class Closed:
    def __init__(self, name: str, closed: list[str]) -> None:
        self._name, self._closed = name, closed

    def close(self) -> None:
        self._closed.append(self._name)


def test_the_place_that_was_used_first_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_places, "MOST_PLACES", 2)
    closed: list[str] = []
    places: KeptPlaces[Closed] = KeptPlaces()
    for name in "abc":
        places.put(name, Closed(name, closed))
    assert closed == ["a"]
    assert places.take("a") is None
    kept = places.take("b")
    assert kept is not None
    assert places.take("b") is None, "it is in use"
    places.put("b", Closed("other b", closed))
    places.put("b", kept)
    assert closed == ["a", "other b"]
    places.clear()
    assert closed == ["a", "other b", "c", "b"]
