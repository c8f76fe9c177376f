"""Trade-offs: configurations that no other one beats, in two metrics and with a third one of another sweep."""

import numpy as np
import pandas as pd

from analysis.conclusions.trade_offs import GivenMetric, trade_offs
from analysis.directions import Direction

RATE, MEMORY = "rate_per_s", "peak_bytes"
SIDES = {RATE: Direction.HIGHER, MEMORY: Direction.LOWER}


def cells_of(means: dict[str, tuple[float, float]], seed: int = 0, n: int = 6) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {"cell": name, RATE: rate * np.exp(0.02 * rng.standard_normal()), MEMORY: memory * (1 + 0.01 * rng.random())}
        for name, (rate, memory) in means.items()
        for _ in range(n)
    )


def test_a_cell_that_another_one_beats_is_not_on_the_front() -> None:
    rows = cells_of({"fast": (10, 8), "small": (4, 2), "beaten": (3, 9), "middle": (7, 5)})
    found = trade_offs(rows, ["cell"], SIDES)
    cells = found.cells.set_index("cell")
    assert cells["on_front"].to_dict() == {"fast": True, "small": True, "beaten": False, "middle": True}
    assert found.cells["cell"].iloc[cells["beaten_by"]["beaten"]] in {"fast", "small", "middle"}
    assert list(found.front["cell"]) == ["fast", "middle", "small"]


def test_a_difference_within_the_tolerance_is_as_good() -> None:
    rows = cells_of({"fast": (10, 8.04), "slow": (5, 8.0), "small": (5, 7.0)})
    assert list(trade_offs(rows, ["cell"], SIDES).front["cell"]) == ["fast", "small"]


def test_noise_alone_beats_nothing() -> None:
    equal = {str(place): (5.0, 5.0) for place in range(10)}
    found = [trade_offs(cells_of(equal, seed), ["cell"], SIDES) for seed in range(60)]
    assert sum(not one.cells["on_front"].all() for one in found) <= 3


def test_cells_with_few_values_of_one_metric_are_left_out_and_counted() -> None:
    rows = cells_of({"fast": (10, 8), "small": (4, 2)})
    rows.loc[rows.index[:2], MEMORY] = np.nan
    found = trade_offs(rows, ["cell"], SIDES)
    assert (list(found.cells["cell"]), found.measured) == (["small"], 2)


def test_rows_beside_other_work_enter_nothing_and_are_told() -> None:
    rows = cells_of({"fast": (10, 8), "small": (4, 2)}).assign(neighbours=[0] * 11 + [1])
    assert trade_offs(rows, ["cell"], SIDES).left_out == ("1 of 12 rows measured beside other work",)


def test_what_is_worse_in_the_given_metric_does_not_beat() -> None:
    rows = cells_of({"4-bit": (10, 2), "8-bit": (4, 4), "none": (3, 8)}).rename(columns={"cell": "quantization"})
    means = [("4-bit", 0.2, 0.001, 40), ("8-bit", 0.02, 0.0001, 40), ("none", 0.0, 0.0, np.inf)]
    given = GivenMetric("kl", pd.DataFrame(means, columns=["quantization", "mean", "var", "n"]))
    assert list(trade_offs(rows, ["quantization"], SIDES).front["quantization"]) == ["4-bit"]
    both = trade_offs(rows, ["quantization"], SIDES, given=given)
    assert set(both.front["quantization"]) == {"4-bit", "8-bit", "none"}
    assert both.cells.set_index("quantization")["kl"].to_dict() == {"4-bit": 0.2, "8-bit": 0.02, "none": 0.0}
    worse = GivenMetric("kl", given.means.assign(mean=[0.02, 0.2, 0.3]))
    assert list(trade_offs(rows, ["quantization"], SIDES, given=worse).front["quantization"]) == ["4-bit"]


def test_the_given_metric_is_of_the_level_that_is_left_and_not_of_the_first_row() -> None:
    rows = cells_of({"none": (3, 8), "4-bit": (10, 2)}).rename(columns={"cell": "quantization"})
    rows["neighbours"] = (rows["quantization"] == "none").astype(int)
    means = [("4-bit", 0.2, 0.001, 40), ("none", 0.0, 0.0, np.inf)]
    given = GivenMetric("kl", pd.DataFrame(means, columns=["quantization", "mean", "var", "n"]))
    cells = trade_offs(rows, ["quantization"], SIDES, given=given).cells
    assert cells[["quantization", "kl"]].to_numpy().tolist() == [["4-bit", 0.2]]


def test_cells_without_a_metric_are_told() -> None:
    rows = cells_of({"fast": (10, 8), "small": (4, 2), "new": (3, 3)})
    rows.loc[rows["cell"] == "new", MEMORY] = np.nan
    given = GivenMetric("kl", pd.DataFrame({"cell": ["fast"], "mean": 0.1, "var": 0.01, "n": 9.0}))
    assert trade_offs(rows, ["cell"], SIDES, given=given).left_out == (
        "1 of 3 configurations, which have no peak",
        "1 of 2 configurations, which have no KL divergence",
    )
