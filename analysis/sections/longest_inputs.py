"""Sentences and the table on the longest input that fitted on each device."""

from collections.abc import Sequence
from typing import Any, Final

import pandas as pd

from analysis.cell_factors import varies
from analysis.column_titles import title_of
from analysis.conclusions.longest_inputs import longest_by_level, longest_inputs
from analysis.conclusions.wording import listed
from analysis.level_labels import text_of
from analysis.sections.section import Content
from analysis.sections.selection import Selection
from analysis.tables import MAX_TABLE_ROWS, Table

_PLACE: Final = "device_map"
_WHERE: Final = (_PLACE, "model", "quantization")
_ALSO: Final = ("cpu_cores", "dtype", "max_memory", "host")
"""Columns that tell configurations apart where they vary, and where every row has them (but for `max_memory`)."""


def longest(selection: Selection, length: str) -> Content:
    """Return one sentence on all devices, and the table of every configuration.

    Args:
        selection: with device and device map in one column (`Selection.with_device_map`).
        length: column of the input's length, such as input_words.
    """
    rows = selection.sweep.rows
    varying = [name for name in _ALSO if name in rows and varies(rows[name])]
    pooled = [name for name in varying if name != "max_memory" and rows[name].isna().any()]
    by = [*_WHERE, *(name for name in varying if name not in pooled)]
    found, unit = longest_inputs(rows, length, by), length.partition("_")[2]
    if found.empty:
        return Content()
    others = [title_of(name) for name in by if name != _PLACE and varies(rows[name])] or ["configuration"]
    said = longest_by_level(found, _PLACE, listed(others), unit)
    over = [f"{title_of(name)} ({rows[name].nunique()} levels)" for name in pooled]
    remark = (f"The longest inputs are over every {listed(over)}: some rows do not say theirs.",) if over else ()
    return Content(sentences=(said, *remark), tables=(_table(found, by, unit),))


def _table(found: pd.DataFrame, by: Sequence[str], unit: str) -> Table:
    """Return the table of every configuration."""
    return Table(
        title="Longest input per device",
        headers=(
            *map(title_of, by),
            f"longest that was measured ({unit})",
            f"shortest that ran out of memory ({unit})",
            f"not tried after that, from ({unit})",
            "finding",
        ),
        rows=tuple(
            (
                *(text_of(row[name]) for name in by),
                *(_length(row[name]) for name in ("longest", "first_out_of_memory", "first_skipped")),
                row["finding"],
            )
            for row in found.head(MAX_TABLE_ROWS).to_dict("records")
        ),
        names=len(by),
        left_out=max(0, len(found) - MAX_TABLE_ROWS),
    )


def _length(length: Any) -> str:
    return text_of(None if pd.isna(length) else int(length))
