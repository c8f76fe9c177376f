"""Fragments of a record depend on the record and the settings alone."""

import hashlib
import random
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from scoring.corpora.records import Record, Text
from scoring.fragment_settings import fragment_settings
from scoring.fragments import Fragment, cut


def words(count: int, stem: str = "w") -> str:
    return " ".join(f"{stem}{index}" for index in range(count))


def paired(human: str, synthetic: str, record_id: str = "r1") -> Record:
    return Record(record_id, "d", (Text("human", "g", human), Text("synthetic", "g", synthetic)))


def by_author(fragments: tuple[Fragment, ...], author: str) -> list[Fragment]:
    return [fragment for fragment in fragments if fragment.author == author]


@pytest.mark.parametrize(
    ("mode", "defaults"),
    [
        ("random", {"min_words": 10, "max_words": 300, "seed": 0, "balanced": True}),
        ("window", {"words": 200, "step": 100}),
    ],
)
def test_defaults_are_the_published_ones(mode: str, defaults: dict[str, int]) -> None:
    assert fragment_settings({"mode": mode}).model_dump(exclude_none=True) == {"mode": mode} | defaults


RANDOM = fragment_settings({"mode": "random", "min_words": 10, "max_words": 50, "seed": 3})


@given(st.integers(0, 400), st.integers(0, 400), st.integers(0, 10**6))
def test_random_fragments_pair_up_and_never_overlap(humans: int, machines: int, number: int) -> None:
    record = paired(words(humans, "h"), words(machines, "s"), f"r{number}")
    result = cut(record, RANDOM)
    human, synthetic = (by_author(result.fragments, author) for author in ("human", "synthetic"))
    assert [f.fragment_index for f in human] == [f.fragment_index for f in synthetic]
    if min(humans, machines) < 10:
        assert {f.null_reason for f in result.fragments} <= {"too_short", "empty_text"}
        assert result.dropped_words == humans + machines
        return
    assert [f.length_words for f in human] == [f.length_words for f in synthetic]
    for fragments, total, stem in ((human, humans, "h"), (synthetic, machines, "s")):
        seen: set[int] = set()
        for fragment in fragments:
            span = range(fragment.start_word or 0, (fragment.start_word or 0) + (fragment.length_words or 0))
            assert 10 <= len(span) <= 50
            assert not seen & set(span)
            assert span.stop <= total
            assert fragment.text.split() == [f"{stem}{index}" for index in span]
            seen |= set(span)
    kept = sum(f.length_words or 0 for f in result.fragments)
    assert result.dropped_words == humans + machines - kept


def test_a_text_below_min_words_is_too_short_and_a_text_without_words_is_empty() -> None:
    fragments = cut(paired(words(9), "  \n"), RANDOM).fragments
    assert [(f.author, f.null_reason, f.length_words) for f in fragments] == [
        ("human", "too_short", 9),
        ("synthetic", "empty_text", 0),
    ]


def test_a_text_without_words_leaves_its_record_without_fragments_and_every_word_is_told() -> None:
    for texts in (paired(words(200), ""), paired("", words(200))):
        with_words, without = sorted(cut(texts, RANDOM).fragments, key=lambda f: -(f.length_words or 0))
        assert (with_words.null_reason, with_words.length_words, with_words.dropped_words) == ("too_short", 200, 200)
        assert (with_words.unpaired_words, without.unpaired_words) == (200, 0)
        assert (without.null_reason, without.dropped_words) == ("empty_text", 200)


def test_the_draw_that_reaches_beyond_the_text_ends_the_walk() -> None:
    records = [paired(words(120), words(120), f"r{number}") for number in range(100)]
    dropped = [cut(record, RANDOM).dropped_words for record in records]
    assert sum(left >= 2 * 10 for left in dropped) > 50, "what is left may be longer than min_words"


def test_every_prefix_of_a_text_is_asked_for() -> None:
    fragments = cut(paired(words(9), words(8)), fragment_settings({"mode": "prefix", "tokens": [4, 8]})).fragments
    assert [(f.author, f.prefix_tokens) for f in fragments] == [("human", (4, 8)), ("synthetic", (4, 8))]


def test_random_walks_start_at_the_front_for_half_of_the_records() -> None:
    starts = []
    for number in range(200):
        fragments = cut(paired(words(300), words(200), f"r{number}"), RANDOM).fragments
        starts.append(by_author(fragments, "human")[0].start_word == 0)
    assert 70 < sum(starts) < 130


def test_a_walk_from_the_back_ends_with_each_text() -> None:
    for number in range(20):
        fragments = cut(paired(words(300, "h"), words(200, "s"), f"r{number}"), RANDOM).fragments
        human, synthetic = by_author(fragments, "human")[0], by_author(fragments, "synthetic")[0]
        if human.start_word != 0:
            assert (human.start_word or 0) + (human.length_words or 0) == 300
            assert (synthetic.start_word or 0) + (synthetic.length_words or 0) == 200
            return
    pytest.fail("no walk started at the back")


@pytest.mark.slow
def test_lengths_are_uniform_between_the_limits() -> None:
    lengths = [
        fragment.length_words or 0
        for number in range(400)
        for fragment in by_author(cut(paired(words(2000), words(2000), str(number)), RANDOM).fragments, "human")
    ]
    assert min(lengths) == 10
    assert max(lengths) == 50
    assert sum(lengths) / len(lengths) == pytest.approx(30, abs=0.5)


