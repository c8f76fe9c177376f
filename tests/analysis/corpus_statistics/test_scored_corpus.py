"""Only the texts that were scored are read: corpora that are gone, changed or grew."""

import json
from pathlib import Path
from typing import Any

import pytest

from analysis.corpus_statistics.scored_corpus import CorpusNotShown, corpus_levels, open_scored
from analysis.description import Description
from scoring.corpora.corpus import Corpus, CorpusSettings

Level = dict[str, str]


def write(path: Path, texts: list[str]) -> None:
    """Write a corpus of pairs."""
    path.write_text("".join(json.dumps({"h": text, "s": f"{text} indeed"}) + "\n" for text in texts))


@pytest.fixture
def level(tmp_path: Path) -> Level:
    """A corpus of 450 records: more than two shards."""
    write(tmp_path / "c.jsonl", [f"text {index}" for index in range(450)])
    return {"path": str(tmp_path / "c.jsonl"), "human": "h", "synthetic": "s"}


def inputs_of(level: Level) -> dict[str, Any]:
    """Fingerprints as the environment file has them."""
    history = Corpus.open(CorpusSettings.model_validate(level)).history
    return json.loads(json.dumps({"corpora": {json.dumps(level): history}}))


def test_the_texts_that_were_scored_are_read(level: Level) -> None:
    opened = open_scored(level, inputs_of(level))
    assert [record.texts[0].text for record in opened.records()] == [f"text {index}" for index in range(450)]
    assert opened.new_rows == 0
    assert len([*opened.records()]) == 450  # a second pass


def test_of_a_corpus_that_grew_only_the_scored_rows_are_read(level: Level) -> None:
    inputs = inputs_of(level)
    with Path(level["path"]).open("a") as file:
        file.write(json.dumps({"h": "new", "s": "newer"}) + "\n")
    opened = open_scored(level, inputs)
    assert [record.texts[0].text for record in opened.records()][-1] == "text 449"
    assert opened.new_rows == 1


def test_a_corpus_that_changed_is_not_read(level: Level) -> None:
    inputs = inputs_of(level)
    write(Path(level["path"]), ["text 0", "edited", *(f"text {index}" for index in range(2, 450))])
    with pytest.raises(CorpusNotShown, match=r"c\.jsonl is not read: .*has changed since"):
        open_scored(level, inputs)


def test_a_corpus_that_changes_between_two_passes_is_not_read(level: Level) -> None:
    opened = open_scored(level, inputs_of(level))
    assert len([*opened.records()]) == 450
    write(Path(level["path"]), [*(f"text {index}" for index in range(449)), "edited"])
    with pytest.raises(CorpusNotShown, match="is not read"):
        list(opened.records())


def test_a_corpus_that_is_gone_is_not_read(level: Level) -> None:
    inputs = inputs_of(level)
    Path(level["path"]).unlink()
    with pytest.raises(CorpusNotShown, match=r"c\.jsonl is not read"):
        open_scored(level, inputs)


@pytest.mark.parametrize("known", [None, [], {}, {"corpora": None}, {"corpora": {"x": {}}}])
def test_a_corpus_without_fingerprints_is_not_read(known: Any, level: Level) -> None:
    with pytest.raises(CorpusNotShown, match="has no fingerprints of it"):
        open_scored(level, known)


@pytest.mark.parametrize("history", [None, {}, 3, {"c.jsonl": []}, {"c.jsonl": [["many", "x"]]}, {"c.jsonl": [[1]]}])
def test_fingerprints_that_are_none_are_as_none(history: Any, level: Level) -> None:
    with pytest.raises(CorpusNotShown, match="has no fingerprints of it"):
        open_scored(level, {"corpora": {json.dumps(level): history}})


def test_settings_that_are_not_valid(level: Level) -> None:
    odd = {**level, "colour": "red"}
    history = inputs_of(level)["corpora"][json.dumps(level)]
    with pytest.raises(CorpusNotShown, match="its settings are not valid"):
        open_scored(odd, {"corpora": {json.dumps(odd): history}})


def test_the_hub_is_not_read() -> None:
    with pytest.raises(CorpusNotShown, match="on the Hub, which the report does not read"):
        open_scored("hf://some/corpus", {"corpora": {'"hf://some/corpus"': {"some/corpus:train": [[1, "x"]]}}})


def test_levels_of_the_spec() -> None:
    assert corpus_levels(Description(spec={"factors": {"corpus": ["a", {"path": "b"}]}})) == ["a", {"path": "b"}]
    for spec in ({}, {"factors": 3}, {"factors": {"corpus": "a"}}, {"factors": {"model": ["m"]}}):
        assert corpus_levels(Description(spec=spec)) == []
