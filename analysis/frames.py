"""From Arrow columns to a frame: texts as categories, whole numbers with nulls, and no row in memory twice.

Knows types. Does not know columns or files.
"""

from typing import Any, Final

import numpy as np
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
        frame[name] = (
            _as_categories(column)
            if pa.types.is_dictionary(column.type)
            else column.to_pandas(types_mapper=_NULLABLE.get)
        )
        del column
    return pd.DataFrame(frame, copy=False)


def _as_categories(column: Any) -> pd.Categorical:
    """Return texts as categories, with codes of as few bytes as their number allows."""
    coded = column.combine_chunks()
    coded = coded.chunk(0) if isinstance(coded, pa.ChunkedArray) else coded
    values = coded.dictionary.to_pandas()
    codes = coded.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    size = next(kind for kind in (np.int8, np.int16, np.int32) if len(values) < np.iinfo(kind).max)
    return pd.Categorical.from_codes(codes.astype(size), pd.Index(values), validate=False)
