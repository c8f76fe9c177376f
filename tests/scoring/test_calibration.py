"""Calibration files: read, refused, and used for nothing but what they were made for."""

import json
from pathlib import Path
from typing import Any

import pytest

from scoring.calibration import Calibration
from scoring.calibration_tables import Binding
from scoring.errors import CalibrationError

BINDING: dict[str, Any] = {
    "observer": "base",
    "performer": "instruct",
    "observer_revision": "a1",
    "performer_revision": None,
    "dtype": "float32",
    "quantization": "none",
    "alignment": "reference",
    "max_tokens": 512,
    "score": "score",
    "direction": "lower",
}


def group(first: int, last: int, threshold: float, **more: Any) -> dict[str, Any]:
    numbers = {"n": 999, "k": 5, "beyond": 4, "equal": 1, "expected_fpr": 0.005}
    return {"min_tokens": first, "max_tokens": last, "threshold": threshold} | numbers | more


GOOD: dict[str, Any] = {
    "version": 2,
    "created_at": "2026-01-02T03:04:05Z",
    "binding": BINDING,
    "promise": {"fpr": 0.01, "confidence": 0.95},
    "groups": [group(10, 49, 0.8), group(50, 512, 0.9)],
    "population": {
        "datasets": ["docs"],
        "generators": ["tiny"],
        "records": 1200,
        "near_duplicates": 3,
        "length_tokens": [10, 512],
    },
}


def write(folder: Path, **changes: Any) -> Path:
    path = folder / "calibration.json"
    path.write_text(json.dumps(GOOD | changes))
    return path


@pytest.mark.parametrize(
    ("score", "tokens", "verdict"),
    [
        (0.79, 10, "machine"),
        (0.8, 10, "not flagged"),
        (0.79, 9, "too short to say"),
        (0.85, 49, "not flagged"),
        (0.85, 50, "machine"),
        (0.9, 512, "not flagged"),
        (0.1, 513, "longer than calibrated"),
        (None, 100, "no score"),
        (float("nan"), 100, "no score"),
        (0.1, None, "no score"),
    ],
)
def test_only_a_score_strictly_beyond_the_threshold_of_its_length_is_flagged(
    score: float | None, tokens: int | None, verdict: str, tmp_path: Path
) -> None:
    assert Calibration.read(write(tmp_path)).verdict(score, tokens) == verdict


def test_a_score_that_is_higher_for_machine_text_is_flagged_above(tmp_path: Path) -> None:
    binding = BINDING | {"score": "fast_detect", "direction": "higher"}
    calibration = Calibration.read(write(tmp_path, binding=binding))
    assert [calibration.verdict(score, 20) for score in (0.79, 0.8, 0.81)] == ["not flagged", "not flagged", "machine"]


@pytest.mark.parametrize(("score", "direction"), [("score", "higher"), ("fast_detect", "lower"), ("kl", "lower")])
def test_a_file_that_turns_its_score_round_is_refused(score: str, direction: str, tmp_path: Path) -> None:
    with pytest.raises(CalibrationError, match=f"binding.direction is '{direction}'; by {score} machine text is"):
        Calibration.read(write(tmp_path, binding=BINDING | {"score": score, "direction": direction}))


def test_a_window_has_the_threshold_of_texts_with_as_many_windows(tmp_path: Path) -> None:
    few, many = {"min_windows": 1, "max_windows": 4}, {"min_windows": 5, "max_windows": 20}
    groups = [group(150, 400, 0.8, **few), group(150, 400, 0.7, **many)]
    fragments = {"mode": "window", "words": 200, "step": 100}
    calibration = Calibration.read(write(tmp_path, groups=groups, fragments=fragments))
    assert calibration.windows == 200
    assert [calibration.verdict(0.75, 300, windows) for windows in (4, 5)] == ["machine", "not flagged"]
    assert calibration.verdict(0.1, 300, 21) == "longer than calibrated"
    assert calibration.verdict(0.1, 100, 3) == "too short to say"
    assert calibration.verdict(0.1, 300) == "longer than calibrated", "a text that is no window"


def test_windows_that_name_no_width_have_the_default(tmp_path: Path) -> None:
    calibration = Calibration.read(write(tmp_path, fragments={"mode": "window"}))
    assert calibration.window_settings is not None
    assert (calibration.windows, calibration.window_settings.step) == (200, 100)
    assert Calibration.read(write(tmp_path, fragments={"mode": "random"})).windows is None


