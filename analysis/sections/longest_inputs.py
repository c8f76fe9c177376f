"""Sentences and the table on the longest input that fitted on each device."""

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


def longest(selection: Selection, length: str) -> Content:
    """Return one sentence on all devices, and the table of every configuration.

    Args:
        selection: with device and device map in one column (`Selection.with_device_map`).
        length: column of the input's length, such as input_words.
    """
    rows = selection.sweep.rows
    found, unit = longest_inputs(rows, length, _WHERE), length.partition("_")[2]
    if found.empty:
        return Content()
    others = [title_of(name) for name in _WHERE if name != _PLACE and varies(rows[name])] or ["configuration"]
    return Content(sentences=(longest_by_level(found, _PLACE, listed(others), unit),), tables=(_table(found, unit),))


def _table(found: pd.DataFrame, unit: str) -> Table:
    """Return the table of every configuration."""
    return Table(
        title="Longest input per device",
        headers=(
            *map(title_of, _WHERE),
            f"longest that was measured ({unit})",
            f"shortest that ran out of memory ({unit})",
            f"not tried after that, from ({unit})",
            "finding",
        ),
        rows=tuple(
            (
                *(text_of(row[name]) for name in _WHERE),
                *(_length(row[name]) for name in ("longest", "first_out_of_memory", "first_skipped")),
                row["finding"],
            )
            for row in found.head(MAX_TABLE_ROWS).to_dict("records")
        ),
        names=len(_WHERE),
        left_out=max(0, len(found) - MAX_TABLE_ROWS),
    )


def _length(length: Any) -> str:
    return text_of(None if pd.isna(length) else int(length))
