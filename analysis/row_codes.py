"""Rows as whole numbers: a code for each value of a column, and one for each combination of values.

Millions of rows are grouped and compared by codes in a fraction of the time that values take. Knows types. Does not
know columns.
"""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

Codes = npt.NDArray[np.int64]
_SPARSE: Final = 4
"""Codes are counted in an array of up to so many places for each row; sparser ones are numbered anew."""


def codes_of(column: "pd.Series[Any]") -> tuple[Codes, int]:
    """Return a code for each row, from 0, and a number that all codes are below. Null has a code of its own."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        codes = column.cat.codes.to_numpy()
        low, high = (int(codes.min()), int(codes.max())) if len(codes) else (0, 0)
        return codes.astype(np.int64) - low, high - low + 1
    if pd.api.types.is_integer_dtype(column.dtype) and column.notna().any():
        low, span = int(column.min()), int(column.max()) - int(column.min()) + 1
        if span <= _most_codes(len(column)):
            return column.to_numpy(np.int64, na_value=low + span) - low, span + int(column.hasnans)
    codes, values = pd.factorize(column, use_na_sentinel=False)
    return codes.astype(np.int64), max(1, len(values))


def combined_codes(rows: pd.DataFrame, names: Sequence[str]) -> tuple[Codes, int]:
    """Return a code for each combination of values of some columns, and a number that all codes are below."""
    codes, size = np.zeros(len(rows), np.int64), 1
    for name in names:
        own, count = codes_of(rows[name])
        if count == 1:
            continue  # tells no rows apart
        codes *= count
        codes += own
        size *= count
        if size > _most_codes(len(rows)):
            codes, values = pd.factorize(codes)
            codes, size = codes.astype(np.int64), len(values)
    return codes, size


def numbered_codes(rows: pd.DataFrame, names: Sequence[str]) -> tuple[Any, int]:
    """Return the codes of combinations without gaps, in as few bytes as they need, and their number."""
    codes, size = combined_codes(rows, names)
    is_there = np.zeros(size, np.bool_)
    is_there[codes] = True
    count = int(np.count_nonzero(is_there))
    numbers = (np.cumsum(is_there) - 1).astype(np.min_scalar_type(-count - 1))
    return numbers[codes], count


def count_combinations(rows: pd.DataFrame, names: Sequence[str]) -> int:
    """Return the number of combinations of values that occur."""
    return _count(*combined_codes(rows, names))


def is_repeated(rows: pd.DataFrame, names: Sequence[str]) -> bool:
    """Tell whether two rows have the same values of some columns. A null is equal to a null."""
    return not is_told_apart(*combined_codes(rows, names))


def is_told_apart(codes: Codes, size: int) -> bool:
    """Tell whether every row has a code of its own."""
    return size >= len(codes) and _count(codes, size) == len(codes)


def _count(codes: Codes, size: int) -> int:
    is_there = np.zeros(size, np.bool_)
    is_there[codes] = True
    return int(np.count_nonzero(is_there))


def _most_codes(rows: int) -> int:
    """Return the number of codes up to which an array has a place for each."""
    return _SPARSE * rows + 1024
