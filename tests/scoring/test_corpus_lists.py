"""A cell may hold several texts: a list of texts is as many texts of the record, of one author."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from scoring.corpora.corpus import Corpus, CorpusSettings
from scoring.fragment_settings import fragment_settings
from scoring.fragments import cut

ANSWERS = [
    {"people": ["a first answer of a person", "a second answer"], "model": ["an answer of the model"]},
    {"people": ["another answer"], "model": "one text alone"},
]


def opened(path: Path, **columns: Any) -> Corpus:
    return Corpus.open(CorpusSettings(path=str(path), **columns))


def lines_in(folder: Path, rows: list[dict[str, Any]]) -> Path:
    path = folder / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_lists_of_a_pair_are_texts_of_their_authors(tmp_path: Path) -> None:
    corpus = opened(lines_in(tmp_path, ANSWERS), human="people", synthetic="model")
    first, second = corpus.records()
    assert [(text.author, text.text) for text in first.texts] == [
        ("human", "a first answer of a person"),
        ("human", "a second answer"),
        ("synthetic", "an answer of the model"),
    ]
    assert [text.text for text in second.texts] == ["another answer", "one text alone"]
    assert corpus.survey.warnings == ()
    assert "5 texts by author: human 3, synthetic 2" in corpus.survey.lines


@pytest.mark.parametrize("form", ["parquet", "json"])
def test_a_list_column_of_any_format_holds_texts(tmp_path: Path, form: str) -> None:
    columns = {"text": [["one text", "and another"], ["a third text"]], "label": ["human", "ai"]}
    path = tmp_path / f"a.{form}"
    if form == "parquet":
        pq.write_table(pa.table(columns), path)
    else:
        path.write_text(json.dumps(columns))
    corpus = opened(path, text="text", label="label")
    assert [[text.text for text in record.texts] for record in corpus.records()] == columns["text"]


@pytest.mark.parametrize(
    "settings",
    [
        {"mode": "whole"},
        {"mode": "prefix", "tokens": [2, 4]},
        {"mode": "random", "min_words": 1, "max_words": 2},
        {"mode": "window", "words": 2, "step": 1},
    ],
    ids=lambda settings: str(settings["mode"]),
)
def test_fragments_of_several_texts_have_numbers_of_their_own(tmp_path: Path, settings: dict[str, Any]) -> None:
    rows = [*ANSWERS, {"people": ["", "", "words at last"], "model": [""]}]
    corpus = opened(lines_in(tmp_path, rows), human="people", synthetic="model")
    for record in corpus.records():
        fragments = cut(record, fragment_settings(settings)).fragments
        for author in ("human", "synthetic"):
            numbers = [fragment.fragment_index for fragment in fragments if fragment.author == author]
            assert numbers == list(range(len(numbers)))
            assert numbers


def test_a_list_with_anything_but_texts_is_no_text(tmp_path: Path) -> None:
    good = {"people": ["two words"], "model": ["two words"]}
    bad = [{"people": ["a text", None], "model": ["a b"]}, {"people": [], "model": ["a b"]}]
    missing = [{"people": ["a text", "NA"], "model": "nan"}]
    corpus = opened(lines_in(tmp_path, [good, *bad, *missing]), human="people", synthetic="model")
    assert [record.null_reason for record in corpus.records()] == [None, "not_text", "not_text", "not_text"]
    assert [line for line in corpus.survey.warnings if "not_text" in line] == [
        "rows.jsonl: 2 rows left out (not_text): column 'people' holds lists in 2 rows",
        "1 text is only NA or nan, in column 'people', and left out (not_text): NA 1; "
        "the program that wrote the file put that for a missing text",
        "1 text is only NA or nan, in column 'model', and left out (not_text): nan 1; "
        "the program that wrote the file put that for a missing text",
    ]
