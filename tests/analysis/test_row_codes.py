"""Codes of rows tell apart exactly what pandas tells apart, nulls included."""

import numpy as np
import pandas as pd
import pytest

from analysis.row_codes import combined_codes, count_combinations, is_repeated, numbered_codes

ROWS = pd.DataFrame(
    {
        "text": pd.Categorical(["a", None, "b", "a", "b", None, "a"], categories=["unused", "b", "a"]),
        "whole": pd.array([3, None, 3, 3, 2**40, None, 3], dtype="Int64"),
        "small": pd.array([1, 2, 1, 1, 3, 2, None], dtype="Int32"),
        "number": [0.5, np.nan, 0.5, 0.5, 1.5, np.nan, 0.5],
        "plain": pd.Series(["x", None, "x", "x", "y", None, "z"], dtype="str"),
        "alone": "same",
    }
)


@pytest.mark.parametrize("names", [[name] for name in ROWS] + [["text", "small"], ["plain", "whole", "text"], [*ROWS]])
def test_rows_have_one_code_where_their_values_are_equal(names: list[str]) -> None:
    codes, size = combined_codes(ROWS, names)
    wanted = ROWS.groupby(names, dropna=False, sort=False).ngroup()
    assert list(pd.factorize(codes)[0]) == list(wanted)
    assert codes.min() >= 0
    assert codes.max() < size
    assert count_combinations(ROWS, names) == wanted.nunique()
    assert is_repeated(ROWS, names)


def test_numbers_have_no_gaps_and_few_bytes() -> None:
    numbers, count = numbered_codes(ROWS, ["text", "whole"])
    assert (sorted(set(numbers)), count, numbers.dtype) == ([0, 1, 2, 3], 4, np.int8)


def test_many_combinations_of_few_rows_are_numbered_anew() -> None:
    draw = np.random.default_rng(0)
    rows = pd.DataFrame({name: draw.permutation(3000) for name in "abcdefgh"})
    codes, size = combined_codes(rows, [*rows])
    assert len(set(codes)) == 3000
    assert size <= 4 * 3000 + 1024
    assert not is_repeated(rows, [*rows])


def test_without_columns_every_row_is_the_same() -> None:
    assert list(combined_codes(ROWS, [])[0]) == [0] * len(ROWS)
    assert numbered_codes(ROWS.iloc[:0], ["text"])[1] == 0
