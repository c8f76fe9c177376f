"""Texts of files, folders and records; and what cannot be read, with the reason."""

import gzip
import json
from pathlib import Path

import pandas as pd
import pytest

from scoring.corpora.raw_rows import Dialect
from scoring.detection.inputs import Entry, TextColumns, count_texts, entries_of, find_files

PLAIN = TextColumns()


def entries(path: Path, columns: TextColumns = PLAIN) -> list[Entry]:
    return list(entries_of(str(path), columns))


def texts(path: Path, columns: TextColumns = PLAIN) -> list[tuple[str | None, str | None]]:
    return [(entry.record, entry.text) for entry in entries(path, columns)]


def write(path: Path, content: str, encoding: str = "utf-8") -> Path:
    path.write_bytes(content.encode(encoding))
    return path


def test_a_text_file_is_one_text_whatever_its_suffix_and_packed_or_not(tmp_path: Path) -> None:
    for name in ("a.txt", "a", "a.py", "a.html"):
        assert texts(write(tmp_path / name, "\ufeffOne\r\ntwo\n\n")) == [(None, "One\ntwo")]
    (tmp_path / "a.txt.gz").write_bytes(gzip.compress(b"packed"))
    assert texts(tmp_path / "a.txt.gz") == [(None, "packed")]


ROWS = [{"id": "x", "text": "one"}, {"id": 7, "text": "two"}, {"text": "three"}]


