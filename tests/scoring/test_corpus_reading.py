"""Strict readers: a row is what the file says, or a bad row that is named; never another row's text."""

import json
from pathlib import Path
from typing import Any

import pytest

from scoring.corpora.corpus import Corpus, CorpusSettings
from scoring.corpora.records import Record
from scoring.errors import CorpusError

LABELLED = {"text": "text", "label": "label"}


def read(path: Path, content: str | bytes, **columns: Any) -> tuple[Corpus, list[Record]]:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    corpus = Corpus.open(CorpusSettings(path=str(path), **LABELLED | columns))
    return corpus, list(corpus.records())


def reasons(records: list[Record]) -> list[str | None]:
    return [record.null_reason for record in records]


def test_a_row_of_another_length_is_a_bad_row_with_its_line(tmp_path: Path) -> None:
    text = 'text,label\n"two\nlines",human\nCalm, and so were we,human\nShort\nfine,ai\n\nlast,ai\n'
    corpus, records = read(tmp_path / "a.csv", text)
    assert reasons(records) == [None, "bad_row", "bad_row", None, None]
    assert corpus.survey.warnings == (
        "a.csv: 2 rows cannot be read (bad_row): line 4: 3 fields where the header has 2, "
        "line 5: 1 field where the header has 2",
    )


def quoted_rows(count: int, opened_at: int, closed_at: int | None) -> str:
    rows = [f"sentence number {number} of a quiet text,{number % 2}" for number in range(count)]
    rows[opened_at] = '"he said and went on,0'
    if closed_at is not None:
        rows[closed_at] = 'and then it was over",1'
    return "text,label\n" + "\n".join(rows) + "\n"


@pytest.mark.parametrize("closed_at", [None, 12, 40])
def test_an_open_quote_is_found_with_its_line(tmp_path: Path, closed_at: int | None) -> None:
    with pytest.raises(CorpusError, match=r"a\.csv.*line 7.*quote"):
        read(tmp_path / "a.csv", quoted_rows(60, 5, closed_at))


@pytest.mark.parametrize("layout", ["text first", "text last"])
def test_an_open_quote_that_swallows_one_row_is_said(tmp_path: Path, layout: str) -> None:
    swallowed = {
        "text first": 'text,label\nfine,0\n"he said,0\nand she,1\n of 5",1\n',
        "text last": 'label,text\n0,fine\n0,"he said\n1,and she"\n',
    }
    corpus, records = read(tmp_path / "a.csv", swallowed[layout])
    assert len(records) == 2
    assert "a.csv: 1 row may hold other rows: line 3: lines within a field look like rows" in corpus.survey.warnings[0]


def test_an_open_quote_in_the_last_column_is_found(tmp_path: Path) -> None:
    rows = [f"{number % 2},sentence number {number}" for number in range(30)]
    rows[4] = '0,"he said and went on'
    rows[20] = '1,and it was over"'
    with pytest.raises(CorpusError, match="line 6: one row goes on to line 22"):
        read(tmp_path / "a.csv", "label,text\n" + "\n".join(rows) + "\n")


HONEST = [
    "Dear all,\n\nthe sea was calm, and so were we.\nThen, at noon, the wind came.\n\nYours, A.",
    "one, two\nthree, four\nfive, six\nseven, eight\nnine, ten\n",
    "It cost 1,000\nor 2,000\nor 3,500 euros\nor 4,250\nor more",
    'He said: "no, never"\nand "yes, always"\nand "so, so"\nand left, at last',
    "roses\nare\nred\nviolets\nare\nblue\n",
    'code:\nprint("a", 1)\nprint("b", 2)\nfor i in range(3): pass\n',
]


@pytest.mark.parametrize("layout", [("text", "label"), ("label", "text"), ("text", "more", "label")])
def test_honest_texts_of_many_lines_are_read_as_they_are(tmp_path: Path, layout: tuple[str, ...]) -> None:
    quoted = ['"' + text.replace('"', '""') + '"' for text in HONEST]
    values = [{"text": text, "label": "human", "more": text} for text in quoted]
    rows = [",".join(value[name] for name in layout) for value in values]
    corpus, records = read(tmp_path / "a.csv", ",".join(layout) + "\r\n" + "\r\n".join(rows))
    assert [record.texts[0].text for record in records] == HONEST
    assert not any("may hold other rows" in warning for warning in corpus.survey.warnings)


