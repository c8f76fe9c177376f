"""Verdicts of texts and of windows, with a scorer that reads the scores out of the texts."""

from typing import Any, cast

import pytest

from scoring.calibration import Calibration
from scoring.detection.inputs import Entry
from scoring.detection.judging import GROUP_FRAGMENTS, Judge, Judged, judge
from scoring.fragment_settings import WindowFragments
from tests.scoring.detection.fakes import BINDING, CURVE, FOR_WINDOWS, GOOD, FakeScorer, calibration, group

SETTINGS: dict[str, Any] = {
    "alignment": "reference",
    "dtype": "float32",
    "quantization": "none",
    "max_tokens": 512,
    "panel": True,
}
WINDOWS = WindowFragments(mode="window", words=4, step=2)


def words(count: int, score: float | None = None) -> str:
    """Return so many words, the last with a score."""
    mark = "w" if score is None else f"s{score}"
    return " ".join(["w"] * (count - 1) + [mark])


def judged(*texts: str, using: Judge, **settings: Any) -> list[Judged]:
    scorer = FakeScorer("org/base", "org/instruct", **(SETTINGS | settings))
    return list(judge(cast(Any, scorer), [Entry(str(i), text=text) for i, text in enumerate(texts)], using))


def verdicts(*texts: str, by: Calibration, score: str = "score") -> list[str | None]:
    return [one.verdict for one in judged(*texts, using=Judge(score, by))]


def test_every_verdict() -> None:
    texts = [words(5, 0.79), words(5, 0.8), words(20, 0.85), words(2, 0.1), words(101, 0.1), "one", "  "]
    assert verdicts(*texts, by=calibration()) == [
        "machine",
        "not flagged",
        "machine",
        "too short to say",
        "longer than calibrated",
        "no score",
        "no score",
    ]


def test_the_threshold_shown_is_that_of_the_length_and_none_where_there_is_no_verdict() -> None:
    pieces = [one.piece for one in judged(words(5), words(20), words(2), using=Judge("score", calibration()))]
    assert [piece.threshold for piece in pieces if piece is not None] == [0.8, 0.9, None]


def test_a_score_that_is_higher_for_machine_text_is_flagged_above() -> None:
    binding = BINDING | {"score": "fast_detect", "direction": "higher"}
    by = calibration(binding=binding, groups=[group(3, 100, 1.5)])
    assert verdicts(words(5, 1.6), words(5, 1.5), by=by, score="fast_detect") == ["machine", "not flagged"]


def test_a_text_that_lacks_the_calibrated_score_has_no_score_though_it_has_the_other() -> None:
    by = calibration(binding=BINDING | {"score": "lrr", "direction": "higher"})
    (one,) = judged(words(5), using=Judge("lrr", by))
    assert (one.verdict, one.reason) == ("no score", "no such value for this text")
    assert one.piece is not None
    assert one.piece.row.score == 1.0


def test_without_a_calibration_there_is_no_verdict() -> None:
    (one,) = judged(words(5, 0.1), using=Judge("score"))
    assert (one.verdict, one.windows) == (None, None)


def test_what_cannot_be_read_stays_at_its_place() -> None:
    entries = [
        Entry("a", null_reason="unreadable", error="gone"),
        Entry("b", text=words(5)),
        Entry("c", null_reason="bad_row"),
    ]
    scorer = FakeScorer("org/base", "org/instruct", **SETTINGS)
    result = list(judge(cast(Any, scorer), entries, Judge("score", calibration())))
    assert [(one.entry.file, one.verdict, one.reason) for one in result] == [
        ("a", "no score", "gone"),
        ("b", "not flagged", None),
        ("c", "no score", None),
    ]


def test_a_text_is_flagged_when_one_of_its_windows_is_and_shows_the_farthest_beyond() -> None:
    text = f"{words(4, 0.75)} {words(4, 0.65)}"
    (one,) = judged(text, using=Judge("score", calibration(**FOR_WINDOWS), WINDOWS))
    assert one.windows is not None
    assert [window.row.start_word for window in one.windows] == [0, 2, 4]
    assert [window.verdict for window in one.windows] == ["not flagged", "not flagged", "machine"]
    assert one.verdict == "machine"
    assert one.flagged_windows == 1
    assert one.piece is one.windows[2]
    assert one.piece is not None
    assert (one.piece.score, one.piece.threshold) == (0.65, 0.7)


def test_fewer_windows_have_the_threshold_of_fewer() -> None:
    using = Judge("score", calibration(**FOR_WINDOWS), WINDOWS)
    few, many, too_many = judged(words(4, 0.75), words(8, 0.75), words(40, 0.1), using=using)
    assert [few.verdict, many.verdict, too_many.verdict] == ["machine", "not flagged", "longer than calibrated"]
    assert judged(words(2, 0.1), using=using)[0].verdict == "too short to say"


def test_the_farthest_window_of_a_higher_score_is_the_highest() -> None:
    binding = BINDING | {"score": "fast_detect", "direction": "higher"}
    groups = [group(3, 100, 1.5, min_windows=1, max_windows=5)]
    by = calibration(**(FOR_WINDOWS | {"binding": binding, "groups": groups}))
    (one,) = judged(f"{words(4, 1.1)} {words(4, 1.9)}", using=Judge("fast_detect", by, WINDOWS))
    assert one.piece is not None
    assert (one.verdict, one.piece.score) == ("machine", 1.9)


