"""The promise in words, and what was seen beside it."""

import pytest

from scoring.calibration import Calibration
from scoring.detection.inputs import Entry
from scoring.detection.judging import Judge, Judged, Piece
from scoring.detection.sentences import (
    Tally,
    cut_in_words,
    held_out_in_words,
    probability_in_words,
    promise_in_words,
    rate_in_words,
    settings_in_words,
    unsaid_in_words,
    windows_in_words,
)
from scoring.fragment_settings import WindowFragments
from scoring.fragments import Fragment
from scoring.published import read_calibration
from scoring.results import Score, fragment_score
from tests.scoring.detection.fakes import BINDING, CURVE, FOR_WINDOWS, GOOD, calibration, group


@pytest.mark.parametrize(
    ("rate", "words"),
    [
        (0.01, "1 in 100"),
        (0.05, "1 in 20"),
        (0.001, "1 in 1,000"),
        (0.5, "1 in 2"),
        (1 / 3, "1 in 3"),
        (0.03, "3%"),
        (0.025, "1 in 40"),
        (0.015, "1.5%"),
        (0.6, "60%"),
        (0.07, "7%"),
    ],
)
def test_a_rate_that_is_no_one_in_n_is_a_percentage(rate: float, words: str) -> None:
    assert rate_in_words(rate) == words


def test_the_promise_names_rate_confidence_and_population() -> None:
    assert promise_in_words(calibration()) == (
        "At most 1 in 100 human texts like those calibrated on is flagged, with 95% confidence; calibrated on 812 "
        "records of news, essays."
    )
    nearly_sure = promise_in_words(calibration(promise={"fpr": 0.01, "confidence": 0.999999999}))
    assert "with 99.9999999% confidence" in nearly_sure
    other = calibration(promise={"fpr": 0.03, "confidence": 0.999})
    assert promise_in_words(other).startswith(
        "At most 3% of human texts like those calibrated on are flagged, with 99.9% confidence; "
    )


def test_the_promise_of_windows_is_about_texts() -> None:
    assert "human texts like those calibrated on has a flagged window, with" in promise_in_words(
        calibration(**FOR_WINDOWS)
    )
    other = calibration(**FOR_WINDOWS, promise={"fpr": 0.03, "confidence": 0.95})
    assert "3% of human texts like those calibrated on have a flagged window" in promise_in_words(other)


def test_a_published_calibration_promises_nothing_and_says_what_is_known() -> None:
    accuracy, low = (read_calibration(f"published:falcon-{name}") for name in ("accuracy", "low-fpr"))
    assert promise_in_words(accuracy).startswith("No promise: ")
    assert "28.6%, 95% interval 19.6 to 39.0" in promise_in_words(accuracy)
    assert "6.6%, 95% interval 2.5 to 13.8" in promise_in_words(low)
    assert "tiiuae/falcon-7b and tiiuae/falcon-7b-instruct" in str(unsaid_in_words(low))
    assert unsaid_in_words(calibration(binding=BINDING | {"observer_revision": None})) is None


def test_held_out_rates_are_told_by_length() -> None:
    rates = {
        "n_human": 412,
        "false_positives": 3,
        "fpr": 3 / 412,
        "fpr_low": 0.0015,
        "fpr_high": 0.0211,
        "n_synthetic": 0,
        "true_positives": 0,
        "tpr": None,
        "tpr_low": None,
        "tpr_high": None,
    }
    with_rates = calibration(held_out=[{"min_tokens": 3, "max_tokens": 9} | rates])
    assert list(held_out_in_words(with_rates)) == [
        "Held out, 3–9 tokens: 3 of 412 human texts flagged (0.7%, 95% interval 0.1–2.1); 0 of 0 machine texts."
    ]
    windows = {"min_windows": 1, "max_windows": 4}
    by_windows = calibration(held_out=[{"min_tokens": 3, "max_tokens": 9} | rates | windows])
    assert next(held_out_in_words(by_windows)).startswith("Held out, 3–9 tokens, 1–4 windows: ")
    alone = calibration(held_out=[{"min_tokens": 3, "max_tokens": 9} | rates | {"min_windows": 1, "max_windows": 1}])
    assert next(held_out_in_words(alone)).startswith("Held out, 3–9 tokens, 1 window: ")


CUT = WindowFragments(mode="window", words=4, step=2)


