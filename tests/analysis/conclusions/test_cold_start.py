"""The time from a cold start: which loads and generations are added, and how sure the sum is."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from analysis.conclusions.cold_start import cold_start


def loads_of(seconds: list[float], **columns: Any) -> pd.DataFrame:
    return pd.DataFrame({"load_time_s": seconds, "status": "ok", "model": "m"} | columns)


def generations_of(seconds: list[float], **columns: Any) -> pd.DataFrame:
    return pd.DataFrame({"inference_time_s": seconds, "status": "ok", "model": "m"} | columns)


def test_the_cold_load_is_added_to_the_generation_of_the_same_device() -> None:
    loads = loads_of([9, 1, 4, 2], device=["a", "a", "b", "b"], cache_state=["cold", "warm"] * 2)
    generations = generations_of([1, 2, 10, 20, 1], device=["a", "a", "b", "b", "c"], tokens=[1, 2, 1, 2, 1])
    table = cold_start(loads, generations, ["cache_state"], ["tokens"])
    assert table["total_s"].tolist() == [10, 11, 14, 24]
    assert set(table["cache_state"]) == {"cold"}
    assert table["total_low"].isna().all()


@pytest.mark.parametrize(("known", "expected"), [("box", 1), (None, 2)])
def test_a_load_on_another_host_is_not_added_where_both_hosts_are_known(known: str | None, expected: int) -> None:
    loads = loads_of([9.0, 1.0], host=["box", "other"] if known else None, source=["x", "y"])
    table = cold_start(loads, generations_of([2.0], host="box"), ["source"], [])
    assert len(table) == expected
    assert table["total_s"].iloc[-1] == 11


def test_the_interval_is_satterthwaites_on_the_logarithmic_scale() -> None:
    table = cold_start(loads_of([1, 2, 3, 4, 5.0]), generations_of([5.0] * 5), [], [])
    assert table["total_s"].item() == 8
    assert table["total_high"].item() == pytest.approx(8 * np.exp(2.776445 * np.sqrt(2.5 / 5) / 8))
    assert table["total_low"].item() * table["total_high"].item() == pytest.approx(64)


def test_fewer_than_five_values_have_no_interval_and_rounds_are_the_values() -> None:
    few = cold_start(loads_of([1, 2, 3, 4.0]), generations_of([5.0] * 5), [], [])
    assert few["total_low"].isna().all()
    rounds = loads_of([1.0] * 6, round=[0, 0, 0, 1, 1, 1])
    table = cold_start(rounds, generations_of([5.0] * 5), [], [])
    assert table["n_load"].item() == 2
    assert table["total_low"].isna().all()


def test_doubts_of_both_means_are_told() -> None:
    loads = loads_of([1.0, 2.0, 3.0], neighbours=0)
    table = cold_start(loads, generations_of([5.0, 5.0], neighbours=[0, 2]), [], [])
    assert table["doubts"].item() == (
        "⚠ load: sd 50% of the mean; a row 50% away from the mean; generation: 1 of 2 rows beside up to 2 other workers"
    )


def test_failed_rows_and_unlike_configurations_add_nothing() -> None:
    failed = loads_of([np.nan, 2.0]).assign(status=["oom_gpu", "ok"], quantization=["8-bit", "4-bit"])
    assert cold_start(failed, generations_of([1.0]).assign(quantization="8-bit"), [], []).empty
