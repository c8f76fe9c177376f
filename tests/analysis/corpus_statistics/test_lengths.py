"""Statistics of lengths, beside numpy, pandas and scipy over all texts at once."""

import itertools
import math
import random
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from analysis.corpus_statistics.length_distribution import EDGES
from analysis.corpus_statistics.length_pairs import MAX_POINTS
from analysis.corpus_statistics.one_pass import LengthStatistics, measure_lengths
from analysis.corpus_statistics.reservoir import Reservoir
from analysis.corpus_statistics.streaming_sums import PairSums, WholeSums
from scoring.corpora.records import Record, Text


def pair(human: str, synthetic: str, dataset: str = "d", generator: str = "g") -> Record:
    """A record with a text by each author."""
    return Record("id", dataset, (Text("human", generator, human), Text("synthetic", generator, synthetic)))


def words(count: int) -> str:
    """A text of so many words."""
    return " ".join(["word"] * count)


def sixty_pairs() -> list[Record]:
    """Pairs of two datasets and two generators, with correlated lengths; some texts are empty."""
    draw = random.Random(3)
    records = []
    for index in range(60):
        human = 0 if index == 7 else draw.randint(5, 900)
        synthetic = 0 if index in (7, 8) else max(1, int(human * draw.uniform(0.1, 0.9)))
        records.append(pair(words(human), words(synthetic), f"d{index % 2}", f"g{index % 3 % 2}"))
    return records


def lengths(records: Sequence[Record], author: str) -> list[int]:
    """Words of every text of an author."""
    return [len(text.text.split()) for record in records for text in record.texts if text.author == author]


def measured(records: Sequence[Record]) -> LengthStatistics:
    """Measure a stream, which can be read once only."""
    return measure_lengths(iter(records))


def test_the_structure_equals_the_naive_one() -> None:
    records = sixty_pairs()
    table = measured(records).structure.frame()
    assert list(table["dataset"]) == ["d0", "d0", "d1", "d1", "all"]
    for row in table.to_dict("records"):
        own = [
            record
            for record in records
            if row["dataset"] == "all"
            or (record.dataset, record.texts[0].generator) == (row["dataset"], row["generator"])
        ]
        assert (row["records"], row["texts"]) == (len(own), 2 * len(own))
        for author in ("human", "synthetic"):
            of_author = lengths(own, author)
            assert row[f"{author}_words"] == sum(of_author)
            assert row[f"{author}_words_mean"] == pytest.approx(np.mean(of_author), rel=1e-12)
            assert row[f"{author}_words_sd"] == pytest.approx(np.std(of_author, ddof=1), rel=1e-12)
            assert row[f"{author}_wordless_texts"] == of_author.count(0)
        human, synthetic = sum(lengths(own, "human")), sum(lengths(own, "synthetic"))
        assert row["human_fraction"] == pytest.approx(human / (human + synthetic), rel=1e-12)
    assert "3 texts have no words. They count with length 0." in measured(records).sentences()


def test_the_length_distribution_equals_numpys() -> None:
    records = sixty_pairs()
    bins = measured(records).distribution.frame()
    for author in ("human", "synthetic"):
        own = bins[bins["author"] == author]
        edges = [*own["words_from"], own["words_below"].iloc[-1]]
        of_author = [length for length in lengths(records, author) if length]
        expected = [sum(low <= length < high for length in of_author) for low, high in itertools.pairwise(edges)]
        assert list(own["texts"]) == expected
        assert own["texts"].sum() == len(of_author)
    assert measured(records).distribution.wordless == {"human": 1, "synthetic": 2}


def test_bins_have_whole_numbers_and_no_gaps() -> None:
    assert list(EDGES[:6]) == [1, 2, 3, 4, 5, 6]
    assert all(low < high for low, high in itertools.pairwise(EDGES))
    longest = measured([pair(words(1), words(1000))]).distribution.frame()
    assert longest["words_from"].min() == 1
    assert longest[longest["texts"] > 0]["words_from"].max() == 1000


def test_the_correlation_equals_scipys() -> None:
    records = sixty_pairs()
    both = [
        (human, synthetic)
        for human, synthetic in zip(lengths(records, "human"), lengths(records, "synthetic"), strict=True)
        if human and synthetic
    ]
    expected = stats.pearsonr(*np.log(np.array(both)).T)
    found = measured(records).pairs.correlation()
    interval = expected.confidence_interval(0.95)
    assert found.n == 58
    assert (found.r, found.low, found.high) == pytest.approx(
        (expected.statistic, interval.low, interval.high), rel=1e-9
    )
    assert sorted(measured(records).pairs.frame().itertuples(index=False, name=None)) == sorted(both)


def test_points_are_thinned_and_say_so() -> None:
    records = [pair(words(1 + index % 50), words(1 + index % 7)) for index in range(MAX_POINTS + 5)]
    found = measured(records).pairs
    assert (found.n, len(found.frame())) == (MAX_POINTS + 5, MAX_POINTS)
    assert "over 2,005 records. 2,000 of these records, drawn at random, are shown." in found.sentence()
    assert found.frame().equals(measured(records).pairs.frame())