def test_a_quote_that_is_not_doubled_costs_its_row_only(tmp_path: Path) -> None:
    text = 'text,label\n"a "b" c",human\n5" disk,human\n"said ""so""",ai\n'
    corpus, records = read(tmp_path / "a.csv", text)
    assert reasons(records) == ["bad_row", None, None]
    assert [record.texts[0].text for record in records[1:]] == ['5" disk', 'said "so"']
    assert "line 2: a quote within a quoted field must be doubled" in corpus.survey.warnings[0]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", "text,label,text\na,human,b\n", "line 1: the header has 'text' twice"),
        ("a.csv", "text;label\na;human\n", r"one column 'text;label'.*delimiter = ';'"),
        ("a.tsv", "text,label\na,human\n", "delimiter = ','"),
        ("a.csv", " , \na,human\n", "the header names no columns"),
        ("a.csv", '"text,label\na,human\n', "line 1: a quote opens"),
        ("a.csv", '"te"xt,label\na,human\n', "line 1: a quote within"),
        ("a.csv", "text,label\n".encode("utf-16"), "is UTF-16, not UTF-8; say encoding = 'utf-16'"),
        ("a.jsonl", '{"text": "abcdefgh"}\n'.encode("utf-16-le"), "encoding = 'utf-16-le'"),
        ("a.json", "[]".encode("utf-32"), "encoding = 'utf-32'"),
        ("a.csv", "text,label\n", "has no rows"),
    ],
)
def test_a_head_that_cannot_be_right_is_an_error(tmp_path: Path, name: str, content: str | bytes, message: str) -> None:
    with pytest.raises(CorpusError, match=message):
        read(tmp_path / name, content)


def test_a_delimiter_can_be_named_and_unnamed_columns_are_left_out(tmp_path: Path) -> None:
    _, (record,) = read(tmp_path / "a.csv", ";text;label\n0;a, b;human\n", delimiter=";")
    assert record.texts[0].text == "a, b"
    _, (record,) = read(tmp_path / "b.csv", ",text,label,,\n0,a,human,,\n")
    assert record.texts[0].text == "a"


def test_zero_bytes_are_a_bad_row(tmp_path: Path) -> None:
    corpus, records = read(tmp_path / "a.csv", "text,label\na\0b,human\nfine,ai\n")
    assert reasons(records) == ["bad_row", None]
    assert "line 2: holds a NUL byte" in corpus.survey.warnings[0]


def test_lines_that_are_no_objects_are_bad_rows_with_their_lines(tmp_path: Path) -> None:
    good = '{"text": "fine", "label": "human"}'
    bad = [
        '{"text":' + "[" * 100_000 + "]" * 100_000 + "}",
        '{"text": "x", "label": NaN}',
        '{"text": "x", "label": -Infinity}',
        '{"text": "x", "label": ' + "9" * 5000 + "}",
        '["text"]',
        '{"text": "one", "text": "two", "label": "human"}',
    ]
    corpus, records = read(tmp_path / "a.jsonl", "\n\n".join([good, *bad, good]))
    assert reasons(records) == [None, *["bad_row"] * 6, None]
    assert corpus.survey.warnings[0] == (
        "a.jsonl: 6 rows cannot be read (bad_row): line 3: nested too deeply, line 5: no JSON (NaN is no JSON), "
        "line 7: no JSON (-Infinity is no JSON)"
    )


def test_a_key_that_stands_twice_deeper_down_is_none_of_ours(tmp_path: Path) -> None:
    _, (record,) = read(tmp_path / "a.jsonl", '{"meta": {"a": 1, "a": 2}, "text": "x", "label": "human"}')
    assert record.null_reason is None


