"""The sections of a corpus: made from the environment file of a sweep, once for all sweeps on the page."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from analysis.description import Description
from analysis.load import SweepRows
from analysis.sections import corpus
from analysis.sections.measured_sweep import MeasuredSweep
from scoring.corpora.corpus import Corpus, CorpusSettings
from sweeps.schema import COLUMNS

EVERY = (corpus.structure, corpus.lengths, corpus.pairs, corpus.composition, corpus.term_weights)


def sweep_of(*levels: Any, others: tuple[SweepRows, ...] = ()) -> MeasuredSweep:
    """A sweep over these corpora, behind others on the page."""
    histories = {json.dumps(level): Corpus.open(CorpusSettings.model_validate(level)).history for level in levels}
    described = Description(spec={"factors": {"corpus": list(levels)}}, inputs={"corpora": histories})
    rows = SweepRows("s", "binoculars", COLUMNS["binoculars"], pd.DataFrame({"status": ["ok"]}), 0, 0, described)
    return MeasuredSweep(rows, "s", "s", (*others, rows))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A corpus of pairs, read as the paper's files are."""
    path = tmp_path / "pairs.jsonl"
    rows = [
        {"text": "heron word " * (3 + index), "x_generated_text_wo_prompt": "delve into " * (2 + index % 5)}
        for index in range(20)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_every_section_has_its_figure_or_table(path: Path) -> None:
    sweep = sweep_of(str(path))
    made = [section(sweep) for section in EVERY]
    assert all(made)
    contents = [content for content in made if content]
    assert [len(content.drawings) for content in contents] == [0, 1, 1, 1, 1]
    assert [len(content.tables) for content in contents] == [1, 0, 0, 0, 1]
    names = [drawing.name for content in contents for drawing in content.drawings]
    assert len(set(names)) == 4
    assert not any(b"mathdefault" in drawing.svg for content in contents for drawing in content.drawings)
    assert all(
        table.csv == f"tables/{name}.csv"
        for content in contents
        for table in content.tables
        for name in content.files
        if name.endswith(("structure", "terms"))
    )
    assert "20 records" in contents[2].sentences[0]
    assert contents[4].tables[0].rows[0][:2] == ("human", "heron")


def test_the_structure_begins_with_what_the_outline_asks_for_and_counts_are_whole(path: Path) -> None:
    made = corpus.structure(sweep_of(str(path)))
    assert made is not None
    (table,) = made.tables
    assert table.headers[:6] == (
        "dataset", "generator", "records", "human fraction", "human words", "synthetic words",
    )  # fmt: skip
    assert table.headers[-table.on_demand :] == (
        "human characters mean", "human wordless texts", "synthetic characters mean", "synthetic wordless texts",
    )  # fmt: skip
    assert table.rows[-1][2:6] == ("20", "75.8%", "500", "160"), "2 (3 + i) words by humans, 2 (2 + i mod 5) others"


def test_a_corpus_that_changed_is_one_sentence_and_nothing_else(path: Path) -> None:
    sweep = sweep_of(str(path))
    path.write_text(path.read_text().replace("heron", "stork"))
    first, *others = [section(sweep) for section in EVERY]
    assert first is not None
    assert len(first.sentences) == 1
    assert "is not read" in first.sentences[0]
    assert not first.tables
    assert others == [None] * 4


def test_a_corpus_that_changes_while_the_page_is_made_is_said(path: Path) -> None:
    sweep = sweep_of(str(path))
    assert corpus.structure(sweep) is not None
    path.write_text(path.read_text().replace("heron", "stork"))
    made = corpus.term_weights(sweep)
    assert made is not None
    assert "is not read" in made.sentences[0]
    assert not made.drawings


def test_a_corpus_is_shown_with_the_first_sweep_of_the_page(path: Path) -> None:
    first = sweep_of(str(path))
    again = sweep_of(str(path), others=(first.rows,))
    assert corpus.structure(first) is not None
    assert corpus.structure(replace(again)) is None


def test_a_corpus_without_pairs_says_so(tmp_path: Path) -> None:
    path = tmp_path / "human.csv"
    path.write_text("text\nsome human words\nand more of them\n")
    sweep = sweep_of({"path": str(path), "text": "text"})
    pairs, composition = corpus.pairs(sweep), corpus.composition(sweep)
    assert pairs is not None
    assert pairs.sentences[0].startswith("No record has words of a human")
    assert composition is not None
    assert (composition.drawings, len(composition.sentences)) == ((), 1)
