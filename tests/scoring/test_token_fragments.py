"""Fragments whose lengths are tokens: pieces of the text that split no character, of the lengths asked for."""

import json
import re
from collections.abc import Sequence
from functools import cache, partial
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import ValidationError
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from models.errors import ModelUnsupported
from scoring.corpora.records import Record, Text
from scoring.fragment_settings import RandomFragments, WindowFragments
from scoring.fragments import Cut, Fragment, cut, fragment_settings
from scoring.spans import Span, Units, balanced_spans, paired_span, token_units, unbalanced_spans, window_spans
from scoring.tokens import token_spans
from tests.scoring.families import byte_tokenizer

SAMPLES = (
    "The quick brown fox jumps over the lazy dog, and it's 3.14159 again.",
    "今天天气很好，我们一起去公园散步。日本語の文章には空白がありません。",
    "ภาษาไทยเขียนติดกันโดยไม่มีการเว้นวรรคระหว่างคำ",
    "🙂👍🏽👩‍👩‍👧 naïve café Straße\tРусский  \n\n end ",
)


@cache
def tokenizer_of(name: str) -> PreTrainedTokenizerFast:
    match name:
        case "bytes":
            return byte_tokenizer()
        case "byte pairs":
            tokenizer = Tokenizer(models.BPE())
            tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
            trainer: Any = trainers.BpeTrainer(
                vocab_size=330, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
            )
        case "metaspace":
            tokenizer = Tokenizer(models.Unigram())
            tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
            tokenizer.decoder = decoders.Metaspace()
            trainer = trainers.UnigramTrainer(
                vocab_size=120, unk_token="<unk>", special_tokens=["<unk>"], show_progress=False
            )
        case _:
            tokenizer = Tokenizer(models.WordLevel({"<unk>": 0}, unk_token="<unk>"))
            tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
            return PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="<unk>")
    tokenizer.train_from_iterator(SAMPLES, trainer)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer)


TOKENIZERS = st.sampled_from(["bytes", "byte pairs", "metaspace", "words"])
TEXTS = st.lists(
    st.one_of(st.sampled_from(SAMPLES), st.text(st.characters(codec="utf-8"), max_size=20)), min_size=1, max_size=6
).map(" ".join)


def cut_by(tokenizer: str, texts: Sequence[str], **level: object) -> Cut:
    authors = ("human", "synthetic", "synthetic")
    record = Record("r", "d", tuple(Text(author, "g", text) for author, text in zip(authors, texts, strict=False)))  # type: ignore[arg-type]
    return cut(record, fragment_settings(level), partial(token_spans, tokenizer_of(tokenizer)))


@given(TOKENIZERS, TEXTS, TEXTS, st.integers(1, 12), st.integers(8, 40), st.integers(0, 5))
def test_balanced_fragments_have_the_same_lengths_in_tokens_in_both_texts(
    tokenizer: str, human: str, synthetic: str, shortest: int, more: int, seed: int
) -> None:
    level = {"mode": "random", "min_tokens": shortest, "max_tokens": shortest + more, "seed": seed}
    settings = fragment_settings(level)
    assert isinstance(settings, RandomFragments)
    texts = (human, synthetic)
    units = [token_units(token_spans(tokenizer_of(tokenizer), text) if text.split() else ()) for text in texts]
    spans = balanced_spans("r", units, settings)
    lengths = [[stop - start for start, stop in of_text] for of_text in spans]
    assert lengths[0] == lengths[1]
    assert all(shortest <= length <= shortest + more for length in lengths[0])
    fragments = cut_by(tokenizer, texts, **level).fragments
    for author, text, of_text, its_units in zip(("human", "synthetic"), texts, spans, units, strict=True):
        check_pieces(text, [f for f in fragments if f.author == author], of_text, its_units)


@given(TOKENIZERS, TEXTS, st.integers(1, 12), st.integers(8, 40), st.integers(0, 5))
def test_unbalanced_fragments_leave_less_than_a_fragment(
    tokenizer: str, text: str, shortest: int, more: int, seed: int
) -> None:
    level = {"mode": "random", "min_tokens": shortest, "max_tokens": shortest + more, "seed": seed, "balanced": False}
    settings = fragment_settings(level)
    assert isinstance(settings, RandomFragments)
    units = token_units(token_spans(tokenizer_of(tokenizer), text) if text.split() else ())
    spans = unbalanced_spans(json.dumps(["r", "human", "g", 0]), units, settings)
    lengths = [stop - start for start, stop in spans]
    assert all(shortest <= length <= shortest + more for length in lengths)
    assert len(units) - sum(lengths) < shortest
    check_pieces(text, cut_by(tokenizer, [text], **level).fragments, spans, units)


