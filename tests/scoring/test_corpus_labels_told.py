"""Labels, missing values and encodings: what a corpus seems to say is said, never taken in silence."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from scoring.corpora.corpus import Corpus, CorpusSettings
from scoring.errors import CorpusError

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
    with pytest.raises(CorpusError, match="rows without a label in column 'label': NA 2; .* unless human_labels"):
        opened(tmp_path, labelled("NA", "NA"))
