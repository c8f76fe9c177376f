"""TF-IDF in batches, beside scikit-learn's vectorizer over all texts at once, and its peak of memory."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer

from analysis.corpus_statistics import text_batches
from analysis.corpus_statistics.term_weights import BINS, weigh_terms
from analysis.corpus_statistics.vocabulary import count_terms
from scoring.corpora.records import Record, Text


def corpus(count: int = 60) -> list[Record]:
    """Paired records in which human texts say 'heron' and synthetic ones 'delve'; one text is empty."""
    draw = np.random.default_rng(1)

    def text(own: str) -> str:
        return " ".join([own, *(f"Word{rank}," for rank in draw.zipf(1.5, draw.integers(1, 80)))])

    records = [
        Record(str(index), "d", (Text("human", None, text("heron")), Text("synthetic", None, text("delve"))))
        for index in range(count)
    ]
    return [*records, Record("empty", "d", (Text("human", None, ""),)), Record("bad", "d", (), "bad_row")]


@pytest.mark.parametrize("batch_texts", [1, 7, 500])
def test_values_equal_those_of_one_matrix(batch_texts: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_batches, "BATCH_TEXTS", batch_texts)
    records = corpus()
    found = weigh_terms(lambda: iter(records))
    texts = [text for record in records for text in record.texts]
    vectorizer = TfidfVectorizer()
    matrix = vectorizer.fit_transform([text.text for text in texts])
    assert found.vocabulary.terms == list(vectorizer.get_feature_names_out())
    assert found.vocabulary.idf == pytest.approx(vectorizer.idf_, rel=1e-12)
    for author in ("human", "synthetic"):
        own = matrix[[index for index, text in enumerate(texts) if text.author == author]]
        weights = found.authors[author]
        assert weights.texts == own.shape[0]
        assert weights.sums == pytest.approx(np.asarray(own.sum(axis=0)).ravel(), rel=1e-9, abs=1e-12)
        assert weights.counts.tolist() == np.histogram(own.data, BINS, (0, 1))[0].tolist()


def test_telling_terms_are_those_of_the_author() -> None:
    found = weigh_terms(corpus).telling_terms()
    first = found.groupby("author").first()
    assert first["term"].to_dict() == {"human": "heron", "synthetic": "delve"}
    assert first["texts"].to_dict() == {"human": 60, "synthetic": 60}
    assert (found["difference"] > 0).all()
    assert (found["difference"] == found["mean"] - found["mean_of_others"]).all()


def test_one_author_has_no_others() -> None:
    records = [Record("a", "d", (Text(None, None, "heron heron stork"),))]
    found = weigh_terms(lambda: iter(records)).telling_terms()
    assert list(found["author"].unique()) == ["unknown"]
    assert list(found["term"]) == ["heron", "stork"]
    assert found["mean_of_others"].isna().all()


@pytest.mark.parametrize("texts", [(), ("",), ("a . !",)])
def test_texts_without_terms(texts: tuple[str, ...]) -> None:
    records = [Record("a", "d", tuple(Text("human", None, text) for text in texts))]
    found = weigh_terms(lambda: iter(records))
    assert found.frame().empty
    assert found.telling_terms().empty
    assert found.sentence().startswith(f"TF-IDF of 0 terms in {len(texts)} texts.")


def test_a_text_of_one_term_is_in_the_last_bin() -> None:
    bins = weigh_terms(lambda: iter([Record("a", "d", (Text("human", None, "stork stork stork"),))])).frame()
    assert bins["values"].iloc[-1] == bins["values"].sum() == 1


def test_too_many_terms_drop_the_rarest_and_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_batches, "BATCH_TEXTS", 10)
    texts = [f"heron stork once{index} only{index}" for index in range(40)]
    records = [Record(text, "d", (Text("human", None, text),)) for text in texts]
    found = count_terms(records, max_terms=15)
    assert {"heron", "stork"} <= set(found.places)
    assert len(found.places) <= 15
    assert found.dropped == 80
    assert found.text_counts[found.places["heron"]] == 40
    assert "were dropped 80 times" in weigh_terms(lambda: iter(records), max_terms=15).sentence()


def test_a_long_text_has_a_batch_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_batches, "BATCH_CHARACTERS", 10)
    texts = tuple(Text("human", None, text) for text in ("aa", "b" * 30, "cc", "dd"))
    batches = list(text_batches.batch_texts([Record("a", "d", texts)]))
    assert [batch.texts for batch in batches] == [["aa"], ["b" * 30], ["cc", "dd"]]


@pytest.mark.slow
def test_a_million_words_take_little_memory(tmp_path: Path) -> None:
    """A dense matrix of these texts and terms would take 1.7 GB."""
    command = [sys.executable, "-m", "bench.corpus_statistics", "--words", "1000000", "--folder", str(tmp_path)]
    line = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    words, terms, peak = re.fullmatch(r"([\d,]+) words, ([\d,]+) terms .* ([\d,]+) after TF-IDF\n", line).groups()
    assert int(words.replace(",", "")) >= 1_000_000
    assert int(terms.replace(",", "")) > 50_000
    assert int(peak.replace(",", "")) < 500


def test_a_batch_holds_so_many_texts_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_batches, "BATCH_TEXTS", 2)
    records = [Record("a", "d", (Text("human", None, "aa"), Text("synthetic", None, "bb"), Text(None, None, "cc")))]
    assert [batch.authors for batch in text_batches.batch_texts(records)] == [["human", "synthetic"], ["unknown"]]
