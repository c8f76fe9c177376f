"""Texts that count as one record: near-duplicates, found exactly and by bands, and chains of them."""

import json
import random
from pathlib import Path

import pandas as pd
import pytest

from analysis.thresholds import near_duplicates
from analysis.thresholds.corpus_texts import same_records
from analysis.thresholds.near_duplicates import near_duplicate_clusters
from analysis.thresholds.randomness import places
from analysis.thresholds.records import smallest_of_each


def words(seed: int, count: int = 120) -> list[str]:
    draw = random.Random(seed)
    return [f"w{draw.randrange(5000)}" for _ in range(count)]


def changed(text: list[str], every: int) -> list[str]:
    return [f"x{place}" if place % every == 0 else word for place, word in enumerate(text)]


def test_links_are_followed_through_chains_and_named_by_the_smallest() -> None:
    links = [("c", 1), ("b", 1), ("b", "k"), ("e", "k"), ("z", "k"), ("a", "x")]
    found = smallest_of_each(["a", "b", "c", "d", "e"], links)
    assert found == {"a": "a", "b": "b", "c": "b", "d": "d", "e": "b"}
    assert smallest_of_each(["a"], []) == {"a": "a"}


@pytest.mark.parametrize("exact", [10_000, 0], ids=["every pair", "bands"])
def test_texts_that_share_half_of_their_shingles_are_one(exact: int) -> None:
    texts = {f"other {seed:03d}": words(seed) for seed in range(300)}
    for seed in range(0, 300, 3):
        texts[f"same {seed:03d}"] = changed(texts[f"other {seed:03d}"], 40)  # 3 of 120 words: similarity 0.77
    for seed in range(1, 300, 3):
        texts[f"unlike {seed:03d}"] = changed(texts[f"other {seed:03d}"], 8)  # 15 of 120 words: similarity 0.22
    items = [
        (record, " ".join(text).upper() if "same" in record else "  ".join(text)) for record, text in texts.items()
    ]
    found = near_duplicate_clusters(items, exact=exact)
    assert set(found) == set(texts)
    for record, cluster in found.items():
        expected = record.replace("same", "other") if record.startswith("same") else record
        assert cluster == expected


def test_short_and_empty_texts_are_compared_whole() -> None:
    texts = [("a", "two words"), ("b", "two  Words"), ("c", "two"), ("d", ""), ("e", " "), ("f", "a b c d e f")]
    for exact in (100, 0):
        found = near_duplicate_clusters(texts, exact=exact)
        assert found == {"a": "a", "b": "a", "c": "c", "d": "d", "e": "e", "f": "f"}
    assert near_duplicate_clusters([]) == {}


def test_blocks_of_texts_are_compared_with_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(near_duplicates, "_BLOCK", 2)
    texts = [(f"{number}", " ".join(words(number % 3))) for number in range(7)]
    found = near_duplicate_clusters(texts)
    assert found == {str(number): str(number % 3) for number in range(7)}


def test_the_human_texts_of_a_corpus_are_compared_where_it_can_be_read(tmp_path: Path) -> None:
    path = tmp_path / "corpus.jsonl"
    human = [" ".join(words(number % 4)) for number in range(6)]
    rows = [{"id": f"r{n}", "text": text, "label": "human"} for n, text in enumerate(human)]
    rows += [{"id": "m", "text": human[0], "label": "machine"}]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    level = {
        "path": str(path),
        "text": "text",
        "label": "label",
        "id": "id",
        "human_labels": ["human"],
        "synthetic_labels": ["machine"],
    }
    wanted = {f"r{number}" for number in range(6)}
    found = same_records([json.dumps(level)], {}, wanted)
    assert found.clusters == {"r0": "r0", "r1": "r1", "r2": "r2", "r3": "r3", "r4": "r0", "r5": "r1"}
    assert found.scripts == ("LATIN",)
    assert found.remark == "2 of 6 records are near-duplicates, and count with another record"
    some = same_records([level], {}, {"r0", "r4"}).remark
    assert some.startswith("1 of 2 records are near-duplicates")
    assert "4 of 6 records with human text of the corpus have no row here: the run is not finished" in some
    assert "1 of 7 records are not in the corpus" in same_records([level], {}, wanted | {"gone"}).remark
    path.unlink()
    gone = same_records([level], {}, wanted)
    assert (gone.clusters, gone.scripts) == (None, None)
    assert "near-duplicates are not known: the corpus cannot be read from here" in gone.remark
    assert same_records([], {}, wanted).clusters is None


def test_categories_have_the_places_of_their_texts() -> None:
    texts = pd.Series(["b", None, "a", "b", ""], dtype=object)
    plain, coded = (places(pd.DataFrame({"x": column}), 3, "draw") for column in (texts, texts.astype("category")))
    assert plain.tolist() == coded.tolist()
    numbers = pd.Series([3, 1, 3], dtype="int64")
    coded = places(pd.DataFrame({"x": numbers.astype(str).astype("category")}), 3, "draw")
    assert coded.tolist() == places(pd.DataFrame({"x": numbers.astype(str)}), 3, "draw").tolist()