def test_another_encoding_is_named_with_the_key_that_reads_it(tmp_path: Path) -> None:
    content = "text,label,gen\nplain,ai,Zoë\nnaïve,human,x\n".encode("latin-1")
    corpus, records = read(tmp_path / "a.csv", content, generator="gen")
    assert [record.texts[0].generator if record.texts else None for record in records] == ["Zo\\udceb", None]
    assert reasons(records) == [None, "not_unicode"]
    assert any(
        "2 rows with bytes that are not UTF-8: line 2" in warning and "encoding = 'latin-1'" in warning
        for warning in corpus.survey.warnings
    )
    corpus, records = read(tmp_path / "a.csv", content, generator="gen", encoding="latin-1")
    assert [record.texts[0].generator for record in records] == ["Zoë", "x"]
    assert corpus.survey.warnings == ()
    assert "read as latin-1" in corpus.survey.lines


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be", "shift_jis", "UTF8", "cp1252"])
@pytest.mark.parametrize("name", ["a.csv", "a.jsonl", "a.json"])
def test_any_encoding_that_is_named_is_read(tmp_path: Path, name: str, encoding: str) -> None:
    text = "naive" if encoding == "shift_jis" else "naïve"
    rows = [{"text": text, "label": "human"}, {"text": "two", "label": "ai"}]
    content = {
        "a.csv": "text,label\n" + "".join(f"{row['text']},{row['label']}\n" for row in rows),
        "a.jsonl": "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows),
        "a.json": json.dumps(rows, ensure_ascii=False),
    }[name]
    corpus, records = read(tmp_path / name, content.encode(encoding), encoding=encoding)
    assert [record.texts[0].text for record in records] == [text, "two"]
    assert [shard.row_count for shard in corpus.shards(1)] == [1, 1]


def test_names_of_columns_that_are_not_utf8_have_the_key_as_well(tmp_path: Path) -> None:
    content = "größe,label\na,human\n".encode("latin-1")
    with pytest.raises(CorpusError, match="their names are not UTF-8, say encoding = 'latin-1'"):
        read(tmp_path / "a.csv", content, text="größe")
    assert len(read(tmp_path / "a.csv", content, text="größe", encoding="latin-1")[1]) == 1


def test_a_broken_row_at_the_end_stays_the_same_when_rows_follow(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    corpus, _ = read(path, 'text,label\nfine,ai\n"a "b" c",human')
    grown, _ = read(path, 'text,label\nfine,ai\n"a "b" c",human\r\nmore,ai\n')
    assert [rows for rows, _ in grown.continued(corpus.history).history["a.csv"]] == [2, 3]


def test_bytes_that_a_named_encoding_has_not_are_said(tmp_path: Path) -> None:
    content = '{"text": "a", "label": "human"}\n'.encode("shift_jis") + b'{"text": "\xff", "label": "human"}\n'
    corpus, records = read(tmp_path / "a.jsonl", content, encoding="shift_jis")
    assert reasons(records) == [None, "not_unicode"]
    assert "1 row with bytes that are not shift_jis: line 2" in corpus.survey.warnings[0]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"encoding": "latin1 "}, None),
        ({"encoding": "utf8x"}, "'utf8x' is no encoding of text"),
        ({"encoding": "base64"}, "no encoding of text"),
        ({"delimiter": "::"}, "one character is needed"),
        ({"delimiter": '"'}, "one character is needed"),
        ({"txt": "a"}, r"key 'txt' is unknown \(did you mean 'text'\?\); allowed are human"),
        ({"text": 3}, "text: seen 3; text in quotes is needed"),
        ({"text": ""}, "text: seen ''; it must not be empty"),
        ({"label": "text"}, "text and label are both column 'text'"),
        ({"human_labels": "human"}, "human_labels: seen 'human'; a list in brackets"),
        ({"human_labels": ["1"], "synthetic_labels": [1]}, "label '1' is one of human_labels.*name both lists"),
        ({"human_labels": ["*"]}, r"'\*' is for synthetic_labels only"),
        ({"human_labels": [" "]}, "is no label"),
    ],
)
def test_wrong_settings_are_told_in_our_words(wrong: dict[str, Any], message: str | None) -> None:
    given = {"path": "x.csv", **LABELLED} | wrong
    if message is None:
        CorpusSettings.model_validate(given)
        return
    with pytest.raises(ValueError, match=message) as caught:
        CorpusSettings.model_validate(given)
    assert not any(word in str(caught.value).split("[type=")[0] for word in ("Input should", "Extra inputs"))
