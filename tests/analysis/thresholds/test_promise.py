"""Simulations through `calibrate`: the promise holds in every group, whatever scores and records are like."""

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.special import ndtr

from analysis.thresholds import calibrate
from scoring.calibration_tables import LengthGroup
from tests.analysis.thresholds.conftest import Frames

FPR = 0.05
BINS = (20, 60, 100, 150, 200, 300, 400)


def true_fpr(group: LengthGroup, step: float) -> float:
    """The share of new human texts of the group, of any length in it, that are strictly below its threshold."""
    tokens = np.arange(group.min_tokens, group.max_tokens + 1)
    threshold = group.threshold - step / 2 if step else group.threshold
    return float(ndtr((threshold - 1) / (2 / np.sqrt(tokens))).mean())


def kept(frame: Frames, calibrations: int, step: float = 0.0, **options: Any) -> tuple[int, int]:
    """How many groups of so many calibrations keep the promise, and their number."""
    rates = []
    for seed in range(calibrations):
        rows = frame(seed=seed, machine=None, step=step, **options)
        found = calibrate(rows, fpr=FPR, bins=BINS, split=(0, 1, 0), seed=seed)
        rates += [true_fpr(group, step) for group in found.groups]
    return sum(rate <= FPR for rate in rates), len(rates)


def each_fragment_a_record(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.assign(record_id=rows["record_id"] + "-" + rows["fragment_index"].astype(str))


@pytest.mark.parametrize(
    "options",
    [
        {"records": 900},
        {"records": 300, "fragments": 5, "correlation": 0.5},
        {"records": 300, "fragments": 5, "correlation": 0.9},
        {"records": 900, "step": 0.02},
        {"records": 450, "fragments": 2, "generators": ("a", "b", "c"), "correlation": 0.9},
    ],
    ids=["independent", "correlated 0.5", "correlated 0.9", "ties", "several generators of a human text"],
)
def test_every_group_keeps_the_rate_as_often_as_promised(frame: Frames, options: dict[str, Any]) -> None:
    successes, n = kept(frame, 40, **options)
    assert n == 40 * (len(BINS) - 1)
    assert successes / n >= 0.95 - 2.5 * math.sqrt(0.95 * 0.05 / n)


def test_fragments_of_one_record_taken_for_records_break_the_promise(frame: Frames) -> None:
    successes = 0
    for seed in range(120):
        rows = frame(records=200, fragments=5, correlation=0.9, seed=seed, machine=None)
        found = calibrate(each_fragment_a_record(rows), fpr=FPR, by="none", split=(0, 1, 0), seed=seed)
        successes += true_fpr(found.groups[0], 0.0) <= FPR
    assert successes / 120 < 0.95 - 2.5 * math.sqrt(0.95 * 0.05 / 120)


def test_a_report_part_that_shares_records_with_the_calibration_is_optimistic(frame: Frames) -> None:
    covered = {"by record": 0, "by fragment": 0}
    for seed in range(60):
        rows = frame(records=120, fragments=10, correlation=0.95, seed=seed, machine=None)
        for kind, used in (("by record", rows), ("by fragment", each_fragment_a_record(rows))):
            found = calibrate(used, fpr=FPR, split=(0, 0.5, 0.5), seed=seed, by="none")
            reported, real = found.held_out[0], true_fpr(found.groups[0], 0.0)
            assert reported.fpr_low is not None
            assert reported.fpr_high is not None
            covered[kind] += reported.fpr_low <= real <= reported.fpr_high
    assert covered["by record"] / 60 >= 0.95 - 2.5 * math.sqrt(0.95 * 0.05 / 60)
    assert covered["by fragment"] / 60 < 0.85


@pytest.mark.parametrize("direction", ["lower", "higher"])
def test_both_directions_are_the_same_calibration_turned_round(frame: Frames, direction: str) -> None:
    rows = frame(records=600)
    lower = calibrate(rows, fpr=FPR)
    rows["fast_detect"] = -rows["score"]
    higher = calibrate(rows, fpr=FPR, score="fast_detect")
    assert [-group.threshold for group in higher.groups] == [group.threshold for group in lower.groups]
    assert higher.held_out == lower.held_out
    assert higher.binding.direction == "higher"


def test_thresholds_of_windows_promise_for_a_text_over_all_of_its_windows() -> None:
    """Of n windows the lowest counts; a threshold for single windows would flag far more texts."""
    kept_texts = 0
    for seed in range(30):
        draw = np.random.default_rng(seed)
        windows = draw.integers(1, 13, 500)
        record = np.repeat([f"r{number}" for number in range(500)], windows)
        rows = pd.DataFrame(
            {
                "record_id": record,
                "author": "human",
                "dataset": "d",
                "generator": "g",
                "length_tokens": draw.integers(90, 110, len(record)),
                "fragment_index": np.concatenate([np.arange(count) for count in windows]),
                "score": draw.normal(size=len(record)),
                "fragments": '{"mode": "window", "words": 80, "step": 40}',
            }
        )
        rows["start_word"] = rows["fragment_index"] * 40
        found = calibrate(rows, fpr=FPR, split=(0, 1, 0), bins=(1, 5, 9, 12))
        assert found.windows == 80
        for group in found.groups:
            counts = np.arange(group.min_windows or 0, (group.max_windows or 0) + 1)
            kept_texts += bool((1 - (1 - ndtr(group.threshold)) ** counts).mean() <= FPR)
    assert kept_texts / 90 >= 0.95 - 2.5 * math.sqrt(0.95 * 0.05 / 90)