def test_the_composition_counts_the_human_fraction_of_each_record() -> None:
    records = [pair(words(1), words(3)), pair(words(3), words(1)), pair(words(4), ""), pair("", words(2)), pair("", "")]
    found = measured(records).composition
    counts = dict(zip(found.frame()["fraction_from"].round(2), found.frame()["records"], strict=True))
    assert {edge: count for edge, count in counts.items() if count} == {0.0: 1, 0.25: 1, 0.75: 1, 0.95: 1}
    assert (found.mixed, found.wordless) == (2, 1)


def test_rows_that_are_no_record_are_counted_with_their_reason() -> None:
    bad = Record("id", "d", (), "bad_row")
    found = measured([bad, pair("a b", "c"), bad, Record("id", "d", (), "not_text")])
    assert found.structure.total().records == 1
    assert found.sentences() == ("3 rows are no valid record and are not counted: bad_row 2, not_text 1.",)


def test_texts_without_blanks_are_told() -> None:
    found = measured(
        [pair("私は昨日新しい本を買いました。それはとても面白いです。読むのが楽しみです。", "plain words here")]
    )
    assert "1 texts are in a script without blanks" in found.sentences()[0]
    assert found.structure.frame()["human_characters_mean"].iloc[0] == 37


@pytest.mark.parametrize("author", ["human", None])
def test_one_author_only(author: str | None) -> None:
    records = [Record("id", "d", (Text("human" if author else None, None, words(count)),)) for count in (3, 5)]
    found = measured(records)
    table = found.structure.frame()
    assert found.structure.authors == (author or "unknown",)
    assert table["human_fraction"].iloc[-1] == 1 if author else table["human_fraction"].isna().all()
    assert found.pairs.sentence().startswith("No record has words of a human and synthetic words")
    assert found.composition.mixed == 0


def test_one_record_and_no_record() -> None:
    one = measured([pair(words(2), words(3))])
    assert one.structure.frame()["human_words_sd"].isna().all()
    assert one.pairs.correlation().null_reason == "a correlation needs two pairs"
    assert "1 record)" in one.pairs.sentence()
    none = measured([])
    assert none.distribution.frame().empty
    assert list(none.structure.frame()["records"]) == [0]
    assert none.structure.frame()["human_fraction"].isna().all()


def test_more_groups_than_are_counted_apart() -> None:
    found = measured([pair("a", "b", f"d{index}") for index in range(1002)])
    table = found.structure.frame()
    assert len(table) == 1002  # 1,000 groups, the others, and the totals
    assert list(table[table["dataset"] == "(others)"]["records"]) == [2]
    assert table["records"].iloc[-1] == 1002


@given(st.lists(st.integers(0, 10**12)), st.lists(st.integers(0, 10**12)))
def test_sums_of_whole_numbers_are_exact(first: list[int], second: list[int]) -> None:
    sums, other = WholeSums(), WholeSums()
    for value in first:
        sums.add(value)
    for value in second:
        other.add(value)
    sums.merge(other)
    every = first + second
    assert (sums.n, sums.total) == (len(every), sum(every))
    assert sums.mean == (sum(every) / len(every) if every else None)
    if len(every) > 1:
        variance = sum((value * len(every) - sum(every)) ** 2 for value in every) / len(every) ** 2 / (len(every) - 1)
        assert sums.sd == pytest.approx(math.sqrt(variance), rel=1e-12)
    else:
        assert sums.sd is None


@given(st.lists(st.tuples(st.integers(1, 10**6), st.integers(1, 10**6)), min_size=4, max_size=60))
def test_pair_sums_equal_numpys(pairs: list[tuple[int, int]]) -> None:
    sums = PairSums()
    logs = np.log(np.array(pairs, float))
    for x, y in logs:
        sums.add(x, y)
    assert (sums.mean_x, sums.mean_y) == pytest.approx(tuple(logs.mean(axis=0)), rel=1e-9, abs=1e-12)
    assert sums.products == pytest.approx(((logs - logs.mean(axis=0)).prod(axis=1)).sum(), rel=1e-7, abs=1e-9)
    found = sums.correlation()
    assert found.r is None or -1 <= found.r <= 1
    assert found.low is None or (found.r is not None and found.high is not None and found.low <= found.r <= found.high)


def test_equal_lengths_have_no_correlation() -> None:
    found = measured([pair(words(5), words(count)) for count in (1, 2, 3, 4)]).pairs
    assert found.correlation().r is None
    assert "all values of one side are equal" in found.sentence()


def test_every_item_is_as_likely_in_the_reservoir() -> None:
    counts = np.zeros(20)
    for seed in range(2000):
        kept: Reservoir[int] = Reservoir(5, seed)
        for item in range(20):
            kept.add(item)
        counts[kept.items] += 1
    assert stats.chisquare(counts).pvalue > 0.001
