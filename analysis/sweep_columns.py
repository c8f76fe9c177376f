"""Columns of a sweep's benchmark: those in its environment file, else the built-in ones, else what its parts show.

A benchmark of another package cannot be imported here, and need not be: its run wrote its columns down.
"""

from collections.abc import Collection, Sequence
from typing import Any, Final

import pyarrow as pa

from sweeps.schema import COLUMNS, COMMON, Columns

_GROUPS: Final = ("factors", "metrics", "identity")
_TYPES: Final = {
    str(kind): kind
    for kind in (
        *(pa.bool_(), pa.string(), pa.large_string(), pa.timestamp("us", tz="UTC")),
        *(pa.int8(), pa.int16(), pa.int32(), pa.int64(), pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64()),
        *(pa.float16(), pa.float32(), pa.float64()),
    )
}
"""Types that a table of the report can show, by the names that the file has of them."""


def columns_in_file(content: dict[str, Any] | None, file: str, remarks: list[str]) -> Columns | None:
    """Return the columns that an environment file names; None, with a remark, where they cannot be used.

    A column of a type that no table can show is left out.

    Args:
        content: value of the file's key `columns`; None where it has no such key, as files of older versions.
        file: its name, for remarks.
        remarks: gets a sentence where the content cannot be used.
    """
    if content is None:
        return None
    try:
        groups = {
            group: {name: _TYPES[kind] for name, kind in content[group].items() if kind in _TYPES} for group in _GROUPS
        }
        headlines = tuple(name for name in content["headlines"] if name in groups["metrics"])
        measure = content["measure"] if content["measure"] in groups["metrics"] else None
        return Columns(**groups, headlines=headlines, measure=measure)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        remarks.append(f"{file}: columns cannot be used ({type(error).__name__}: {error}); ignored")
        return None


def columns_of(benchmark: str, in_file: Columns | None, factors: Collection[str], tables: Sequence[Any]) -> Columns:
    """Return the columns of the benchmark that the rows are of.

    Args:
        benchmark: of the rows.
        in_file: those of the file, where the file is of this benchmark.
        factors: that the spec names.
        tables: the parts' rows, for a benchmark that nobody describes.
    """
    return in_file or COLUMNS.get(benchmark) or _shown_by_parts(factors, tables)


def _shown_by_parts(factors: Collection[str], tables: Sequence[Any]) -> Columns:
    """Return every column of the parts that is neither common nor a factor of the spec, as a metric."""
    held: dict[str, set[Any]] = {}
    for table in tables:
        for column in table.schema:
            if column.name not in COMMON and column.name not in factors:
                held.setdefault(column.name, set()).add(column.type)
    return Columns(metrics={name: common_type(kinds) for name, kinds in held.items()})


def common_type(kinds: Collection[Any]) -> Any:
    """Return the type in which values of several types can be read: numbers where all are, else text."""
    numeric = all(pa.types.is_integer(kind) or pa.types.is_floating(kind) for kind in kinds)
    if len(set(kinds)) == 1 and (numeric or str(next(iter(kinds))) in _TYPES):
        return next(iter(kinds))
    return pa.float64() if numeric else pa.string()
