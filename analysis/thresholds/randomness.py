"""Seeded draws that do not depend on the order of rows: an item's place is a hash of the item and the seed."""

from collections.abc import Sequence
from hashlib import blake2b
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

Places = npt.NDArray[np.uint64]


def places(items: pd.DataFrame, seed: int, purpose: str) -> Places:
    """Return a random place for each row of a frame: the same for equal rows, seed and purpose, in whatever order.

    The types of the columns do not matter: 3 is 3 as a number of 32 bits, as one of 64, and where others are null.
    """
    plain = pd.DataFrame({name: _plain(items[name]) for name in items})
    hashed: Places = np.asarray(pd.util.hash_pandas_object(plain, index=False), np.uint64)
    key = int.from_bytes(blake2b(f"{purpose}:{seed}".encode(), digest_size=8).digest(), "big")
    return _mixed(hashed ^ np.uint64(key))


def one_of_each(frame: pd.DataFrame, keys: Sequence[str], seed: int) -> pd.DataFrame:
    """Return one row, drawn with the seed, for each combination of the keys; in an order drawn with the seed, too."""
    told_apart = [name for name in _IDENTITY if name in frame]
    place = places(frame[told_apart], seed, "one of each")
    return frame.iloc[np.argsort(place, kind="stable")].drop_duplicates([*keys])


_IDENTITY = (
    "record_id",
    "author",
    "dataset",
    "generator",
    "fragment_index",
    "start_word",
    "prefix_tokens",
    "length_tokens",
    "score",
    "log_ppl",
)
"""Columns that tell the fragments of a record apart."""


def _plain(column: "pd.Series[Any]") -> Any:
    """Return numbers as float64, and all else as text. Categories are looked at once, and not in every row."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        if len(column.cat.categories) > len(column):
            column = column.cat.remove_unused_categories()
        texts, codes = column.cat.categories.map(str), column.cat.codes.to_numpy()
        if (codes < 0).any():
            texts, codes = texts.append(pd.Index([""])), np.where(codes < 0, len(texts), codes)
        return (
            pd.Categorical.from_codes(codes, texts.astype(object)) if texts.is_unique else texts.to_numpy(object)[codes]
        )
    if pd.api.types.is_numeric_dtype(column.dtype):
        return column.to_numpy(np.float64, na_value=np.nan)
    return column.astype(object).where(column.notna(), "").map(str).to_numpy(object)


def _mixed(values: Places) -> Places:
    """Return values mixed so that every bit depends on all of them (the finalizer of splitmix64)."""
    with np.errstate(over="ignore"):
        values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))
