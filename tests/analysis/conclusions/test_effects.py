"""Effects of factors: nothing found where nothing is, what was planted found and ranked, and the traps."""

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.formula.api import ols
from statsmodels.stats.anova import anova_lm

from analysis.conclusions.effects import Effects, effects
from analysis.conclusions.limits import limits
from analysis.conclusions.sentences import claims

GRID: Mapping[str, Sequence[Any]] = {"device": ["k80", "gtx-1070", "cpu"], "quantization": ["4", "8"], "cores": [1, 4]}
TIME = "inference_time_s"


def rows_of(
    seed: int = 0,
    log_time: Callable[..., float] = lambda **_: 0.0,
    *,
    grid: Mapping[str, Sequence[Any]] = GRID,
    n: int = 5,
    sd: float = 0.02,
    uneven: bool = False,
) -> pd.DataFrame:
    """Times of every cell; with `uneven`, cells differ in their spread, and some are missing."""
    rng = np.random.default_rng(seed)
    rows = []
    for levels in itertools.product(*grid.values()):
        cell = dict(zip(grid, levels, strict=True))
        spread = sd * (rng.uniform(0.2, 2) if uneven else 1)
        if uneven and rng.random() < 0.15:
            continue
        values = np.exp(log_time(**cell) + spread * rng.standard_normal(n))
        rows += [cell | {TIME: value, "status": "ok", "round": 0, "neighbours": 0} for value in values]
    return pd.DataFrame(rows)


def effects_of(rows: pd.DataFrame, factors: Sequence[str] = tuple(GRID)) -> Effects:
    return effects(rows, factors, TIME)


def ranked(found: Effects) -> list[str]:
    return [" × ".join(term) for term in found.found["term"]]


@pytest.mark.parametrize(("n", "uneven"), [(5, False), (3, True)])
def test_grids_without_effects_give_no_claim(n: int, uneven: bool) -> None:
    claimed = sum(bool(claims(effects_of(rows_of(seed, n=n, uneven=uneven)))) for seed in range(200))
    assert claimed <= 10  # 5% of 200; docs/statistics.md has the rate of more grids


def test_planted_effects_are_found_and_ranked_without_others() -> None:
    def log_time(device: str, cores: int, **_: Any) -> float:
        return 0.1 * (device == "k80") - 0.5 * np.log(cores)

    found = [effects_of(rows_of(seed, log_time)) for seed in range(20)]
    assert sum(ranked(each)[:2] == ["cores", "device"] for each in found) == 20
    assert sum(len(each.found) > 2 for each in found) <= 2
    sentence = claims(found[0])[0]
    assert sentence.startswith("Cores explain 9")
    assert sentence.endswith("% of the variation of inference time (p < 0.001).")
    groups = found[0].groups["device",]
    assert [set(group.levels) for group in groups] == [{("k80",)}, {("cpu",), ("gtx-1070",)}]


def test_sums_of_squares_are_those_of_statsmodels_type_two() -> None:
    rows = rows_of(1, lambda device, cores, **_: 0.2 * (device == "k80") * cores, uneven=False)
    rows = rows.drop(index=rows.index[[0, 1, 7, 20, 33]])  # unbalanced
    table = anova_lm(ols(f"np.log({TIME}) ~ C(device) * C(quantization) * C(cores)", rows).fit(), typ=2)
    error = table.loc["Residual", "sum_sq"]
    ranking = effects_of(rows).ranking.set_index("term")
    for term in ranking.index:
        name = ":".join(f"C({factor})" for factor in term)
        expected = table.loc[name, "sum_sq"] / (table.loc[name, "sum_sq"] + error)
        assert ranking.loc[[term], "partial_eta2"].item() == pytest.approx(expected, rel=1e-6)
        assert ranking.loc[[term], "df"].item() == table.loc[name, "df"]


def test_two_levels_alone_are_welchs_test() -> None:
    rows = pd.concat([rows_of(1, n=6, grid={"device": ["a"]}), rows_of(2, n=9, sd=0.05, grid={"device": ["b"]})])
    logs = [np.log(rows.loc[rows["device"] == name, TIME]) for name in "ab"]
    found = effects_of(rows, ["device"])
    assert found.ranking["p"].item() == pytest.approx(stats.ttest_ind(*logs, equal_var=False).pvalue)
    assert found.pairs["p"].item() == pytest.approx(found.ranking["p"].item())


def test_factors_that_change_together_count_as_one() -> None:
    rows = rows_of(1, lambda device, **_: 0.5 * (device == "k80"))
    rows["device_map"] = rows["device"].map({"k80": "auto", "gtx-1070": "single", "cpu": "cpu"})
    found = effects_of(rows, [*GRID, "device_map"])
    assert found.joined == (("device", "device_map"),)
    assert ranked(found) == ["device × device_map"]
    assert any("cannot be told apart" in sentence for sentence in limits(found))


def test_a_missing_corner_gives_no_effect_to_the_other_factor() -> None:
    rows = rows_of(1, lambda cores, **_: -1.0 * (cores == 4))
    rows = rows[~((rows["device"] == "k80") & (rows["cores"] == 4))]  # so the mean of k80 is greater
    assert ranked(effects_of(rows)) == ["cores"]


