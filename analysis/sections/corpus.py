"""Notebook 03, § 1: the texts that were scored. A corpus of several sweeps on the page is shown with the first.

Of every corpus there is one pass for all sections of lengths, and two more for TF-IDF.
"""

import json
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any, Final

import pandas as pd

from analysis.column_titles import number
from analysis.corpus_statistics.one_pass import LengthStatistics, measure_lengths
from analysis.corpus_statistics.scored_corpus import CorpusNotShown, ScoredCorpus, corpus_levels, open_scored
from analysis.level_labels import text_of
from analysis.sections.corpus_figures import draw_by_author, draw_composition, draw_pairs
from analysis.sections.measured_sweep import MeasuredSweep
from analysis.sections.section import Content
from analysis.tables import MAX_TABLE_ROWS, Table
from sweeps.wording import counted

_KEPT_CORPORA: Final = 8
"""Corpora whose statistics are kept while the page is made."""
_RARE: Final = ("_characters_mean", "_wordless_texts")
"""Ends of the columns that the page shows on demand."""
_NAMES: Final = {"dataset", "generator", "author", "term"}


def structure(sweep: MeasuredSweep) -> Content | None:
    """Return § 1.1: records, texts and lengths by dataset and generator."""
    return _of_corpora(sweep, _structure, is_first=True)


def lengths(sweep: MeasuredSweep) -> Content | None:
    """Return § 1.2.1: the distribution of the lengths of texts by author."""
    return _of_corpora(sweep, _lengths)


def pairs(sweep: MeasuredSweep) -> Content | None:
    """Return § 1.2.2: the correlation of the lengths of human and synthetic text by record."""
    return _of_corpora(sweep, _pairs)


def composition(sweep: MeasuredSweep) -> Content | None:
    """Return § 1.2.3: the human fraction of the records."""
    return _of_corpora(sweep, _composition)


def term_weights(sweep: MeasuredSweep) -> Content | None:
    """Return § 1.2.4: TF-IDF values by author, and the most telling terms."""
    return _of_corpora(sweep, _term_weights)


def _of_corpora(
    sweep: MeasuredSweep, make: Callable[[str, str, str], Content], is_first: bool = False
) -> Content | None:
    """Join the contents of the sweep's corpora; None where no corpus is read, or earlier sweeps show them all.

    Args:
        sweep: on the page.
        make: makes the content of a corpus from its level and inputs, with a name for its files.
        is_first: True for the section that says why a corpus is not read, so that the page says so once.
    """
    made = []
    for place, (level, inputs) in enumerate(_new_corpora(sweep), start=1):
        try:
            _opened(level, inputs)
        except CorpusNotShown as reason:
            made.append(Content(sentences=(str(reason),) if is_first else ()))
            continue
        try:
            made.append(make(level, inputs, f"{sweep.file_name}-corpus-{place}"))
        except CorpusNotShown as reason:  # the corpus changed while the page was made
            made.append(Content(sentences=(str(reason),)))
    parts = [part for part in made if not part.is_empty]
    return _joined(parts) if parts else None


def _new_corpora(sweep: MeasuredSweep) -> Iterable[tuple[str, str]]:
    """Yield level and inputs, as JSON, of the sweep's corpora that no earlier sweep on the page has."""
    seen: set[str] = set()
    for rows in sweep.page:
        levels = [json.dumps(level) for level in corpus_levels(rows.description)]
        if rows is sweep.rows:
            yield from ((level, json.dumps(rows.description.inputs)) for level in levels if level not in seen)
            return
        seen.update(levels)


def _joined(parts: list[Content]) -> Content:
    return Content(
        sentences=tuple(sentence for part in parts for sentence in part.sentences),
        drawings=tuple(drawing for part in parts for drawing in part.drawings),
        tables=tuple(table for part in parts for table in part.tables),
        files={name: frame for part in parts for name, frame in part.files.items()},
    )


@lru_cache(_KEPT_CORPORA)
def _opened(level: str, inputs: str) -> ScoredCorpus:
    return open_scored(json.loads(level), json.loads(inputs))


@lru_cache(_KEPT_CORPORA)
def _measured(level: str, inputs: str) -> LengthStatistics:
    return measure_lengths(_opened(level, inputs).records())


