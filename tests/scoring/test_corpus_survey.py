"""Columns, labels and ids: nothing is guessed in silence, and a warning has the key that mends it."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scoring.corpora.corpus import Corpus, CorpusSettings
from scoring.corpora.labels import label_key
from scoring.corpora.records import Record
from scoring.errors import CorpusError

LABELLED = {"text": "text", "label": "label"}
PAIRED = {"human": "human_text", "synthetic": "*_text"}


def opened(tmp_path: Path, rows: list[dict[str, Any]], columns: dict[str, Any], **more: Any) -> Corpus:
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return Corpus.open(CorpusSettings(path=str(path), **columns | more))


def authors(records: list[Record]) -> list[str | None]:
    return [record.texts[0].author if record.texts else record.null_reason for record in records]


@pytest.mark.parametrize("order", [1, -1])
def test_a_pattern_never_takes_the_human_column(tmp_path: Path, order: int) -> None:
    row = dict([("human_text", "by a person"), ("gpt_text", "by a model")][::order])
    corpus = opened(tmp_path, [row], PAIRED)
    (record,) = corpus.records()
    assert [(text.author, text.text) for text in record.texts] == [
        ("human", "by a person"),
        ("synthetic", "by a model"),
    ]
    assert "columns, human with synthetic: human_text with gpt_text 1" in corpus.survey.lines
    other = opened(tmp_path, [row | {"old_text": "x"}], PAIRED | {"human": ["human_text", "old_text"]})
    assert [text.text for text in next(other.records()).texts] == ["by a person", "by a model"]


def test_a_pattern_that_matches_several_columns_is_an_error_or_a_row_that_is_left_out(tmp_path: Path) -> None:
    plain = {"human_text": "a", "gpt_text": "b"}
    both = plain | {"llama_text": "c"}
    with pytest.raises(CorpusError, match="matches gpt_text and llama_text; name one"):
        opened(tmp_path, [both], PAIRED)
    corpus = opened(tmp_path, [plain, both, {"human_text": "a", "llama_text": "c"}], PAIRED)
    assert [record.null_reason for record in corpus.records()] == [None, "ambiguous_column", None]
    assert "1 row left out (ambiguous_column): `synthetic` matches gpt_text and llama_text" in corpus.survey.warnings[0]
    assert any("human_text with gpt_text 1, human_text with llama_text 1" in line for line in corpus.survey.lines)


def test_a_column_named_with_pattern_characters_is_itself(tmp_path: Path) -> None:
    corpus = opened(tmp_path, [{"h": "a", "[ab]*": "b", "axx": "c"}], {"human": "h", "synthetic": "[ab]*"})
    assert next(corpus.records()).texts[1].text == "b"


@pytest.mark.parametrize("name", [" text", "Text", "texts"])
def test_a_mapping_that_matches_no_row_lists_the_columns(tmp_path: Path, name: str) -> None:
    message = rf"columns seen: '{name}', 'label'; asked for: .*did you mean text = '{name}'"
    with pytest.raises(CorpusError, match=message):
        opened(tmp_path, [{name: "a", "label": "human"}], LABELLED)


def test_rows_without_a_column_are_counted(tmp_path: Path) -> None:
    rows = [{"text": "a", "label": "human"}, {"text": "b"}, {"label": "ai"}, {"text": "c", "label": "ai"}]
    corpus = opened(tmp_path, rows, LABELLED)
    assert corpus.survey.warnings == ("rows.jsonl: 2 rows without a column asked for: label 1, text 1",)


@pytest.mark.parametrize("key", ["id", "dataset", "generator"])
def test_an_optional_column_that_no_row_has_is_an_error(tmp_path: Path, key: str) -> None:
    rows: list[dict[str, Any]] = [{"text": "a", "label": "ai", "Kind": 1}, {"text": "b", "label": "human"}]
    with pytest.raises(
        CorpusError, match=f"{key} = 'kind': no row has such a column .did you mean 'Kind'.*columns seen"
    ):
        opened(tmp_path, rows, LABELLED, **{key: "kind"})
    corpus = opened(tmp_path, rows, LABELLED, **{key: "Kind"})
    assert f"column 'Kind' ({key}) has no value in 1 row, which" in corpus.survey.warnings[0]


SAME_LABELS: list[list[Any]] = [
    ["human", "Human", " HUMAN\t"],
    ["0", 0, 0.0, "0.0", -0.0, False, "False", "FALSE ", np.float64(0), np.float32(0), np.int64(0), Decimal("0.00")],
    ["1", 1, 1.0, True, "true", "1.0", "+1", "1e0"],
    [2.5, "2.50", Decimal("2.5")],
    ["10000000000000001"],
    ["10000000000000002", 10000000000000002],
    ["GPT-4", "gpt-4 "],
    ["nan", float("nan")],
    ["1_0"],
    ["10", "10.0", 10],
]


def test_labels_are_compared_without_case_and_as_numbers() -> None:
    keys = [{label_key(label) for label in labels} for labels in SAME_LABELS]
    assert [len(found) for found in keys] == [1] * len(keys)
    assert len(set.union(*keys)) == len(keys)
    assert [label_key(value) for value in (None, "", " ", [], {})] == [None] * 5


@pytest.mark.parametrize(
    "human", [["Human", "0"], ["HUMAN", 0], ["human", False], [" human ", "0.0"], ["human", "false"]]
)
def test_own_labels_match_however_they_are_written(tmp_path: Path, human: list[Any]) -> None:
    labels = ["human", "Human ", 0, 0.0, "0.0", False, "GPT-4", 1]
    rows = [{"text": f"t{number}", "label": label} for number, label in enumerate(labels)]
    corpus = opened(tmp_path, rows, LABELLED, human_labels=human, synthetic_labels=["gpt-4", True])
    assert authors(list(corpus.records())) == ["human"] * 6 + ["synthetic"] * 2
    every_other = opened(tmp_path, rows, LABELLED, human_labels=human, synthetic_labels=["*"])
    assert authors(list(every_other.records())) == ["human"] * 6 + ["synthetic"] * 2


def test_every_other_label_is_no_missing_label(tmp_path: Path) -> None:
    rows = [{"text": "a", "label": label} for label in ("human", "x", None, " ", ["x"])]
    corpus = opened(tmp_path, rows, LABELLED, synthetic_labels=["*"])
    unknown = "unknown_label"
    assert authors(list(corpus.records())) == ["human", "synthetic", unknown, unknown, unknown]
    assert any("2 rows left out, without a label in column 'label'" in line for line in corpus.survey.warnings)


def test_unknown_labels_are_named_with_the_key_that_takes_them(tmp_path: Path) -> None:
    rows = [{"text": "a", "label": ("human", "bot", "bot", "x\x1b[31m")[number % 4]} for number in range(40)]
    corpus = opened(tmp_path, rows, LABELLED)
    warning = corpus.survey.warnings[0]
    assert "30 rows left out" in warning
    assert "bot 20, x\\x1b[31m 10" in warning
    assert "synthetic_labels = ['bot', 'x\\x1b[31m']" in warning
    assert "all texts are human: nothing to compare them with" in corpus.survey.warnings
    with pytest.raises(CorpusError, match=r"labels seen: bot 1; say who wrote them: synthetic_labels = \['bot'\]"):
        opened(tmp_path, [{"text": "a", "label": "bot"}], LABELLED)


def test_long_lists_are_cut_with_counts(tmp_path: Path) -> None:
    rows = [{"text": "a", "label": "human"}, *({"text": "a", "label": f"m{number}"} for number in range(2000))]
    corpus = opened(tmp_path, rows, LABELLED)
    assert "… and 993 more" in corpus.survey.warnings[0]
    assert len(corpus.survey.lines) <= 12
    assert all(len(line) < 1000 for line in (*corpus.survey.lines, *corpus.survey.warnings))


def test_texts_alone_have_no_author(tmp_path: Path) -> None:
    corpus = opened(tmp_path, [{"body": "a b"}, {"body": "c"}, {"other": 1}], {"text": "body"})
    assert authors(list(corpus.records())) == [None, None, "missing_column"]
    assert "2 texts by author: unknown 2" in corpus.survey.lines
    assert not any("nothing to compare" in warning for warning in corpus.survey.warnings)


def test_a_corpus_without_a_word_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="none of its 2 texts has words"):
        opened(tmp_path, [{"text": "", "label": "ai"}, {"text": " \n", "label": "human"}], LABELLED)


def test_rows_named_by_floats_are_said_and_rows_without_an_id_are_named_by_file(tmp_path: Path) -> None:
    ids = ["a", 7, 1.5, True, None, "", ["x"]]
    rows = [{"text": "t", "label": "ai", "key": record_id} for record_id in ids]
    corpus = opened(tmp_path, rows, LABELLED, id="key")
    assert [record.record_id for record in corpus.records()] == [
        "a", "7", "1.5", "True", "rows.jsonl:4", "rows.jsonl:5", "rows.jsonl:6"
    ]  # fmt: skip
    assert "column 'key' (id) has no value in 3 rows, which are named by file and row" in corpus.survey.warnings
    assert any("neither text nor whole numbers: bool 1, float 1, list 1" in line for line in corpus.survey.warnings)


def test_half_a_surrogate_pair_costs_its_text_only(tmp_path: Path) -> None:
    half = "\ud83d"
    rows = [
        {"text": "a", "label": "ai", "key": half, "set": half, "by": half},
        {"text": half, "label": "ai", "key": "b"},
    ]
    corpus = opened(tmp_path, rows, LABELLED, id="key", dataset="set", generator="by")
    one, two = corpus.records()
    assert (one.record_id, one.dataset, one.texts[0].generator) == ("\\ud83d", "\\ud83d", "\\ud83d")
    assert two.null_reason == "not_unicode"
    for key in ("id", "dataset", "generator"):
        assert any(f"({key}) holds half a surrogate pair in 1 row" in line for line in corpus.survey.warnings)


def test_texts_that_stand_twice_and_scripts_without_blanks_are_said(tmp_path: Path) -> None:
    chinese = "今天天气很好我们一起去公园散步看到了很多花和鸟心情非常愉快"
    rows = [{"text": text, "label": "human"} for text in ("same words", "same words", "other", chinese, "w" * 50)]
    corpus = opened(tmp_path, [*rows, {"text": "same words", "label": "ai"}], LABELLED)
    assert "1 text of a human that an earlier record has as well; each is scored" in corpus.survey.lines
    (warning,) = (line for line in corpus.survey.warnings if line.startswith("1 text in a script without blanks"))
    assert "(no_blanks); give min_tokens and max_tokens" in warning


def test_the_built_in_corpus_has_nothing_to_mend() -> None:
    assert Corpus.open(CorpusSettings(path="builtin://docs")).survey.warnings == ()
