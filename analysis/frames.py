"""From Arrow columns to a frame: texts as categories, whole numbers with nulls, and no row in memory twice.

Knows types. Does not know columns or files.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

_NULLABLE: Final = {pa.int32(): pd.Int32Dtype(), pa.int64(): pd.Int64Dtype(), pa.bool_(): pd.BooleanDtype()}
"""Types of columns that pandas would turn into floats or objects as soon as one value is null."""


def plain_texts(rows: pd.DataFrame) -> pd.DataFrame:
    """Return rows with every text as it is, not as a code: for a caller that maps, sorts or adds to levels."""
    coded = [name for name in rows if isinstance(rows[name].dtype, pd.CategoricalDtype)]
    return rows.assign(**{str(name): rows[name].astype("str") for name in coded})


def as_frame(columns: dict[str, Any]) -> pd.DataFrame:
    """Return Arrow columns as a frame. Each column leaves the dictionary before the next: no row is there twice."""
    frame: dict[str, Any] = {}
    for name in list(columns):
        column = columns.pop(name)
        frame[name] = _converted(column)
        del column
    return pd.DataFrame(frame, copy=False)


def _converted(column: Any) -> Any:
    """Return a column as pandas holds it, converted chunk by chunk: no column is copied as a whole."""
    if pa.types.is_dictionary(column.type):
        return _as_categories(column)
    if column.type in _NULLABLE and pa.types.is_integer(column.type):
        return _as_integers(column)
    return column.to_pandas(types_mapper=_NULLABLE.get)


def _as_integers(column: Any) -> Any:
    """Return whole numbers with their nulls."""
    values, is_null = np.zeros(len(column), column.type.to_pandas_dtype()), np.zeros(len(column), np.bool_)
    for inside, chunk in _places(column.chunks):
        if chunk.null_count:
            is_null[inside] = chunk.is_null().to_numpy(zero_copy_only=False)
            chunk = chunk.fill_null(0)
        values[inside] = chunk.to_numpy(zero_copy_only=False)
    return pd.arrays.IntegerArray(values, is_null)


def _as_categories(column: Any) -> pd.Categorical:
    """Return texts as categories, with codes of as few bytes as their number allows."""
    chunks = column.unify_dictionaries().chunks
    values = chunks[0].dictionary.to_pandas() if chunks else pd.Series([], dtype="str")
    size = next(kind for kind in (np.int8, np.int16, np.int32) if len(values) < np.iinfo(kind).max)
    codes: npt.NDArray[np.signedinteger[Any]] = np.empty(len(column), size)
    for inside, chunk in _places(chunks):
        indices = chunk.indices.fill_null(-1) if chunk.null_count else chunk.indices
        codes[inside] = indices.to_numpy(zero_copy_only=False)
    return pd.Categorical.from_codes(codes, pd.Index(values), validate=False)


def _places(chunks: Sequence[Any]) -> Iterator[tuple[slice, Any]]:
    """Yield the chunks, each with the places of its rows in the column."""
    start = 0
    for chunk in chunks:
        yield slice(start, start + len(chunk)), chunk
        start += len(chunk)
