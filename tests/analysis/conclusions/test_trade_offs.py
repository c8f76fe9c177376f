"""Trade-offs, the time from a cold start, and the longest input."""

import numpy as np
import pandas as pd
import pytest

from analysis.conclusions.cold_start import cold_start, longest_inputs
from analysis.conclusions.trade_offs import trade_offs
from analysis.directions import Direction

RATE, MEMORY = "rate_per_s", "peak_bytes"
SIDES = {RATE: Direction.HIGHER, MEMORY: Direction.LOWER}


def cells_of(means: dict[str, tuple[float, float]], seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {"cell": name, RATE: rate * np.exp(0.02 * rng.standard_normal()), MEMORY: memory * (1 + 0.01 * rng.random())}
        for name, (rate, memory) in means.items()
        for _ in range(6)
    )


def test_a_cell_that_another_one_beats_is_not_on_the_front() -> None:
    rows = cells_of({"fast": (10, 8), "small": (4, 2), "beaten": (3, 9), "middle": (7, 5)})
    front = trade_offs(rows, ["cell"], SIDES).set_index("cell")["on_front"]
    assert front.to_dict() == {"fast": True, "small": True, "beaten": False, "middle": True}


def test_noise_alone_beats_nothing() -> None:
    equal = {str(place): (5.0, 5.0) for place in range(10)}
    assert sum(not trade_offs(cells_of(equal, seed), ["cell"], SIDES)["on_front"].all() for seed in range(60)) <= 3


def test_a_cold_start_is_the_cold_load_and_the_generation() -> None:
    loads = pd.DataFrame(
        {"device": ["a", "a", "b", "b"], "cache_state": ["cold", "warm"] * 2, "load_time_s": [9, 1, 4, 2]}
    )
    generations = pd.DataFrame(
        {"device": ["a", "a", "b", "b", "c"], "tokens": [1, 2, 1, 2, 1], "inference_time_s": [1.0, 2, 10, 20, 1]}
    )
    table = cold_start(loads, generations, ["cache_state"], ["tokens"])
    assert table["total_s"].tolist() == [10, 11, 14, 24]
    assert table["total_low"].isna().all()


def test_the_interval_of_a_sum_is_satterthwaites() -> None:
    loads, generations = (
        pd.DataFrame({"load_time_s": [1.0, 2.0, 3.0]}),
        pd.DataFrame({"inference_time_s": [5.0, 5.0, 5.0]}),
    )
    table = cold_start(loads.assign(device="a"), generations.assign(device="a"), [], [])
    assert table["total_s"].item() == 7
    assert table["total_high"].item() == pytest.approx(7 + 4.302653 * 1 / np.sqrt(3))


def test_the_longest_input_of_each_device() -> None:
    rows = pd.DataFrame(
        [
            ("k80", 100, "ok"),
            ("k80", 200, "oom_gpu"),
            ("k80", 400, "skipped_oom"),
            ("cpu", 400, "ok"),
            ("x", 50, "oom_gpu"),
        ],
        columns=["device", "input_words", "status"],
    )
    found = longest_inputs(rows, "input_words", ["device"]).set_index("device")["sentence"]
    assert found["k80"] == "k80: 100 words is the longest input that fitted; 200 ran out of memory."
    assert found["cpu"] == "cpu: 400 words fitted; nothing longer ran out of memory, so more may fit."
    assert found["x"] == "x: already 50 words ran out of memory."
