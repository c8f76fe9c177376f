"""What is said of scores and pairs: only what their texts carry."""

import numpy as np
import pandas as pd
import pytest

from analysis.sections.scores.pair_statistics import comparisons, statistics
from analysis.sections.scores.ranking import groups_of, ranking
from analysis.sections.scores.setting import Setting


def table(*rows: tuple[str, float, float | None, float | None]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["setting", "auroc", "auroc_low", "auroc_high"])
    return frame.assign(records=100).astype({"auroc_low": "float64", "auroc_high": "float64"})


def pairwise(**p: float) -> pd.DataFrame:
    return pd.DataFrame(
        [(*names.split("_"), value) for names, value in p.items()], columns=["first", "second", "p_holm"]
    )


def test_the_best_is_named_with_its_interval() -> None:
    said = ranking(table(("a", 0.96, 0.94, 0.98), ("b", 0.9, 0.85, 0.93)), pairwise(a_b=0.001))
    assert said == ["a separates best: AUROC 0.960 (0.940–0.980)."]


def test_a_best_that_cannot_be_told_apart_does_not_separate_best() -> None:
    said = ranking(table(("a", 0.96, 0.94, 0.98), ("b", 0.95, 0.93, 0.97)), pairwise(a_b=0.4))
    assert said == ["a has the highest AUROC: 0.960 (0.940–0.980); it cannot be told apart from b."]


def test_texts_of_two_corpora_are_not_compared() -> None:
    texts = pd.DataFrame({"is_human": [True, False] * 30, "record_id": range(60), "score": range(60)})
    settings = [Setting(name, {"corpus": name}, texts) for name in ("a.csv", "b.csv")]
    found, said = comparisons(settings)
    assert found.empty
    assert said == "Nothing is compared: texts of different corpus or fragments are not the same."


def test_a_corpus_that_follows_from_the_pair_is_another_corpus_all_the_same() -> None:
    texts = pd.DataFrame({"is_human": [True, False] * 30, "record_id": range(60), "score": range(60)})
    settings = [Setting(name, {"pair": name}, texts.assign(corpus=f"{name}.csv")) for name in "ab"]
    assert comparisons(settings)[1] == "Nothing is compared: texts of different corpus or fragments are not the same."
    assert len(comparisons([Setting(one.name, one.levels, texts) for one in settings])[0]) == 1


def test_pairs_are_compared_within_their_corpus() -> None:
    """Two of the six comparisons are of the same texts."""
    draw = np.random.default_rng(0)
    human = np.arange(60) % 2 == 0
    texts = pd.DataFrame({"is_human": human, "record_id": range(60)})
    settings = [
        Setting(f"{pair} {corpus}", {"corpus": corpus}, texts.assign(score=draw.normal(size=60) + shift * human))
        for corpus in "xy"
        for pair, shift in (("good", 3.0 if corpus == "x" else 2.5), ("bad", 0.0))
    ]
    found, said = comparisons(settings)
    assert {*zip(found["first"], found["second"], strict=True)} == {("good x", "bad x"), ("good y", "bad y")}
    assert found["p_holm"].max() == pytest.approx(found["p"].max())
    assert found["p_holm"].min() == pytest.approx(2 * found["p"].min())
    assert said.startswith("Only pairs of the same corpus and fragments are compared")
    assert ranking(statistics(settings), found)[-1].startswith("good x separates best among the 2 pairs of its texts: ")


def test_a_best_on_texts_of_its_own_is_compared_with_none() -> None:
    three = table(("a", 0.96, 0.94, 0.98), ("b", 0.9, 0.85, 0.93), ("c", 0.6, 0.55, 0.65))
    said = ranking(three, pairwise(b_c=0.001))
    assert said == ["a has the highest AUROC: 0.960 (0.940–0.980). The others are not compared with it."]


def test_a_perfect_auroc_of_few_machine_texts_is_too_few_whatever_the_human_texts() -> None:
    human = np.arange(90) < 60
    record = np.where(human, np.arange(90), np.arange(90) % 10)  # three machine texts in each of ten records
    texts = pd.DataFrame({"is_human": human, "record_id": record, "score": human * 1.0})
    said = ranking(statistics([Setting("a", {}, texts)]), pd.DataFrame())
    assert said == ["Too few records to rank: 20 with human and with synthetic text are needed."]


def test_paired_texts_of_few_records_have_no_p() -> None:
    draw = np.random.default_rng(0)
    human = np.tile([True, False], 40)
    texts = pd.DataFrame({"is_human": human, "record_id": np.repeat(range(40), 2), "score": draw.normal(size=80)})
    apart = texts.assign(prefix_tokens=np.where(human, 32, np.where(texts["record_id"] < 8, 32, 16)))
    assert statistics([Setting("a", {}, texts)])["p_paired"].notna().all()
    row = statistics([Setting("a", {}, apart)]).iloc[0]
    assert (row["pairs"], row["p_paired"]) == (8, None)
    assert row["p_welch"] > 0


def test_more_looks_need_more_than_one_interval() -> None:
    one = table(("a", 0.65, 0.52, 0.76))
    assert ranking(one, pd.DataFrame()) == ["a: AUROC 0.650 (0.520–0.760)."]
    assert ranking(one, pd.DataFrame(), looks=12)[0].startswith("No pair is shown to separate")


def test_groups_need_every_difference_between_them() -> None:
    known = pairwise(a_b=0.5, a_c=0.001, b_c=0.001, a_d=0.001, b_d=0.001, c_d=0.9)
    assert groups_of("abcd", known) == [["a", "b"], ["c", "d"]]
    chain = pairwise(a_b=0.5, a_c=0.001, b_c=0.5)
    assert groups_of("abc", chain) is None


def test_an_auroc_below_one_half_is_said_and_not_turned() -> None:
    said = ranking(table(("a", 0.9, 0.85, 0.95), ("b", 0.3, 0.2, 0.4)), pairwise(a_b=0.001))
    assert said[0].startswith("b: AUROC 0.300 (0.200–0.400) is below 0.5: here this score points the other way")


def test_an_interval_around_one_half_separates_nothing() -> None:
    said = ranking(table(("a", 0.55, 0.45, 0.65), ("b", 0.51, 0.4, 0.6)), pairwise(a_b=0.9))
    assert said == [
        "No pair is shown to separate human from synthetic text: a has AUROC 0.550 (0.450–0.650), the highest of 2."
    ]


def test_too_few_records_rank_nothing() -> None:
    said = ranking(table(("a", 0.9, None, None)).assign(records=8), pd.DataFrame())
    assert said == ["Too few records to rank: 20 with human and with synthetic text are needed."]