@pytest.mark.parametrize("name", ["a.jsonl", "a.json", "a.csv", "a.tsv", "a.parquet", "a.ndjson.gz"])
def test_records_of_every_format_are_texts_with_their_ids(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    lines = "".join(json.dumps(row) + "\n" for row in ROWS)
    match path.suffixes:
        case [".parquet"]:
            pd.DataFrame([row | {"id": str(row.get("id", "")) or None} for row in ROWS]).to_parquet(path)
        case [".csv"]:
            write(path, "id,text\nx,one\n7,two\n,three\n")
        case [".tsv"]:
            write(path, "id\ttext\nx\tone\n7\ttwo\n\tthree\n")
        case [".json"]:
            write(path, json.dumps(ROWS))
        case [".ndjson", ".gz"]:
            path.write_bytes(gzip.compress(lines.encode()))
        case _:
            write(path, lines)
    assert texts(path) == [("x", "one"), ("7", "two"), (f"{path}:2", "three")]
    assert [entry.row for entry in entries(path)] == [0, 1, 2]
    assert count_texts(str(path), PLAIN) == 3


def test_other_columns_can_be_named(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "key;essay\nk1;one\n")
    columns = TextColumns("essay", "key", Dialect(None, ";"))
    assert texts(path, columns) == [("k1", "one")]


def test_a_list_of_texts_is_a_text_each(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", '{"id": "x", "text": ["one", "two"]}\n')
    assert texts(path) == [("x[0]", "one"), ("x[1]", "two")]


def test_a_bad_record_costs_the_others_nothing(tmp_path: Path) -> None:
    lines = ['{"text": "one"}', "broken", '{"text": null}', '{"other": "x"}', '{"text": "last"}']
    path = write(tmp_path / "a.jsonl", "\n".join(lines))
    found = entries(path)
    assert [entry.text for entry in found] == ["one", None, None, None, "last"]
    assert [entry.null_reason for entry in found] == [None, "bad_row", "not_text", "missing_column", None]
    assert str(found[1].error).startswith("line 2: no JSON")
    assert str(found[3].error) == "column 'text': a column of the mapping is absent"


def test_rows_before_an_open_quote_are_read_and_the_file_says_where_it_breaks_off(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", 'id,text\n1,one\n2,"two\n3,three\n')
    one, broken = entries(path)
    assert one.text == "one"
    assert (broken.record, broken.null_reason) == (None, "unreadable")
    assert "line 3: a quote opens and is not closed" in str(broken.error)


MISTAKES = {
    "absent.txt": (None, "No such file or directory; name readable files or folders, or - for stdin"),
    "absent.jsonl": (None, "No such file or directory; name readable files or folders, or - for stdin"),
    "latin.txt": ("café".encode("latin-1"), "not UTF-8 text at byte 3; convert it, or say --encoding"),
    "wide.txt": ("text".encode("utf-16-le"), "say --encoding utf-16"),
    "wide.jsonl": ('{"text": "text"}'.encode("utf-16"), "is UTF-16, not UTF-8; say --encoding 'utf-16'"),
    "columns.csv": (b"id,Txt\n1,a\n", "no column 'text' (did you mean 'Txt'?); columns seen: 'id', 'Txt'; name"),
    "columns.jsonl": (b'{"body": "a"}\n', "no column 'text'; columns seen: 'body'; name the column with --text"),
    "marks.csv": (b"id;text\n1;a\n", "if ';' separates the columns, say --delimiter ';'"),
    "empty.jsonl": (b"", "has no rows"),
    "header.csv": (b"id,text\n", "has no rows"),
    "broken.parquet": (b"PAR1 nothing", "cannot be read: "),
    "broken.jsonl.gz": (b"no gzip", "cannot be read: "),
    "broken.json": (b"[{", "cannot be read: "),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_file_that_cannot_be_read_is_an_entry_with_what_to_do(name: str, tmp_path: Path) -> None:
    content, expected = MISTAKES[name]
    if content is not None:
        (tmp_path / name).write_bytes(content)
    (entry,) = entries(tmp_path / name)
    assert (entry.text, entry.null_reason) == (None, "unreadable")
    assert expected in str(entry.error)
    assert "corpus settings" not in str(entry.error)
    assert str(tmp_path) not in str(entry.error), "the name stands before the reason already"


def test_an_encoding_that_is_named_reads_text_and_records(tmp_path: Path) -> None:
    columns = TextColumns(dialect=Dialect("latin-1"))
    assert texts(write(tmp_path / "a.txt", "café", "latin-1"), columns) == [(None, "café")]
    assert texts(write(tmp_path / "a.csv", "text\ncafé\n", "latin-1"), columns)[0][1] == "café"
    escapes = TextColumns(dialect=Dialect("unicode_escape"))
    (entry,) = entries(write(tmp_path / "b.txt", "half: \\ud83d"), escapes)
    assert "half a surrogate pair" in str(entry.error)


def test_an_id_column_that_was_named_must_be_there(tmp_path: Path) -> None:
    (entry,) = entries(write(tmp_path / "a.csv", "id,text\n1,a\n"), TextColumns(id="key"))
    assert "no column 'key'; columns seen: 'id', 'text'; name the column with --id" in str(entry.error)


def test_a_folder_is_read_below_and_says_what_was_passed_over(tmp_path: Path) -> None:
    for name in ("b.md", "a.txt", "sub/c.TXT", "sub/d.jsonl", "e.pdf", "f.pdf", "g", ".hidden.txt", ".git/h.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x")
    (tmp_path / "sub" / "again").symlink_to(tmp_path, target_is_directory=True)
    found = find_files([str(tmp_path), "named.pdf"])
    assert [Path(file).name for file in found.files] == ["a.txt", "b.md", "c.TXT", "d.jsonl", "named.pdf"]
    (note,) = found.notes
    assert note.startswith(
        f"{tmp_path}: 4 files to read; 5 entries passed over (hidden 2, .pdf 2, without suffix 1). Read are .txt, "
    )


def test_a_folder_with_nothing_to_read_says_so(tmp_path: Path) -> None:
    (tmp_path / "a.pdf").write_text("x")
    found = find_files([str(tmp_path)])
    assert found.files == ()
    assert "0 files to read; 1 entry passed over (.pdf 1)" in found.notes[0]


def test_a_folder_whose_files_are_all_read_needs_no_words(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("x")
    assert find_files([str(tmp_path)]).notes == ()


def test_a_file_is_read_when_its_turn_comes(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", '{"text": "x"}\n' * 1000)
    reading = entries_of(str(path), PLAIN)
    next(reading)
    write(path, "")
    reading.close()
