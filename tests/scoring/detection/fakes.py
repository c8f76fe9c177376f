"""A scorer that reads the scores out of the texts, and calibrations to judge them by."""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

from scoring.calibration import Calibration
from scoring.fragments import Fragment
from scoring.results import FragmentScore, Score, fragment_score

REVISION = "0123456789012345678901234567890123456789"
BINDING: dict[str, Any] = {
    "observer": "org/base",
    "performer": "org/instruct",
    "observer_revision": REVISION,
    "performer_revision": REVISION,
    "dtype": "float32",
    "quantization": "none",
    "alignment": "reference",
    "max_tokens": 512,
    "score": "score",
    "direction": "lower",
}
WINDOWS = {"mode": "window", "words": 4, "step": 2}


def group(first: int, last: int, threshold: float, **more: Any) -> dict[str, Any]:
    numbers = {"n": 999, "k": 5, "beyond": 4, "equal": 1, "expected_fpr": 0.005}
    return {"min_tokens": first, "max_tokens": last, "threshold": threshold} | numbers | more


GOOD: dict[str, Any] = {
    "version": 2,
    "created_at": "2026-01-02T03:04:05Z",
    "binding": BINDING,
    "promise": {"fpr": 0.01, "confidence": 0.95},
    "groups": [group(3, 9, 0.8), group(10, 100, 0.9)],
    "population": {
        "datasets": ["news", "essays"],
        "generators": ["tiny"],
        "records": 812,
        "near_duplicates": 3,
        "length_tokens": [3, 100],
    },
}
CURVE = {"share": 0.5, "scores": [0.6, 0.8, 1.0], "machine": [1.0, 0.6, 0.0], "brier": 0.125, "records": 300}
FOR_WINDOWS: dict[str, Any] = {
    "fragments": WINDOWS,
    "groups": [
        group(3, 100, 0.8, min_windows=1, max_windows=2),
        group(3, 100, 0.7, min_windows=3, max_windows=5),
    ],
}


def calibration(**changes: Any) -> Calibration:
    return Calibration.model_validate_json(json.dumps(GOOD | changes))


def write_calibration(folder: Path, **changes: Any) -> Path:
    path = folder / "calibration.json"
    path.write_text(json.dumps(GOOD | changes))
    return path


def model(name: str, revision: str | None = REVISION, dtype: str = "float32") -> SimpleNamespace:
    """A loaded model, as far as a binding looks at it."""
    name, _, pinned = name.partition("@")
    files = SimpleNamespace(name=f"{name}@{pinned}" if pinned else name, revision=pinned or revision)
    return SimpleNamespace(files=files, dtype_name=dtype, quantization="none")


class FakeScorer:
    """Scores a text by the word `s0.85` in it, or 1; a word is a token. Keeps how it was made."""

    made: ClassVar[list[tuple[tuple[str, ...], dict[str, Any]]]] = []

    def __init__(self, *models: str, **settings: Any) -> None:
        FakeScorer.made.append((models, settings))
        self.alignment = settings["alignment"]
        self._settings = settings
        dtype = settings["dtype"].replace("auto", "float32")
        self.pair = SimpleNamespace(observer=model(models[0], dtype=dtype), performer=model(models[1], dtype=dtype))
        self.pair.performer.quantization = settings["quantization"]
        self.groups: list[int] = []

    def score_fragments(self, fragments: Iterable[Fragment]) -> Iterator[FragmentScore]:
        self.groups.append(0)
        for fragment in fragments:
            self.groups[-1] += 1
            if not fragment.prefix_tokens:
                yield fragment_score(fragment, self._score(fragment))
            for prefix in fragment.prefix_tokens:
                words = fragment.text.split()
                beginning = replace(fragment, text=" ".join(words[:prefix]))
                short = Score(length_tokens=len(words), null_reason="shorter_than_prefix")
                yield fragment_score(fragment, short if len(words) < prefix else self._score(beginning), prefix)

    def _score(self, fragment: Fragment) -> Score:
        if fragment.null_reason is not None:
            return Score(null_reason=fragment.null_reason)
        words = fragment.text.split()
        tokens = min(len(words), self._settings["max_tokens"])
        if tokens < 2:
            return Score(length_tokens=tokens, truncated=False, null_reason="one_token")
        marks = [float(mark) for mark in re.findall(r"s(\d\.\d+)", fragment.text)]
        value = min(marks, default=1.0)
        panel = {"fast_detect": value, "lrr": max(marks, default=None)} if self._settings["panel"] else {}
        truncated = len(words) > tokens
        return Score(score=value, log_ppl=value, log_xppl=1.0, length_tokens=tokens, truncated=truncated, **panel)
