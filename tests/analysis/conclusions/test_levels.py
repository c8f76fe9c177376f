"""Pairs of levels: each as if it were compared alone, in few steps however many levels there are."""

from itertools import combinations, product
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from analysis.conclusions import levels
from analysis.conclusions.levels import level_groups, level_pairs
from analysis.log_cells import FEWEST, LogCells, log_cells

PAIR_COLUMNS = ["level", "other", "shared", "greater", "log_ratio", "error", "df", "p"]


def cells_of(seed: int, count: int, blocks: int, gaps: float) -> LogCells:
    """Cells of a factor `a` with this many levels, of which a share is missing, with two to six values each."""
    draw = np.random.default_rng(seed)
    rows = [
        {"a": f"a{a:03d}", "b": b, "m": 10 * (1 + a % 3) * np.exp(draw.normal(0, 0.02)), "status": "ok"}
        for a, b in product(range(count), range(blocks))
        if draw.random() >= gaps
        for _ in range(int(draw.integers(2, 7)))
    ]
    return log_cells(pd.DataFrame(rows), ["a", "b"], "m").only_replicated


def one_pair(table: pd.DataFrame, level: str, other: str) -> tuple[Any, ...]:
    """The comparison of two levels by the formulas of Welch and Satterthwaite, one shared cell after the other."""
    one, two = (table[table["a"] == name].set_index("b") for name in (level, other))
    shared = one.index.intersection(two.index)
    if shared.empty:
        return (level,), (other,), 0, 0, *[np.nan] * 4
    one, two = one.loc[shared], two.loc[shared]
    difference = one["mean"] - two["mean"]
    variances = [part["var"] / part["n"] / len(shared) ** 2 for part in (one, two)]
    variance = sum(each.sum() for each in variances)
    df = variance**2 / sum((v**2 / (part["n"] - 1)).sum() for v, part in zip(variances, (one, two), strict=True))
    p = 2 * stats.t.sf(abs(difference.mean()) / variance**0.5, df)
    few = min(one["n"].sum(), two["n"].sum()) < FEWEST
    numbers = (difference.mean(), variance**0.5, df, np.nan if few else p)
    return (level,), (other,), len(shared), int((difference > 0).sum()), *numbers


@pytest.mark.parametrize(("count", "blocks", "gaps"), [(2, 1, 0.0), (4, 3, 0.0), (6, 9, 0.4), (7, 3, 0.6)])
def test_every_pair_is_compared_as_if_alone(count: int, blocks: int, gaps: float) -> None:
    for seed in range(5):
        cells = cells_of(seed, count, blocks, gaps)
        found = level_pairs(cells, ("a",), [("b",)] if blocks > 1 else [])
        names = sorted(cells.table["a"].unique())
        table = cells.table if blocks > 1 else cells.table.assign(b=0)
        expected = [one_pair(table, *pair) for pair in combinations(names, 2)]
        pd.testing.assert_frame_equal(
            found[PAIR_COLUMNS], pd.DataFrame(expected, columns=PAIR_COLUMNS), check_dtype=False, rtol=1e-9
        )


def test_hundreds_of_levels_are_not_tested_pair_by_pair(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []

    def counted(*arrays: Any) -> Any:
        sizes.append(len(arrays[0]))
        return welch(*arrays)

    welch = levels.welch
    monkeypatch.setattr(levels, "welch", counted)
    found = level_pairs(cells_of(0, 200, 2, 0.0), ("a",), [("b",)])
    assert sizes == [len(found)] == [200 * 199 // 2]


def pairs_of(*pairs: tuple[str, str, float, float]) -> pd.DataFrame:
    """Pairs of levels with their log ratio and adjusted p."""
    table = pd.DataFrame(pairs, columns=["level", "other", "log_ratio", "p_adjusted"])
    return table.assign(level=[(name,) for name in table["level"]], other=[(name,) for name in table["other"]])


def test_levels_are_cut_where_all_above_differ_from_all_below() -> None:
    pairs = pairs_of(
        ("low", "high", -1.0, 0.01), ("low", "top", -1.1, 0.01), ("high", "top", -0.1, 0.4),
        ("low", "null", np.nan, np.nan), ("high", "null", np.nan, np.nan), ("top", "null", np.nan, np.nan),
    )  # fmt: skip
    (whole,) = level_groups(pairs, 0.05)
    assert (set(whole.levels), whole.is_alike) == ({("low",), ("high",), ("top",), ("null",)}, False)
    upper, lower = level_groups(pairs.iloc[:3], 0.05)
    assert (upper.levels, upper.is_alike) == ((("top",), ("high",)), True)
    assert lower.levels == (("low",),)


def test_levels_that_share_no_cell_are_not_told_apart_though_a_third_one_shares_cells_with_both() -> None:
    (group,) = level_groups(pairs_of(("a", "b", 1.0, 0.01), ("b", "c", 1.0, 0.01)), 0.05)
    assert (group.levels, group.is_alike) == ((("a",), ("b",), ("c",)), False)