@pytest.mark.parametrize(
    ("changes", "windows"),
    [
        ({}, WINDOWS),
        (FOR_WINDOWS, WindowFragments(mode="window", words=4, step=1)),
        (FOR_WINDOWS, WindowFragments(mode="window", words=6, step=2)),
        (FOR_WINDOWS | {"groups": GOOD["groups"]}, WINDOWS),
    ],
)
def test_windows_that_were_not_calibrated_so_have_scores_and_no_verdict(
    changes: dict[str, Any], windows: WindowFragments
) -> None:
    (one,) = judged(words(12, 0.1), using=Judge("score", calibration(**changes), windows))
    assert one.windows
    assert {window.verdict for window in one.windows} == {None}
    assert one.windows[-1].score == 0.1
    assert one.piece is not None
    assert one.piece.row.length_words == 12, "the whole text was scored, too"


def test_a_text_calibration_judges_the_text_beside_plain_windows() -> None:
    (one,) = judged(words(12, 0.1), using=Judge("score", calibration(), WINDOWS))
    assert one.verdict == "machine"


def test_probabilities_need_a_prior_and_a_verdict() -> None:
    by = calibration(probability=CURVE)
    assert [one.probability for one in judged(words(5, 0.9), using=Judge("score", by))] == [None]
    known, short = judged(words(5, 0.9), words(2, 0.9), using=Judge("score", by, prior=0.5))
    assert known.probability == pytest.approx(0.3)
    assert short.probability is None


def test_the_probability_of_a_text_with_windows_is_that_of_its_most_machine_like_window() -> None:
    by = calibration(**FOR_WINDOWS, probability=CURVE)
    (one,) = judged(f"{words(4, 0.95)} {words(4, 0.9)}", using=Judge("score", by, WINDOWS, prior=0.5))
    assert one.probability == pytest.approx(0.3)
    (plain,) = judged(words(12, 0.9), using=Judge("score", calibration(probability=CURVE), WINDOWS, prior=0.5))
    assert plain.probability == pytest.approx(0.3), "of the whole text"


def test_a_window_without_a_score_is_not_counted_among_those_looked_at() -> None:
    binding = BINDING | {"score": "lrr", "direction": "higher"}
    using = Judge("lrr", calibration(**FOR_WINDOWS | {"binding": binding}), WINDOWS)
    all_three, two, none = judged("w s0.75 w w w s0.75 w w", f"{words(4, 0.75)} w w w w", words(8), using=using)
    assert [one.verdict for one in (all_three, two, none)] == ["machine", "not flagged", "no score"]


PREFIXES: dict[str, Any] = {
    "fragments": {"mode": "prefix", "tokens": [4, 8, 16, 600]},
    "groups": [group(4, 4, 0.7), group(8, 8, 0.8), group(16, 16, 0.9)],
}


def test_a_text_is_judged_by_its_longest_beginning_that_was_calibrated() -> None:
    long, middle, short = judged(
        f"{words(8, 0.85)} {words(8, 0.75)}",
        f"{words(8, 0.75)} {words(5, 0.1)}",
        words(3, 0.1),
        using=Judge("score", calibration(**PREFIXES)),
    )
    assert [one.verdict for one in (long, middle, short)] == ["machine", "machine", "too short to say"]
    assert [one.piece.row.prefix_tokens for one in (long, middle) if one.piece is not None] == [16, 8]
    assert long.unlike == ()
    assert middle.unlike == ("shorter than 16 tokens, and every text of the calibration has so many",)
    assert middle.piece is not None
    assert (middle.piece.score, middle.piece.threshold) == (0.75, 0.8), "what follows the prefix is not looked at"


def test_windows_beside_prefixes_are_plain() -> None:
    (one,) = judged(words(16, 0.1), using=Judge("score", calibration(**PREFIXES), WINDOWS))
    assert one.verdict == "machine"
    assert one.windows is not None
    assert [window.row.start_word for window in one.windows] == [0, 2, 4, 6, 8, 10, 12]


def test_a_text_unlike_the_population_says_how() -> None:
    population = GOOD["population"] | {"length_tokens": [4, 50], "scripts": ["LATIN"]}
    texts = [words(5), words(3), words(60), "это обычный текст на русском"]
    unlike = [one.unlike for one in judged(*texts, using=Judge("score", calibration(population=population)))]
    assert unlike == [
        (),
        ("3 tokens, and the texts of the calibration have 4 to 50",),
        ("60 tokens, and the texts of the calibration have 4 to 50",),
        ("mostly CYRILLIC letters, and the texts of the calibration are LATIN",),
    ]


def test_nothing_is_said_of_scripts_that_the_file_does_not_hold() -> None:
    (one,) = judged("это обычный текст на русском", using=Judge("score", calibration()))
    assert one.unlike == ()


def test_texts_are_read_some_at_a_time() -> None:
    taken = 0

    def entries() -> Any:
        nonlocal taken
        for index in range(10 * GROUP_FRAGMENTS):
            taken += 1
            yield Entry(str(index), text=words(5))

    scorer = FakeScorer("org/base", "org/instruct", **SETTINGS)
    results = judge(cast(Any, scorer), entries(), Judge("score"))
    next(results)
    assert taken == GROUP_FRAGMENTS
    assert len(list(results)) == 10 * GROUP_FRAGMENTS - 1
    assert scorer.groups == [GROUP_FRAGMENTS] * 10
