"""Columns of several parts become one frame, whatever each part holds."""

import pandas as pd
import pyarrow as pa

from analysis.frames import as_frame


def test_chunks_with_and_without_nulls_are_one_column() -> None:
    codes = pa.dictionary(pa.int32(), pa.string())
    texts = [pa.array(["b", None], codes), pa.array(["a", "b"], codes), pa.nulls(1, codes)]
    whole = [pa.array([1, 2], pa.int32()), pa.array([None, 2**31 - 1], pa.int32()), pa.nulls(1, pa.int32())]
    frame = as_frame({"text": pa.chunked_array(texts), "whole": pa.chunked_array(whole)})
    assert [None if pd.isna(text) else text for text in frame["text"]] == ["b", None, "a", "b", None]
    assert frame["whole"].tolist() == [1, 2, pd.NA, 2**31 - 1, pd.NA]
    assert (frame["text"].cat.codes.dtype, frame["whole"].dtype) == ("int8", "Int32")


def test_columns_without_rows_keep_their_types() -> None:
    empty = as_frame(
        {
            "text": pa.chunked_array([], pa.dictionary(pa.int32(), pa.string())),
            "whole": pa.chunked_array([], pa.int64()),
        }
    )
    assert (len(empty), str(empty["text"].dtype), str(empty["whole"].dtype)) == (0, "category", "Int64")