def check_pieces(text: str, fragments: Sequence[Fragment], spans: Sequence[Span], units: Units) -> None:
    """Check that fragments are the disjoint pieces of the text that the spans name, numbered as they were drawn."""
    if not spans:
        assert [f.null_reason for f in fragments] == ["too_short" if text.split() else "empty_text"]
        return
    places = [units.characters(span) for span in spans]
    assert [f.text for f in fragments] == [text[start:stop] for start, stop in places]
    assert [f.fragment_index for f in fragments] == list(range(len(spans)))
    assert [f.length_words for f in fragments] == [len(f.text.split()) for f in fragments]
    for (_, stop), (start, _) in pairwise(sorted(places)):
        assert stop <= start


@given(TOKENIZERS, TEXTS, st.integers(1, 30), st.data())
def test_windows_hold_every_token_and_whole_characters(
    tokenizer: str, text: str, width: int, data: st.DataObject
) -> None:
    level = {"mode": "window", "tokens": width, "step": data.draw(st.integers(1, width))}
    spans = token_spans(tokenizer_of(tokenizer), text)
    units = token_units(spans)
    settings = fragment_settings(level)
    assert isinstance(settings, WindowFragments)
    windows = list(window_spans(units, settings))
    fragments = cut_by(tokenizer, [text], **level).fragments
    if not text.split() or not windows:
        assert [fragment.null_reason for fragment in fragments] == ["too_short" if text.split() else "empty_text"]
        return
    assert [f.text for f in fragments] == [text[start:end] for start, end in map(units.characters, windows)]
    assert (windows[0][0], windows[-1][1]) == (0, len(spans))
    for (start, stop), (next_start, next_stop) in pairwise(windows):
        assert start < next_start <= stop <= next_stop
    for start, stop in windows:
        assert stop - start <= width or not any(start < bound < stop for bound in units.bounds)
    for bound in units.bounds[1:-1]:
        assert max(end for _, end in spans[:bound]) <= min(start for start, end in spans[bound:] if end > start)


@given(TEXTS, TEXTS, st.integers(1, 6), st.booleans())
@example(human="It's 3.14159 again.", synthetic="It's 3.14159 again. <s>", shortest=1, balanced=False)
def test_fragments_hold_whole_characters_also_where_a_token_is_a_byte(
    human: str, synthetic: str, shortest: int, balanced: bool
) -> None:
    result = cut_by(
        "bytes", [human, synthetic], mode="random", min_tokens=shortest, max_tokens=shortest + 8, balanced=balanced
    )
    for fragment in result.fragments:
        if fragment.null_reason is None:
            one_token = re.sub("<s>|</s>|<unk>", "x", fragment.text)  # a special token's name is a token, not its bytes
            assert shortest <= len(one_token.encode()) <= shortest + 8
            assert fragment.text in (human if fragment.author == "human" else synthetic)


def test_a_text_without_blanks_is_cut_by_tokens_and_told_where_words_are_asked_for() -> None:
    chinese = SAMPLES[1].replace(" ", "") * 4
    assert [f.null_reason for f in cut_by("bytes", [chinese], mode="random").fragments] == ["no_blanks"]
    fragments = cut_by("bytes", [chinese], mode="random", min_tokens=16, max_tokens=64).fragments
    assert len(fragments) > 3
    assert {f.null_reason for f in fragments} == {None}
    assert [f.null_reason for f in cut_by("bytes", [chinese], mode="whole").fragments] == [None]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (SAMPLES[2], "no_blanks"),
        ("ໂລກນີ້ແມ່ນສວຍງາມຫຼາຍແລະກວ້າງໃຫຍ່", "no_blanks"),
        ("ខ្ញុំស្រឡាញ់ភាសាខ្មែរណាស់", "no_blanks"),
        ("ကျွန်တော်သည်မြန်မာစာကိုဖတ်သည်", "no_blanks"),
        ("今天天气", "too_short"),  # four characters are no ten words in any script
        ("我们 喜欢 看书 学习 和 散步", "too_short"),  # its words were divided by a program
        ("three English words", "too_short"),
        ("https://example.org/" + "a" * 80, "too_short"),
        ("https://example.org/" + "a" * 80 + "今天天气很好我们一起去公园", "too_short"),  # most letters are Latin
        ("한국어 문장에는 띄어쓰기가 있습니다", "too_short"),
        (" \n", "empty_text"),
    ],
)
def test_too_few_words_are_told_apart_from_no_blanks(text: str, reason: str) -> None:
    assert [f.null_reason for f in cut_by("bytes", [text], mode="random").fragments] == [reason]


def test_the_words_behind_the_shorter_text_are_counted_for_its_author() -> None:
    human, synthetic = " ".join(["word"] * 100), " ".join(["word"] * 60)
    for unit in ("words", "tokens"):
        limits = {f"min_{unit}": 10, f"max_{unit}": 12}
        result = cut_by("words", [human, synthetic], mode="random", **limits)
        left = {f.author: f.unpaired_words for f in result.fragments}
        assert left == {"human": 40, "synthetic": 0}
        kept = sum(f.length_words or 0 for f in result.fragments)
        assert result.dropped_words == 160 - kept > 40
        unbalanced = cut_by("words", [human, synthetic], mode="random", balanced=False, **limits)
        assert {f.unpaired_words for f in unbalanced.fragments} == {0}
        assert unbalanced.dropped_words < 20