RECORDS = [paired(words(150 + 7 * number, "h"), words(90 + 5 * number, "s"), f"r{number}") for number in range(24)]
LEVELS: list[dict[str, object]] = [
    {"mode": "random", "min_words": 10, "max_words": 60},
    {"mode": "window", "words": 40, "step": 20},
    {"mode": "prefix", "tokens": [4, 8]},
    {"mode": "whole"},
]


@given(st.sampled_from(LEVELS), st.integers(1, 30), st.randoms(use_true_random=False))
def test_shards_and_their_order_never_change_a_fragment(
    level: Mapping[str, object], shard_size: int, order: random.Random
) -> None:
    settings = fragment_settings(level)
    whole = [fragment for record in RECORDS for fragment in cut(record, settings).fragments]
    shards = [RECORDS[start : start + shard_size] for start in range(0, len(RECORDS), shard_size)]
    order.shuffle(shards)
    pieces = [fragment for shard in shards for record in shard for fragment in cut(record, settings).fragments]
    assert sorted(map(repr, pieces)) == sorted(map(repr, whole))


def test_another_seed_cuts_elsewhere() -> None:
    record = paired(words(500), words(500))
    one, two = (cut(record, fragment_settings({"mode": "random", "seed": seed})).fragments for seed in (1, 2))
    assert [f.length_words for f in one] != [f.length_words for f in two]


def test_windows_overlap_and_the_last_ends_with_the_text() -> None:
    settings = fragment_settings({"mode": "window", "words": 40, "step": 30})
    fragments = cut(Record("r", None, (Text(None, None, words(105)),)), settings).fragments
    assert [(f.start_word, f.length_words) for f in fragments] == [(0, 40), (30, 40), (60, 40), (65, 40)]
    assert fragments[-1].text.endswith("w104")
    short = cut(Record("r", None, (Text(None, None, words(5)),)), settings).fragments
    assert [(f.start_word, f.length_words) for f in short] == [(0, 5)]


def test_blanks_are_no_words_and_stay_in_the_text() -> None:
    text = "  one   two\n\nthree\tfour  "
    (whole,) = cut(Record("r", None, (Text(None, None, text),)), fragment_settings({"mode": "whole"})).fragments
    assert (whole.text, whole.length_words) == (text, 4)
    settings = fragment_settings({"mode": "window", "words": 3, "step": 3})
    first = cut(Record("r", None, (Text(None, None, text),)), settings).fragments[0]
    assert first.text == "one   two\n\nthree"
    assert first.text_sha256 == hashlib.sha256(b"one   two\n\nthree").hexdigest()


@pytest.mark.parametrize("level", LEVELS)
def test_an_empty_text_is_one_row_with_a_reason(level: Mapping[str, object]) -> None:
    fragments = cut(Record("r", None, (Text("human", None, " \n"),)), fragment_settings(level)).fragments
    assert [fragment.null_reason for fragment in fragments] == ["empty_text"]


def test_a_bad_record_is_one_row_with_its_reason() -> None:
    result = cut(Record("r", "d", (), "bad_row"), RANDOM)
    assert [(f.record_id, f.null_reason, f.author) for f in result.fragments] == [("r", "bad_row", None)]


@pytest.mark.parametrize(
    ("level", "message"),
    [
        ({"mode": "rnadom"}, "random.*prefix.*window.*whole"),
        ({"mode": "random", "min_words": 50, "max_words": 10}, "above max_words 10: swap"),
        ({"mode": "rnadom"}, r"mode 'rnadom' is unknown \(did you mean 'random'\?\); allowed are random, prefix"),
        ({"words": 5}, "key 'mode' is missing"),
        ({"mode": "random", "words": 5}, "key 'words' is unknown.*allowed are mode, min_words, max_words, seed"),
        ({"mode": "random", "max_words": 2**31}, "max_words: seen 2147483648; 2147483647 or less is needed"),
        ({"mode": "random", "min_words": 0}, "min_words: seen 0; 1 or more is needed"),
        ({"mode": "random", "min_words": True}, "min_words: seen True; a whole number is needed"),
        ({"mode": "random", "min_words": 1.5}, "min_words: seen 1.5; a whole number is needed"),
        ({"mode": "random", "min_words": "many"}, "min_words: seen 'many'; a whole number is needed"),
        ({"mode": "random", "seed": 2**63}, "seed: seen 9223372036854775808; 9223372036854775807 or less"),
        ({"mode": "random", "seed": -(2**63) - 1}, "seed: .* or more is needed"),
        ({"mode": "window", "words": 2**31, "step": 1}, "words: .*2147483647 or less"),
        ({"mode": "window", "step": 2**77}, "step: .*2147483647 or less"),
        ({"mode": "prefix", "tokens": [16, 3 * 10**9]}, r"tokens\.1: seen 3000000000; 2147483647 or less"),
        ({"mode": "prefix", "tokens": [1]}, r"tokens\.0: seen 1; 2 or more"),
        ({"mode": "prefix", "tokens": 16}, "tokens: seen 16; a list"),
        ({"mode": "prefix"}, "key 'tokens' is missing"),
        ({"mode": "prefix", "tokens": []}, "at least 1"),
        ({"mode": "prefix", "tokens": [16, 8]}, "must rise"),
        ({"mode": "window", "words": 10, "step": 20}, "words between windows would be lost; give a step of 10 or less"),
    ],
)
def test_wrong_settings_say_what_is_wrong(level: Mapping[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message) as caught:
        fragment_settings(level)
    assert not any(word in str(caught.value).split("[type=")[0] for word in ("Input should", "Extra inputs", "Field "))
