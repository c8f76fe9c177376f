"""Labels, missing values and encodings: what a corpus seems to say is said, never taken in silence."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from scoring.corpora.corpus import Corpus, CorpusSettings
from scoring.errors import CorpusError
from scoring.fragment_settings import fragment_settings
from scoring.fragments import cut
from scoring.results import Score, fragment_score

LABELLED = {"text": "text", "label": "label"}
MISSING = ["NA", "n/a", " NaN ", "None", "NULL", "<NA>", "NaT"]


def opened(tmp_path: Path, rows: Sequence[dict[str, Any]], **settings: Any) -> Corpus:
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return Corpus.open(CorpusSettings(path=str(path), **(LABELLED if "human" not in settings else {}) | settings))


def labelled(*labels: object) -> list[dict[str, Any]]:
    return [{"text": f"some words {number}", "label": label} for number, label in enumerate(labels)]


def authors(corpus: Corpus) -> list[str | None]:
    return [record.texts[0].author if record.texts else record.null_reason for record in corpus.records()]


def told(corpus: Corpus, part: str) -> str:
    (warning,) = [warning for warning in corpus.survey.warnings if part in warning]
    return warning


@pytest.mark.parametrize("label", MISSING)
def test_a_word_for_a_missing_label_is_not_every_other_label(tmp_path: Path, label: str) -> None:
    rows = labelled("human", "gpt", label, None)
    corpus = opened(tmp_path, rows, synthetic_labels=["*"])
    assert authors(corpus) == ["human", "synthetic", "unknown_label", "unknown_label"]
    assert f"2 rows left out, without a label in column 'label': {label.strip()} 1, null 1" in told(corpus, "left out")
    named = opened(tmp_path, rows, human_labels=["human", label], synthetic_labels=["*"])
    assert authors(named) == ["human", "synthetic", "human", "unknown_label"]


def test_a_file_whose_labels_are_all_missing_says_so(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"rows without a label in column 'label': NA 2; .* unless human_labels"):
        opened(tmp_path, labelled("NA", "NA"))


def test_a_text_that_only_stands_for_nothing_is_left_out_and_said(tmp_path: Path) -> None:
    texts = ["NA", "nan ", "NA", "NA is salt", "", "none of them"]
    rows = [{"text": text, "label": "human"} for text in texts]
    corpus = opened(tmp_path, rows)
    assert authors(corpus) == ["not_text"] * 3 + ["human"] * 3
    assert told(corpus, "not_text") == (
        "3 texts are only NA or nan, in column 'text', and left out (not_text): NA 2, nan 1; "
        "the program that wrote the file put that for a missing text"
    )


@pytest.mark.parametrize("text", MISSING)
def test_a_pair_with_a_missing_text_is_left_out(tmp_path: Path, text: str) -> None:
    rows = [{"h": "by a person", "ai": "by a model"}, {"h": "by a person", "ai": text}]
    corpus = opened(tmp_path, rows, human="h", synthetic="ai")
    assert authors(corpus) == ["human", "not_text"]
    assert f"1 text is only NA or nan, in column 'ai', and left out (not_text): {text.strip()} 1" in told(corpus, "NA")


def test_a_file_of_missing_texts_is_refused_with_the_reason(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="2 texts are only NA or nan, in column 'text'"):
        opened(tmp_path, [{"text": "NA", "label": "human"}] * 2)


@pytest.mark.parametrize(
    ("cell", "kind"),
    [
        (["a", 1], "lists"),
        ([], "lists"),
        ({"a": 1}, "tables"),
        (7, "numbers"),
        (1.5, "numbers"),
        (True, "booleans"),
        (None, "null"),
    ],
)
def test_what_a_column_holds_instead_of_text_is_said(tmp_path: Path, cell: object, kind: str) -> None:
    bad = {"h": "by a person", "ai": cell}
    with pytest.raises(CorpusError, match=f"column 'ai' holds {kind} in 2 rows"):
        opened(tmp_path, [bad] * 2, human="h", synthetic="ai")
    corpus = opened(tmp_path, [bad, {"h": "a b", "ai": "c d"}], human="h", synthetic="ai")
    assert told(corpus, "not_text") == f"rows.jsonl: 1 row left out (not_text): column 'ai' holds {kind} in 1 row"


def test_every_label_is_shown_with_the_author_that_it_got(tmp_path: Path) -> None:
    corpus = opened(tmp_path, labelled("AI", "AI", "human", "bot"))
    assert "labels: AI 2 (synthetic), human 1 (human)" in corpus.survey.lines


@pytest.mark.parametrize("labels", [(0, 1), ("0", "1.0"), (False, True), ("false", "TRUE")])
def test_labels_that_are_numbers_are_taken_for_somebody_aloud(tmp_path: Path, labels: tuple[object, object]) -> None:
    corpus = opened(tmp_path, labelled(*labels, labels[0]))
    assert f"labels: {labels[0]} 2 (human), {labels[1]} 1 (synthetic)" in corpus.survey.lines
    assert "0 (false) is taken for human and 1 (true) for synthetic" in told(corpus, "3 rows with numbers or booleans")
    turned = opened(tmp_path, labelled(*labels), human_labels=[1], synthetic_labels=[0])
    assert authors(turned) == ["synthetic", "human"]
    assert turned.survey.warnings == ()


def test_labels_that_are_words_need_no_warning(tmp_path: Path) -> None:
    assert opened(tmp_path, labelled("human", "ai")).survey.warnings == ()


def read(tmp_path: Path, name: str, content: bytes, **settings: Any) -> Corpus:
    path = tmp_path / name
    path.write_bytes(content)
    return Corpus.open(CorpusSettings(path=str(path), **LABELLED | settings))


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "iso-8859-15"])
@pytest.mark.parametrize("written", ["utf-8", "own"])
def test_utf8_that_is_read_as_something_else_is_said(tmp_path: Path, encoding: str, written: str) -> None:
    content = "text,label\nnaïve words,human\nplain,ai\nZoë Größe,ai\n".encode(
        encoding if written == "own" else written
    )
    corpus = read(tmp_path, "b.csv", content, encoding=encoding)
    if written == "own":
        assert corpus.survey.warnings == ()
    else:
        assert f"b.csv: 2 rows valid as UTF-8 although encoding = '{encoding}'" in told(corpus, "UTF-8")


def test_utf8_in_columns_beside_the_text_counts_as_well(tmp_path: Path) -> None:
    content = '{"text": "a b", "label": "human", "by": "Zoë"}\n{"text": "c", "label": "ai"}\n'.encode()
    corpus = read(tmp_path, "b.jsonl", content, encoding="latin-1", generator="by")
    assert "b.jsonl: 1 row valid as UTF-8" in told(corpus, "UTF-8")


def test_quotes_of_windows_that_are_read_as_control_characters_are_said(tmp_path: Path) -> None:
    content = "text,label\n“naïve”,human\nplain,ai\n".encode("cp1252")
    warning = told(read(tmp_path, "b.csv", content, encoding="latin-1"), "cp1252")
    assert warning.startswith("b.csv: 1 row with control characters")
    assert read(tmp_path, "b.csv", content, encoding="cp1252").survey.warnings == ()
    assert "encoding = 'cp1252'" in told(read(tmp_path, "b.csv", content + b"fine,ai\n"), "encoding = 'latin-1'")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("b.csv", "text,label\nnaïve,human\nZoë,ai\n"),
        ("b.jsonl", '{"text": "naïve", "label": "human"}\n{"text": "Zoë", "label": "ai"}\n'),
    ],
)
def test_a_file_that_cannot_be_decoded_at_all_names_the_key(tmp_path: Path, name: str, content: str) -> None:
    with pytest.raises(CorpusError, match=r"2 rows with bytes that are not UTF-8: .*encoding = 'latin-1'.*'cp1252'"):
        read(tmp_path, name, content.encode("latin-1"))
    assert read(tmp_path, name, content.encode("latin-1"), encoding="latin-1").survey.warnings == ()


def test_bytes_that_cannot_be_decoded_are_one_warning(tmp_path: Path) -> None:
    content = "text,label,by\nplain,ai,Zoë\nnaïve,human,x\nfine,human,x\n".encode("latin-1")
    corpus = read(tmp_path, "b.csv", content, generator="by")
    assert authors(corpus) == ["synthetic", "not_unicode", "human"]
    (warning,) = corpus.survey.warnings
    assert warning.startswith("b.csv: 2 rows with bytes that are not UTF-8")


def test_a_label_that_is_named_wins_over_the_default_of_the_other_list(tmp_path: Path) -> None:
    rows = labelled(1, True, "ai", 0)
    turned = opened(tmp_path, rows, synthetic_labels=["false"])
    assert authors(turned) == ["unknown_label"] * 3 + ["synthetic"]
    settings = CorpusSettings.model_validate({"path": "x.csv", "synthetic_labels": [0], **LABELLED})
    assert settings.human_labels == ("human",), "0 and false are one label"
    assert CorpusSettings.model_validate(settings.model_dump()) == settings


def test_human_labels_alone_make_every_other_label_synthetic(tmp_path: Path) -> None:
    corpus = opened(tmp_path, labelled(1, True, "ai", "gpt-9", 0, None), human_labels=[1])
    assert authors(corpus) == ["human", "human", "synthetic", "synthetic", "synthetic", "unknown_label"]
    settings = CorpusSettings.model_validate({"path": "x.csv", "human_labels": [1], **LABELLED})
    assert settings.synthetic_labels == ("*",)
    assert CorpusSettings.model_validate(settings.model_dump()) == settings


def test_a_label_that_is_named_and_that_no_row_has_is_told(tmp_path: Path) -> None:
    corpus = opened(tmp_path, labelled("human", "student", "gpt", 0, True), human_labels=["Human", "studnet", 0, True])
    assert "no row has the label 'studnet', which human_labels or synthetic_labels names" in told(corpus, "no row")
    good = opened(tmp_path, labelled("human", "student", "gpt"), human_labels=["student ", "human"])
    assert not [warning for warning in good.survey.warnings if "no row" in warning]


def test_a_label_that_both_lists_name_is_refused_with_the_lists_as_they_are() -> None:
    with pytest.raises(ValueError, match=r"human_labels \['a', 1, True\] and of synthetic_labels \['1', 'x'\]"):
        CorpusSettings(path="x.csv", human_labels=("a", 1, True), synthetic_labels=("1", "x"), **LABELLED)


def test_a_column_of_subgroups_reaches_every_fragment(tmp_path: Path) -> None:
    rows = [*labelled("human", "ai", "human"), {"text": "some words", "label": "human", "tongue": " "}]
    rows[0]["tongue"], rows[1]["tongue"] = "Swahili", 3
    corpus = opened(tmp_path, rows, group="tongue")
    settings = fragment_settings({"mode": "random", "min_words": 1, "max_words": 2})
    cuts = [cut(record, settings).fragments for record in corpus.records()]
    assert [{fragment.group for fragment in fragments} for fragments in cuts] == [{"Swahili"}, {"3"}, {None}, {None}]
    assert fragment_score(cuts[0][0], Score()).group == "Swahili"
    assert "column 'tongue' (group) has no value in" in told(corpus, "tongue")
    with pytest.raises(CorpusError, match=r"group = 'tounge': no row has such a column \(did you mean 'tongue'\?\)"):
        opened(tmp_path, rows, group="tounge")