def test_an_interaction_is_found() -> None:
    found = effects_of(rows_of(1, lambda device, cores, **_: 0.3 * (device == "cpu") * (cores == 4)))
    assert "device × cores" in ranked(found)
    assert any("depend on each other" in sentence for sentence in claims(found))


def test_rounds_of_a_cell_are_its_values() -> None:
    rows = rows_of(1, n=6)
    rows["round"] = [0, 0, 0, 1, 1, 1] * 12
    found = effects_of(rows)
    assert set(found.cells.n) == {2}
    assert found.best is None
    assert any("too few to tell" in sentence for sentence in limits(found))


def test_neighbours_unsteady_cells_and_values_without_logarithm_are_said() -> None:
    rows = rows_of(1)
    rows.loc[:4, "neighbours"] = 2
    rows.loc[5, TIME] = 9.0
    found = effects_of(rows)
    assert len(found.cells.table) == 10
    assert "5 of 60 rows were measured beside other work" in limits(found)[0]
    assert "1 of 11 cells are unsteady" in limits(found)[1]
    for odd in (0.0, -1.0, np.inf):
        rows.loc[12, TIME] = odd
        assert claims(effects_of(rows)) == []
        assert "zero, negative or infinite" in " ".join(limits(effects_of(rows)))


@pytest.mark.parametrize("n", [1, 2])
def test_few_rows_claim_nothing(n: int) -> None:
    found = effects_of(
        rows_of(1, lambda device: float(device == "k80"), n=n, grid={"device": ["k80", "cpu"]}), ["device"]
    )
    assert claims(found) == []
    assert limits(found)


def test_failed_rows_constant_factors_and_nothing_at_all() -> None:
    rows = rows_of(1, lambda device, **_: float(device == "k80")).assign(model="m")
    rows.loc[rows["quantization"] == "8", ["status", TIME]] = ["oom_gpu", None]
    assert ranked(effects_of(rows, [*GRID, "model"])) == ["device"]
    assert claims(effects_of(rows.assign(status="error"))) == []
    assert claims(effects_of(rows, [])) == []


def test_the_best_is_named_with_those_that_equal_it() -> None:
    rows = rows_of(1, lambda device: float(device == "k80"), grid={"device": ["k80", "a", "b"]}, n=8)
    found = effects_of(rows, ["device"])
    assert found.best is not None
    assert len(found.best.alike) == 1
    assert "1 of the 2 others cannot be told apart" in claims(found)[-1]


def test_the_better_of_two_is_better_than_the_other_one() -> None:
    rows = rows_of(1, lambda device: float(device == "k80"), grid={"device": ["k80", "a"]}, n=8)
    assert claims(effects_of(rows, ["device"]))[-1].endswith("; the other one is worse (95%).")


def test_levels_with_few_values_in_shared_cells_are_not_told_apart() -> None:
    rows = rows_of(1, lambda device, **_: float(device == "k80"), n=4)
    shared = (rows["quantization"] == "4") & (rows["cores"] == 1)
    rows = rows[(rows["device"] != "k80") | shared]  # k80 has 4 values
    pairs = effects_of(rows).pairs
    of_k80 = (pairs["level"] == ("k80",)) | (pairs["other"] == ("k80",))
    assert pairs.loc[of_k80, "p"].isna().all()
    assert pairs.loc[~of_k80, "p"].notna().all()


def test_levels_that_share_no_cell_with_each_other_are_told_apart_from_each_other_only_in_their_own_set() -> None:
    """Devices a and b were measured with 4 bits only, c and d with 8 bits only."""
    speeds = {"a": ("4", 0.0), "b": ("4", 0.5), "c": ("8", 2.0), "d": ("8", 2.7)}
    rows = pd.concat(
        rows_of(seed, lambda device: speeds[device][1], grid={"device": [device]}).assign(quantization=bits)
        for seed, (device, (bits, _)) in enumerate(speeds.items())
    )
    found = effects_of(rows, ["device", "quantization"])
    groups = [[level[0] for group in groups for level in group.levels] for _, groups in found.part_groups]
    assert groups == [["b", "a"], ["d", "c"]]
    assert "Device, from faster to slower: c; then d." in " ".join(claims(found))
    assert ("quantization",) not in set(found.ranking["term"])


def test_levels_of_few_values_in_shared_cells_are_no_plateau() -> None:
    rows = rows_of(1, lambda cores: -0.5 * (cores > 1), grid={"cores": [1, 4, 8]}, n=6, sd=0.005)
    assert "More cores than 4 do not help: the gain is below 5%." in claims(effects_of(rows, ["cores"]))
    assert not any("do not help" in said for said in claims(effects_of(rows.iloc[:-2], ["cores"])))


def test_pairs_have_their_columns_also_where_no_two_levels_can_be_compared() -> None:
    some = effects_of(rows_of(1)).pairs
    for rows, factors in ((rows_of(1), []), (rows_of(1, n=1), list(GRID)), (rows_of(1).iloc[:0], list(GRID))):
        none = effects_of(rows, factors).pairs
        assert none.empty
        assert list(none) == list(some)