@pytest.mark.parametrize(
    ("by", "windows", "words"),
    [
        (None, None, None),
        (None, CUT, "Scores only, for windows of 4 words, one every 2 words: there is no calibration."),
        (calibration(), CUT, "the calibration is for texts, not for windows."),
        (calibration(**FOR_WINDOWS), CUT, "A text is flagged when one of its windows is (windows of 4 words"),
        (
            calibration(**FOR_WINDOWS),
            CUT.model_copy(update={"words": 6}),
            "No verdicts for windows of 6 words, one every 2 words: the calibration is for windows of 4 words",
        ),
        (
            calibration(**FOR_WINDOWS | {"fragments": {"mode": "window", "tokens": 4, "step": 2}}),
            CUT,
            "No verdicts for windows of 4 words, one every 2 words: the calibration is for windows of 4 tokens, one "
            "every 2 tokens",
        ),
        (
            calibration(**FOR_WINDOWS | {"groups": GOOD["groups"]}),
            CUT,
            "the calibration is not corrected for the number of windows",
        ),
    ],
)
def test_windows_without_verdicts_say_why(
    by: Calibration | None, windows: WindowFragments | None, words: str | None
) -> None:
    sentences = list(windows_in_words(Judge("score", by, windows)))
    assert (sentences == []) if words is None else (words in sentences[0])


def test_how_the_calibrated_texts_were_cut_is_said() -> None:
    random = calibration(fragments={"mode": "random", "min_words": 20})
    assert "fragments of 20 to 300 words, cut at random" in str(cut_in_words(random))
    in_tokens = calibration(fragments={"mode": "random", "min_tokens": 16, "max_tokens": 64})
    assert "fragments of 16 to 64 tokens, cut at random" in str(cut_in_words(in_tokens))
    prefixes = calibration(fragments={"mode": "prefix", "tokens": [4, 8]}, groups=[group(4, 4, 0.7), group(8, 8, 0.8)])
    assert str(cut_in_words(prefixes)).endswith("its longest beginning that was calibrated: its first 4, 8 tokens.")
    assert [cut_in_words(by) for by in (calibration(), calibration(**FOR_WINDOWS))] == [None, None]
    assert cut_in_words(calibration(fragments={"mode": "whole"})) is None


def test_a_probability_says_its_prior() -> None:
    by = calibration(probability=CURVE)
    assert probability_in_words(Judge("score", by)) is None
    assert probability_in_words(Judge("score", by, prior=0.1)) == (
        "Probabilities hold if 10% of such texts are machine-made (--prior); curve fitted on 300 records, Brier score "
        "0.125 at a share of 50%."
    )


@pytest.mark.parametrize(
    ("score", "words"), [("score", "lower is more"), ("lrr", "higher is more"), ("kl", "neither side is that of")]
)
def test_without_a_calibration_the_side_of_machine_text_is_said(score: str, words: str) -> None:
    assert f"Without a --calibration there is no verdict: {words}" in settings_in_words(
        BINDING | {"score": score}, None
    )
    assert "no verdict" not in settings_in_words(BINDING | {"score": score}, calibration())


def cut_text(truncated: bool) -> Judged:
    fragment = Fragment("a", 0, None, None, None, "text", 0, 1)
    return Judged(Entry("a", text="text"), Piece(fragment_score(fragment, Score(truncated=truncated)), 1.0))


def test_what_was_cut_is_said() -> None:
    tally = Tally()
    tally.add(cut_text(False))
    assert tally.truncated_in_words(100) is None
    tally.add(cut_text(True))
    assert tally.truncated_in_words(100) == (
        "1 text is longer than 100 tokens and cut there: its verdict is about the first 100 tokens."
    )
    tally.add(cut_text(True))
    assert str(tally.truncated_in_words(100)).startswith("2 texts are longer than 100 tokens and cut there: their")


def test_texts_unlike_the_population_are_counted_and_the_first_named() -> None:
    tally = Tally()
    for name in "abcd":
        piece = cut_text(False).piece
        tally.add(Judged(Entry(f"{name}\x1b", text="text"), piece, unlike=("3 tokens",)))
    (warning,) = tally.warnings(4)
    assert warning == (
        "the promise is not about 4 texts unlike those calibrated on: a\\x1b (3 tokens); b\\x1b (3 tokens); "
        "c\\x1b (3 tokens); and 1 more"
    )