def test_thresholds_of_texts_judge_no_windows(tmp_path: Path) -> None:
    calibration = Calibration.read(write(tmp_path))
    assert calibration.windows is None
    assert calibration.group_for(100, windows=3) is None


@pytest.mark.parametrize(
    "change",
    [
        {"observer": "other"},
        {"performer": "other"},
        {"observer_revision": "b2"},
        {"performer_revision": "b2"},
        {"dtype": "bfloat16"},
        {"quantization": "4-bit"},
        {"alignment": "aligned"},
        {"max_tokens": 256},
        {"score": "log_rank"},
        {"direction": "higher"},
    ],
)
def test_it_is_refused_for_anything_else(tmp_path: Path, change: dict[str, Any]) -> None:
    calibration = Calibration.read(write(tmp_path))
    calibration.check(Binding.model_validate(BINDING))
    (key,) = change
    with pytest.raises(CalibrationError, match=f"{key} is {change[key]!r} here, {BINDING[key]!r} in the calibration"):
        calibration.check(Binding.model_validate(BINDING | change))


def test_a_published_calibration_refuses_no_revision_that_it_does_not_say(tmp_path: Path) -> None:
    published = {"promise": None, "published": "somewhere"}
    calibration = Calibration.read(write(tmp_path, **published))
    calibration.check(Binding.model_validate(BINDING | {"performer_revision": "any"}))
    with pytest.raises(CalibrationError, match="observer_revision is 'b2' here, 'a1' in the calibration"):
        calibration.check(Binding.model_validate(BINDING | {"observer_revision": "b2"}))


VERSION_1 = {"observer": "a", "threshold": 0.9, "fpr_target": 0.01}
BAD: dict[str, tuple[bytes, str]] = {
    "cut off": (json.dumps(GOOD).encode()[:-200], "no whole JSON file"),
    "empty": (b"", "no whole JSON file"),
    "a list": (b"[]", "the file: "),
    "version 1": (json.dumps(VERSION_1).encode(), "version 1 or none cannot be used, this program reads version 2"),
    "version 3": (json.dumps(GOOD | {"version": 3}).encode(), "version 3 cannot be used"),
    "no groups": (json.dumps(GOOD | {"groups": []}).encode(), "groups: "),
    "an unknown key": (json.dumps(GOOD | {"margin": 1}).encode(), "margin: "),
    "an unknown score": (json.dumps(GOOD | {"binding": BINDING | {"score": "x"}}).encode(), "score 'x' is unknown"),
    "no threshold": (json.dumps(GOOD | {"groups": [group(1, 2, 0.5) | {"threshold": None}]}).encode(), "groups.0"),
    "overlap": (json.dumps(GOOD | {"groups": [group(1, 20, 0.5), group(20, 30, 0.5)]}).encode(), "may not overlap"),
    "turned round": (json.dumps(GOOD | {"groups": [group(20, 10, 0.5)]}).encode(), "min_tokens 20 is above"),
    "unknown fragments": (json.dumps(GOOD | {"fragments": {"mode": "x"}}).encode(), "fragments: "),
    "k above n": (json.dumps(GOOD | {"groups": [group(1, 2, 0.5, n=4)]}).encode(), "k 5 must be above beyond 4, and"),
    "beyond k": (json.dumps(GOOD | {"groups": [group(1, 2, 0.5, beyond=5)]}).encode(), "k 5 must be above beyond 5"),
    "no promise": (json.dumps(GOOD | {"promise": None}).encode(), "a calibration has a promise, or it says"),
}


@pytest.mark.parametrize("mistake", BAD)
def test_a_bad_file_is_one_message(mistake: str, tmp_path: Path) -> None:
    content, expected = BAD[mistake]
    path = tmp_path / "calibration.json"
    path.write_bytes(content)
    with pytest.raises(CalibrationError) as caught:
        Calibration.read(path)
    assert str(path) in str(caught.value)
    assert expected in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there_is_told_with_what_writes_one(tmp_path: Path) -> None:
    with pytest.raises(CalibrationError, match=r"python -m analysis\.thresholds RUN_DIR writes one"):
        Calibration.read(tmp_path / "none.json")