def test_unbalanced_draws_differ_between_texts_of_one_author_and_between_authors() -> None:
    text = " ".join(["word"] * 300)
    result = cut_by("words", [text, text, text], mode="random", balanced=False, min_words=5, max_words=50)
    numbers = [f.fragment_index for f in result.fragments if f.author == "synthetic"]
    assert numbers == list(range(len(numbers)))
    by_text: list[list[int]] = [[]]
    for fragment in result.fragments:
        if sum(by_text[-1]) > 295 or (by_text[-1] and fragment.author == "synthetic" and len(by_text) == 1):
            by_text.append([])
        by_text[-1].append(fragment.length_words or 0)
    assert len({json.dumps(lengths) for lengths in by_text}) == len(by_text) == 3


def test_a_slow_tokenizer_says_what_to_do() -> None:
    class Slow:
        is_fast = False

    slow: Any = Slow()
    with pytest.raises(ModelUnsupported, match=r"Slow is a slow tokenizer.*lengths of fragments in words"):
        token_spans(slow, "text")


@pytest.mark.parametrize(
    ("level", "message"),
    [
        (
            {"mode": "random", "min_words": 5, "max_tokens": 9},
            r"given in words \(min_words\) and in tokens \(max_tokens\)",
        ),
        ({"mode": "random", "min_tokens": 5}, "min_tokens is given alone: give both min_tokens and max_tokens"),
        ({"mode": "random", "min_tokens": 9, "max_tokens": 5}, "min_tokens 9 is above max_tokens 5: swap them"),
        ({"mode": "random", "min_tokens": 0, "max_tokens": 5}, "min_tokens: seen 0; 1 or more is needed"),
        ({"mode": "random", "max_tokens": "all"}, "max_tokens: seen 'all'; a whole number is needed"),
        ({"mode": "random", "balanced": "no"}, "balanced: seen 'no'; true or false is needed"),
        ({"mode": "window", "words": 5, "tokens": 9}, r"given in words \(words\) and in tokens \(tokens\)"),
        ({"mode": "window", "tokens": 50}, "step 100 is above tokens 50: tokens between windows would be lost"),
        ({"mode": "window", "balanced": False}, "key 'balanced' is unknown.*allowed are mode, words, step, tokens"),
    ],
)
def test_wrong_settings_say_what_is_wrong(level: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        fragment_settings(level)


def test_lengths_in_tokens_need_a_tokenizer() -> None:
    with pytest.raises(ValueError, match="cut with the pair's tokenizer"):
        cut(Record("r", None, (Text(None, None, "a b"),)), fragment_settings({"mode": "window", "tokens": 100}))


def test_a_last_character_of_more_tokens_than_a_window_ends_the_last_window() -> None:
    units = token_units([(0, 1), (1, 2), (1, 2), (1, 2)])
    assert list(window_spans(units, WindowFragments(mode="window", tokens=2, step=2))) == [(0, 1), (1, 4)]


def test_tokens_without_characters_at_the_end_are_no_piece_of_their_own() -> None:
    assert list(token_units([(0, 1), (1, 2), (2, 2)]).bounds) == [0, 1, 3]


@pytest.mark.parametrize("number", range(6))
def test_what_a_walk_may_reach_lies_at_the_end_at_which_the_walk_starts(number: int) -> None:
    settings = RandomFragments(mode="random", min_tokens=1, max_tokens=1)
    short, long = token_units([(i, i + 1) for i in range(4)]), token_units([(i, i + 1) for i in range(10)])
    _, reached = balanced_spans(f"r{number}", [short, long], settings)
    assert paired_span(f"r{number}", 10, 4, settings) == (min(reached)[0], max(reached)[1])


def test_tokens_of_a_text_of_blanks_pair_up_with_nothing() -> None:
    record = Record("r", "d", (Text("human", None, " " * 40), Text("synthetic", None, "some words " * 9)))
    settings = fragment_settings({"mode": "random", "min_tokens": 2, "max_tokens": 4})
    fragments = cut(record, settings, partial(token_spans, byte_tokenizer())).fragments
    assert [fragment.null_reason for fragment in fragments] == ["empty_text", "too_short"]


def test_a_text_without_fragments_has_its_subgroup() -> None:
    record = Record("r", "d", (Text("human", None, "few words"),), group="b2")
    (fragment,) = cut(record, fragment_settings({"mode": "random"})).fragments
    assert (fragment.null_reason, fragment.group) == ("too_short", "b2")