def _structure(level: str, inputs: str, name: str) -> Content:
    found, corpus = _measured(level, inputs), _opened(level, inputs)
    frame = found.structure.frame()
    columns = sorted(frame.columns, key=_place)
    rare = sum(column.endswith(_RARE) for column in columns)
    table = _table(frame[columns], f"Structure of {corpus.shown_path}", f"{name}-structure", on_demand=rare)
    new = f"{corpus.new_rows:,} rows came to the corpus after the run; they are left out."
    sentences = (*found.sentences(), *((new,) if corpus.new_rows else ()))
    return Content(sentences=sentences, tables=(table,), files={f"{name}-structure": frame})


def _lengths(level: str, inputs: str, name: str) -> Content:
    bins = _measured(level, inputs).distribution.frame()
    if bins.empty:
        return Content()
    caption = f"Lengths of {counted(int(bins['texts'].sum()), 'text')} by author; texts without words are left out."
    edges = ("words_from", "words_below")
    drawing = draw_by_author(bins, edges, "texts", "length (words)", f"{name}-lengths", caption)
    return Content(drawings=(drawing,), files={f"{name}-lengths": bins})


def _pairs(level: str, inputs: str, name: str) -> Content:
    found = _measured(level, inputs).pairs
    sentence, points = found.sentence(), found.frame()
    caption = f"Lengths by record: {counted(len(points), 'point')}."
    drawings = (draw_pairs(points, f"{name}-length-pairs", caption),) if found.n else ()
    return Content(sentences=(sentence,), drawings=drawings)


def _composition(level: str, inputs: str, name: str) -> Content:
    found = _measured(level, inputs).composition
    if not found.mixed:
        return Content(sentences=("No record has words of a human and synthetic words: there is no composition.",))
    bins = found.frame()
    records = counted(int(bins["records"].sum()), "record")
    caption = f"Human fraction of the words of {records}. A bar begins at the smallest fraction that it holds."
    drawing = draw_composition(bins, f"{name}-composition", caption)
    return Content(drawings=(drawing,), files={f"{name}-composition": bins})


def _term_weights(level: str, inputs: str, name: str) -> Content:
    from analysis.corpus_statistics.term_weights import weigh_terms  # scikit-learn: a second that other pages save

    found = weigh_terms(_opened(level, inputs).records)
    bins, terms = found.frame(), found.telling_terms()
    if bins.empty:
        return Content(sentences=(found.sentence(),))
    caption = "TF-IDF values above 0, by author: one value for each term of a text."
    drawing = draw_by_author(bins, ("value_from", "value_to"), "values", "TF-IDF", f"{name}-tf-idf", caption)
    table = _table(terms, "Terms by which the mean TF-IDF of an author exceeds that of others most", f"{name}-terms")
    files = {f"{name}-tf-idf": bins, f"{name}-terms": terms}
    return Content(sentences=(found.sentence(),), drawings=(drawing,), tables=(table,), files=files)


def _place(column: str) -> int:
    """Return the place of a column of the structure on the page: what the outline asks for comes first."""
    order = ("dataset", "generator", "records", "human_fraction", "_words", "_words_mean", "_words_sd", "texts")
    if column.endswith(_RARE):
        return len(order)
    return next(place for place, end in enumerate(order) if column.endswith(end))


def _table(frame: Any, title: str, name: str, on_demand: int = 0) -> Table:
    return Table(
        title=title,
        headers=tuple(column.replace("_", " ") for column in frame.columns),
        rows=tuple(
            tuple(_cell(column, value) for column, value in row.items())
            for row in frame.head(MAX_TABLE_ROWS).to_dict("records")
        ),
        names=sum(column in _NAMES for column in frame.columns),
        csv=f"tables/{name}.csv",
        left_out=max(0, len(frame) - MAX_TABLE_ROWS),
        on_demand=on_demand,
    )


def _cell(column: str, value: Any) -> str:
    """Return a value as text: a count whole, a fraction as a percentage, another number with four digits."""
    if column in _NAMES:
        return text_of(value)
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.1%}" if column == "human_fraction" and not pd.isna(value) else number(value)
