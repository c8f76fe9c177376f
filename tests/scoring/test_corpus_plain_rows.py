"""Rows that count as an earlier row does: the survey is the same as where every row is looked at closely."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring.corpora.corpus import Corpus, CorpusSettings
from scoring.corpora.plain_rows import PlainRows
from scoring.errors import CorpusError

LONG = "a text of more than forty characters, which is looked at no more than once"
TEXTS = st.sampled_from(
    [LONG, f"{LONG} again", f"{LONG} é", LONG.replace(" ", ""), " " * 50, "short", "NA", "", None, [LONG, LONG]]
)
ROWS = st.lists(
    st.fixed_dictionaries(
        {"text": TEXTS, "other": TEXTS},
        optional={
            "label": st.sampled_from(["human", "ai", "0", "unknown", "NA", 0, True, None, ["ai"]]),
            "id": st.sampled_from(["a", "b", "é", " ", "", 1, 1.5, True, None, ["a"]]),
        },
    ),
    min_size=1,
    max_size=12,
)
MAPPINGS: list[dict[str, Any]] = [
    {"text": "text"},
    {"text": "text", "label": "label"},
    {"text": "text", "label": "label", "id": "id"},
    {"human": "text", "synthetic": "o*", "id": "id"},
    {"text": "text", "dataset": "label"},
    {"text": "text", "label": "label", "encoding": "latin-1"},
]


def seen(path: Path, columns: dict[str, Any]) -> Any:
    try:
        corpus = Corpus.open(CorpusSettings(path=str(path), **columns))
    except CorpusError as error:
        return str(error)
    return corpus.survey, corpus.files


@given(st.lists(ROWS, min_size=1, max_size=2), st.sampled_from(MAPPINGS))
def test_plain_rows_change_nothing_in_the_survey(
    tmp_path_factory: pytest.TempPathFactory, files: list[list[dict[str, Any]]], columns: dict[str, Any]
) -> None:
    folder = tmp_path_factory.mktemp("rows")
    for number, rows in enumerate(files):
        (folder / f"{number}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    counted_as_plain = seen(folder, columns)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PlainRows, "add", lambda _self, _raw: False)
        assert seen(folder, columns) == counted_as_plain


def test_most_rows_of_a_corpus_are_plain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.csv"
    path.write_text("text,label,id\n" + "".join(f'"{LONG} {n}",{("ai", "human")[n % 2]},{n}\n' for n in range(100)))
    closely: list[object] = []
    learn = PlainRows.learn
    monkeypatch.setattr(PlainRows, "learn", lambda self, *row: (closely.append(row), learn(self, *row))[1])
    lines = seen(path, {"text": "text", "label": "label", "id": "id"})[0].lines
    assert len(closely) == 2, "one a label"
    assert "labels: ai 50 (synthetic), human 50 (human)" in lines
