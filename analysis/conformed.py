"""Give the tables of all parts of a sweep the same columns and types, and say what was changed.

Knows Arrow types. Does not know files, nor the meaning of rows.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

POSITION: Final = "part"
"""Column with the position of a row's part, from 0, in the order in which the parts were written."""
_CODES: Final = pa.dictionary(pa.int32(), pa.string())
"""Type of texts: a code a row, and a list of values."""


class Conformed:
    """Gives the tables of all parts the same columns and types, and counts the changes."""

    def __init__(self, columns: dict[str, Any]) -> None:
        self._columns = columns
        self._parts = 0
        self._absent: dict[str, set[int]] = {}
        self._mistyped: dict[str, dict[int, str]] = {}
        self._translated: dict[tuple[str, str], list[str]] = {}
        self._not_finite: Counter[str] = Counter()

    def nothing(self) -> Any:
        """Return a table without rows."""
        kinds = self._columns | {POSITION: pa.int32()}
        return pa.table({name: pa.nulls(0, kind) for name, kind in kinds.items()})

    def add(self, part: str, table: Any, position: int, benchmark: str) -> Any:
        """Return the rows of one part that belong to the benchmark, with every column in its type."""
        self._parts += 1
        if "benchmark" in table.column_names and (column := cast_to(table["benchmark"], pa.string())) is not None:
            belongs = pc.fill_null(pc.equal(column, benchmark), True)
            table = table if pc.all(belongs).as_py() else table.filter(belongs)  # filtering copies
        columns = {name: self._column(part, position, table, name, kind) for name, kind in self._columns.items()}
        columns[POSITION] = pa.repeat(pa.scalar(position, pa.int32()), table.num_rows)
        return pa.table(columns)

    def absent(self) -> dict[str, frozenset[int]]:
        """Return the positions of the parts without values of a column, by column."""
        names = dict.fromkeys([*self._absent, *self._mistyped])
        return {name: frozenset((*self._absent.get(name, ()), *self._mistyped.get(name, ()))) for name in names}

    def remarks(self) -> list[str]:
        """Return a sentence on each kind of change."""
        said = []
        by_count: dict[int, list[str]] = {}
        for name, positions in self._absent.items():
            by_count.setdefault(len(positions), []).append(name)
        for count, names in by_count.items():
            where = "all parts" if count == self._parts else f"{count:,} of {self._parts:,} parts"
            said.append(
                f"{where} lack these columns, as parts of other versions do: {', '.join(names)}; their values are null"
            )
        for name, parts in self._mistyped.items():
            said.append(
                f"column {name} of {_named([*parts.values()])} does not hold {self._columns[name]}; its values are null"
            )
        for (name, held), translated in self._translated.items():
            said.append(
                f"column {name} of {_named(translated)} holds {held}; its values are read as {self._columns[name]}"
            )
        for name, count in self._not_finite.items():
            said.append(f"{count:,} values of {name} are infinite or not a number; they enter no average")
        return said

    def _column(self, part: str, position: int, table: Any, name: str, kind: Any) -> Any:
        """Return a column in its type. Values that do not fit, and numbers that are not finite, become null."""
        stored = _CODES if kind == pa.string() else kind
        if name not in table.column_names:
            self._absent.setdefault(name, set()).add(position)
            return pa.nulls(table.num_rows, stored)
        column = table[name] if table[name].type == stored else cast_to(table[name], kind)
        if column is None:
            self._mistyped.setdefault(name, {})[position] = part
            return pa.nulls(table.num_rows, stored)
        if column.type != stored:
            column = column.dictionary_encode()
        held = sort_of(table[name].type)
        if held not in (sort_of(kind), "nulls"):
            self._translated.setdefault((name, held), []).append(part)
        if not pa.types.is_floating(kind):
            return column
        finite = pc.is_finite(column)
        if strange := table.num_rows - column.null_count - (pc.sum(finite).as_py() or 0):
            self._not_finite[name] += strange
            column = pc.if_else(finite, column, None)
        return column


def sort_of(kind: Any) -> str:
    """Return the sort of values that a type holds. Reading one type of a sort as another needs no remark."""
    held = kind.value_type if pa.types.is_dictionary(kind) else kind
    if pa.types.is_string(held) or pa.types.is_large_string(held) or pa.types.is_string_view(held):
        return "text"
    if pa.types.is_integer(held) or pa.types.is_floating(held) or pa.types.is_decimal(held):
        return "numbers"
    return "nulls" if pa.types.is_null(held) else "times" if pa.types.is_timestamp(held) else str(held)


def cast_to(column: Any, kind: Any) -> Any | None:
    """Return a column cast to another type; None if a value does not fit."""
    try:
        return column if column.type == kind else column.cast(kind, safe=not pa.types.is_timestamp(kind))
    except (pa.ArrowException, ValueError):
        return None


def _named(parts: Sequence[str]) -> str:
    """Return the names of parts in short, as 'part-0.parquet and 3 more'."""
    return f"{parts[0]} and {len(parts) - 1:,} more" if len(parts) > 1 else parts[0]
