"""Calibration files: read, refused, and used for nothing but what they were made for."""

import json
from pathlib import Path
from typing import Any

import pytest

from scoring.calibration import Binding, Calibration
from scoring.errors import CalibrationError

GOOD: dict[str, Any] = {
    "observer": "base",
    "performer": "instruct",
    "dtype": "float32",
    "quantization": "none",
    "alignment": "reference",
    "threshold": 0.9,
    "direction": "score <= threshold is machine",
    "fpr_target": 0.01,
    "by_length": [{"min_words": 10, "max_words": 49, "threshold": 0.8}],
    "created_at": "2026-01-02T03:04:05Z",
    "records": 1200,
}


def write(folder: Path, **changes: Any) -> Path:
    path = folder / "calibration.json"
    path.write_text(json.dumps(GOOD | changes))
    return path


def test_thresholds_by_length_fall_back_to_the_general_one(tmp_path: Path) -> None:
    calibration = Calibration.read(write(tmp_path))
    assert [calibration.threshold_for(words) for words in (9, 10, 49, 50, None)] == [0.9, 0.8, 0.8, 0.9, 0.9]


@pytest.mark.parametrize(("score", "verdict"), [(0.9, "machine"), (0.9000001, "human"), (None, None)])
def test_a_score_at_the_threshold_is_machine(tmp_path: Path, score: float | None, verdict: str | None) -> None:
    assert Calibration.read(write(tmp_path)).verdict(score, 100) == verdict


@pytest.mark.parametrize(
    "change",
    [
        {"observer": "other"},
        {"performer": "other"},
        {"dtype": "bfloat16"},
        {"quantization": "4-bit"},
        {"alignment": "aligned"},
    ],
)
def test_it_is_refused_for_anything_else(tmp_path: Path, change: dict[str, str]) -> None:
    calibration = Calibration.read(write(tmp_path))
    used = Binding.model_validate(GOOD)
    calibration.check(used)
    (key,) = change
    with pytest.raises(CalibrationError, match=f"{key} is '{change[key]}' here, '{GOOD[key]}' in the calibration"):
        calibration.check(Binding.model_validate(GOOD | change))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"threshold": "low"}, "threshold: Input should be a valid number"),
        ({"direction": "score >= threshold is machine"}, "direction"),
        ({"fpr_target": 0}, "fpr_target"),
        ({"observer": None}, "observer"),
    ],
)
def test_a_broken_file_names_the_key(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(CalibrationError, match=message):
        Calibration.read(write(tmp_path, **changes))


def test_no_file_and_no_json_are_calibration_errors(tmp_path: Path) -> None:
    with pytest.raises(CalibrationError, match=r"No such file.*analysis\.thresholds"):
        Calibration.read(tmp_path / "absent.json")
    (tmp_path / "text.json").write_text("not json")
    with pytest.raises(CalibrationError, match="Invalid JSON"):
        Calibration.read(tmp_path / "text.json")
