"""Every file of a corpus is read, or named in a warning."""

import gzip
import json
import os
from pathlib import Path, PurePath
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from scoring.corpora.corpus import Corpus, CorpusSettings, read_rows
from scoring.corpora.found_files import find_files
from scoring.corpora.settings import origin_of
from scoring.errors import CorpusError

ROWS: list[dict[str, Any]] = [{"human": f"person {number}, é", "ai": f'model "{number}"\nhere'} for number in range(5)]
PAIRED: dict[str, Any] = {"human": "human", "synthetic": "ai"}
JSONL = "".join(json.dumps(row) + "\n" for row in ROWS).encode()


def opened(path: Path, **columns: Any) -> Corpus:
    return Corpus.open(CorpusSettings(path=str(path), **PAIRED | columns))


def names(corpus: Corpus) -> list[str]:
    return [file.name for file in corpus.files]


def delimited(mark: str) -> bytes:
    quoted = (mark.join('"' + row[key].replace('"', '""') + '"' for key in ("human", "ai")) for row in ROWS)
    return "\r\n".join([f"human{mark}ai", *quoted]).encode()


def parquet() -> bytes:
    sink = pa.BufferOutputStream()
    table = pa.table({"human": [row["human"] for row in ROWS], "ai": [row["ai"] for row in ROWS], "more": [[1]] * 5})
    pq.write_table(table.set_column(1, "ai", table["ai"].dictionary_encode()), sink, row_group_size=2)
    return sink.getvalue().to_pybytes()


FORMATS = {
    "a.jsonl": JSONL,
    "a.ndjson": b"\xef\xbb\xbf\n" + JSONL,
    "a.csv": delimited(","),
    "a.tsv": b"\xef\xbb\xbf" + delimited("\t"),
    "a.json": json.dumps(ROWS, indent=1).encode(),
    "columns.json": json.dumps({key: [row[key] for row in ROWS] for key in ("human", "ai")}, indent=1).encode(),
    "lines.json": JSONL,
    "a.parquet": parquet(),
}


def zstd(content: bytes) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(content)
    return sink.getvalue().to_pybytes()


@pytest.mark.parametrize("compression", ["", ".gz", ".zst", ".GZ"])
@pytest.mark.parametrize("name", FORMATS)
def test_every_format_gives_the_same_records_from_any_row_on(tmp_path: Path, name: str, compression: str) -> None:
    pack = {"": bytes, ".gz": gzip.compress, ".zst": zstd}[compression.lower()]
    path = tmp_path / (name.upper() + compression if compression == ".GZ" else name + compression)
    path.write_bytes(pack(FORMATS[name]))
    corpus = opened(path)
    assert corpus.survey.warnings == ()
    rows = [row for shard in corpus.shards(2) for row in read_rows(shard)]
    assert [(row.values or {})["human"] for row in rows] == [row["human"] for row in ROWS]
    assert [record.texts[1].text for record in corpus.records()] == [row["ai"] for row in ROWS]


@pytest.mark.parametrize("name", ["a.jsonl.gz", "a.parquet", "a.jsonl.zst", "a.csv.gz", "a.parquet.gz", "a.json"])
def test_a_file_that_breaks_off_is_one_error_with_its_name(tmp_path: Path, name: str) -> None:
    base, _, compression = name.removeprefix("a.").partition(".")
    pack = {"": bytes, "gz": gzip.compress, "zst": zstd}[compression]
    content = pack(FORMATS[f"a.{base}"])
    (tmp_path / name).write_bytes(content[: len(content) * 2 // 3])
    with pytest.raises(CorpusError, match=rf"{name}: cannot be read"):
        opened(tmp_path)
    (tmp_path / name).write_bytes(b"neither of these formats")
    with pytest.raises(CorpusError, match=rf"{name}: "):
        opened(tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"human": ["a"], "ai": []}', "equally long, not human 1, ai 0"),
        ('{"data": [1],\n "version": 2}', "no lists are version"),
        ("3", "a list of objects"),
        ('[{"human": "a", "ai": "b"} {"human": "c"}]', "comma is missing"),
        ('[{"human": "a", "ai": "b"}] []', "goes on after the list"),
    ],
)
def test_a_json_file_of_another_shape_says_what_is_needed(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "a.json").write_text(content)
    with pytest.raises(CorpusError, match=message):
        opened(tmp_path)


