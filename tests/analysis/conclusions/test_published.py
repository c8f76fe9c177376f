"""The published averages, made into rows, give the published conclusions.

The study printed means of 3 iterations and no spread. These rows assume a standard deviation of 2%: what follows is
what could be said with such a spread, and no claim on the study's own rows.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from analysis.conclusions.effects import effects
from analysis.conclusions.limits import limits
from analysis.conclusions.sentences import claims

ASSUMED_SD = 0.02
BY_QUANTIZATION = {
    ("GTX1070", "4-bit"): 23.8,
    ("GTX1070", "8-bit"): 93.0,
    ("K80", "4-bit"): 40.6,
    ("K80", "8-bit"): 149.4,
}
BY_CORES = {(1,): 590.0, (4,): 202.0, (16,): 216.0}
BY_STRATEGY = {("greedy", "GTX1070"): 29.0, ("beam", "GTX1070"): 93.0, ("greedy", "K80"): 39.0, ("beam", "K80"): 292.0}
LOADING = {("GTX1070",): 7.45, ("K80",): 8.95, ("CPU",): 2.95, ("sequential",): 7.35, ("auto",): 9.0}


def published(means: Mapping[tuple[Any, ...], float], factors: list[str], n: int = 3) -> pd.DataFrame:
    rng = np.random.default_rng(7)
    rows = []
    for levels, mean in means.items():
        noise = rng.standard_normal(n)
        logs = np.log(mean) + ASSUMED_SD * (noise - noise.mean()) / noise.std(ddof=1)
        rows += [(*levels, float(np.exp(value))) for value in logs]
    return pd.DataFrame(rows, columns=[*factors, "inference_time_s"])


def test_gtx_1070_is_faster_than_k80_and_4_bit_than_8_bit() -> None:
    factors = ["device_map", "quantization"]
    said = claims(effects(published(BY_QUANTIZATION, factors), factors, "inference_time_s"))
    assert said[0].startswith("Quantization explains 8")
    assert said[1].startswith("Device map explains 1")
    assert any("from faster to slower: GTX1070; then K80" in sentence for sentence in said)
    assert any("from faster to slower: 4-bit; then 8-bit" in sentence for sentence in said)


def test_three_iterations_of_a_cell_are_too_few_for_cores_and_five_are_enough() -> None:
    few = effects(published(BY_CORES, ["cpu_cores"]), ["cpu_cores"], "inference_time_s")
    assert claims(few) == []
    assert any("too few to tell, a level has 3 values and 5 are needed" in sentence for sentence in limits(few))
    said = claims(effects(published(BY_CORES, ["cpu_cores"], 5), ["cpu_cores"], "inference_time_s"))
    assert "More CPU cores than 4 do not help: the gain is below 5%." in said


def test_fast_and_slow_groups_of_strategies() -> None:
    factors = ["decoding_strategy", "device_map"]
    said = claims(effects(published(BY_STRATEGY, factors), factors, "inference_time_s"))
    assert any("from faster to slower: greedy; then beam" in sentence for sentence in said)


def test_loading_times_fall_into_groups() -> None:
    found = effects(published(LOADING, ["device_map"], 8), ["device_map"], "inference_time_s")
    groups = [{level[0] for level in group.levels} for group in found.groups["device_map",]]
    assert groups == [{"auto", "K80"}, {"GTX1070", "sequential"}, {"CPU"}]