def test_a_folder_is_read_whole_and_what_is_not_read_is_named(tmp_path: Path) -> None:
    for name in ("a.jsonl", "c.JSONL", "d.ndjson", "deep/er/e.jsonl"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(JSONL)
    (tmp_path / "b.jsonl.gz").write_bytes(gzip.compress(JSONL))
    (tmp_path / "notes.md").write_text("no data")
    (tmp_path / ".hidden.jsonl").write_bytes(JSONL)
    (tmp_path / ".cache").mkdir()
    (tmp_path / "folder.jsonl").mkdir()
    (tmp_path / "nothing.csv").write_text("")
    (tmp_path / "gone.jsonl").symlink_to(tmp_path / "nowhere")
    corpus = opened(tmp_path)
    assert names(corpus) == ["a.jsonl", "b.jsonl.gz", "c.JSONL", "d.ndjson", "deep/er/e.jsonl", "nothing.csv"]
    left_out, copies, empty = corpus.survey.warnings
    assert copies.startswith("4 files with the same rows as another")
    assert left_out.startswith("5 entries left out: ")
    for name in ("notes.md", ".hidden.jsonl", ".cache", "folder.jsonl", "gone.jsonl", "cannot read .md", "hidden"):
        assert name in left_out
    assert empty == "nothing.csv: is empty, no rows"
    assert "6 files with 25 rows" in corpus.survey.lines[0]


def test_one_file_under_two_names_is_read_once_and_said(tmp_path: Path) -> None:
    (tmp_path / "b.jsonl").write_bytes(JSONL)
    (tmp_path / "a.jsonl").symlink_to(tmp_path / "b.jsonl")
    os.link(tmp_path / "b.jsonl", tmp_path / "c.jsonl")
    (tmp_path / "loop").symlink_to(tmp_path)
    corpus = opened(tmp_path)
    assert names(corpus) == ["b.jsonl"]
    assert corpus.survey.warnings == (
        "2 files left out, the same file under another name: c.jsonl is b.jsonl, a.jsonl is b.jsonl",
    )


def test_a_copy_is_said_whatever_it_is_packed_in(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(JSONL)
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(JSONL))
    assert opened(tmp_path).survey.warnings == (
        "1 file with the same rows as another, each is scored: a.jsonl.gz as a.jsonl",
    )


def test_warnings_about_many_files_are_cut_with_their_count(tmp_path: Path) -> None:
    for number in range(30):
        (tmp_path / f"{number}.jsonl").write_bytes(JSONL.replace(b"person", b"%d" % number) + b"{\n")
    warnings = opened(tmp_path).survey.warnings
    assert len(warnings) == 9
    assert warnings[-1] == "22 more warnings of this kind about other files"


def test_finding_files_looks_at_each_a_few_times(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(60):
        (tmp_path / f"{number}.jsonl").write_bytes(JSONL)
    hashed = []
    monkeypatch.setattr(PurePath, "__hash__", lambda path: hashed.append(path) or hash(str(path)))
    assert len(find_files(tmp_path).files) == 60
    assert len(hashed) < 10 * 60, "and not with every other one"


def test_brackets_are_names_where_such_a_path_exists(tmp_path: Path) -> None:
    folder = tmp_path / "corpus [v2]"
    folder.mkdir()
    (folder / "a[1].jsonl").write_bytes(JSONL)
    (folder / "a1.jsonl").write_bytes(JSONL.replace(b"person", b"someone"))
    (tmp_path / "corpus v").mkdir()
    assert names(opened(folder)) == ["a1.jsonl", "a[1].jsonl"]
    assert names(opened(folder / "a[1].jsonl")) == ["a[1].jsonl"]
    assert names(opened(folder / "a*.jsonl")) == ["a1.jsonl", "a[1].jsonl"]
    assert names(opened(folder / "a[12].jsonl")) == ["a1.jsonl"]
    assert names(opened(tmp_path / "corpus*" / "a1.*")) == ["corpus [v2]/a1.jsonl"]


def test_a_glob_names_what_it_matched_and_does_not_read(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(JSONL)
    (tmp_path / "b.txt").write_text("x")
    (tmp_path / "sub").mkdir()
    corpus = opened(tmp_path / "*")
    assert names(corpus) == ["a.jsonl"]
    assert "2 entries left out: b.txt, sub" in corpus.survey.warnings[0]
    assert opened(tmp_path / "**" / "*.jsonl").survey.warnings == ()


def test_what_is_not_there_names_what_is(tmp_path: Path) -> None:
    (tmp_path / "Texts.jsonl").write_bytes(JSONL)
    with pytest.raises(CorpusError, match=r"did you mean 'Texts\.jsonl'"):
        opened(tmp_path / "texts.jsonl")
    with pytest.raises(CorpusError, match="cannot be read: "):
        opened(tmp_path / ("n" * 300))
    with pytest.raises(CorpusError, match="nobody-of-this-name"):
        opened(Path("~nobody-of-this-name/x.jsonl"))


def test_a_name_that_is_no_text_is_written_with_escapes(tmp_path: Path) -> None:
    path = os.fsencode(tmp_path) + b"/Zo\xeb.jsonl"
    with open(path, "wb") as stream:  # noqa: PTH123 - the name is bytes
        stream.write(JSONL)
    corpus = opened(tmp_path)
    (record, *_) = corpus.records()
    assert (record.record_id, record.dataset) == ("Zo\\udceb.jsonl:0", "Zo\\udceb")
    assert corpus.survey.lines[0].endswith("Zo\\udceb.jsonl 5")


@pytest.mark.parametrize(
    ("name", "dataset", "generator"),
    [
        ("pubmed-falcon7.jsonl", "pubmed", "falcon-7b"),
        ("core/cc_news/cc_news-llama2_13.jsonl", "cc_news", "llama2-13b"),
        ("cnn-falcon7.jsonl.gz", "cnn", "falcon-7b"),
        ("cnn-falcon7.jsonl.GZ", "cnn", "falcon-7b"),
        ("cnn-falcon7.JSONL.Zst", "cnn", "falcon-7b"),
        ("cnn-falcon7.csv", "cnn-falcon7", None),
        ("my_cnn_blog.jsonl", "my_cnn_blog", None),
        ("not_falcon7.jsonl", "not_falcon7", None),
        ("pubmed-falcon7_head.jsonl", "pubmed-falcon7_head", None),
        ("CNN-falcon7.jsonl", "CNN-falcon7", None),
        ("cnn/test.jsonl", "cnn/test", None),
        ("pubmed/test.JSONL.GZ", "pubmed/test", None),
        ("v1.2/a.b.csv", "v1.2/a.b", None),
        ("docs", "docs", None),
        ("org/texts:train", "org/texts:train", None),
    ],
)
def test_only_the_papers_own_names_say_dataset_and_generator(name: str, dataset: str, generator: str | None) -> None:
    assert origin_of(name) == (origin_of(name).__class__(dataset, generator))
