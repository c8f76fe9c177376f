"""Read the Parquet parts of one sweep into one table. A problem in a part becomes a remark.

Knows files and types. Does not know the meaning of rows, nor which rows count. Invariant: the table has every column of
its benchmark, each with its type, and every number in it is finite or null.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from analysis.conformed import Conformed, cast_to, sort_of
from analysis.sweep_columns import columns_of, common_type
from sweeps.schema import COLUMNS, COMMON, RESERVED, Columns

_REQUIRED: Final = ("task_id", "status")
_NOT_SHOWN: Final = frozenset({"affinity", "device_uuid", "worker_id", "text_sha256"})
"""Columns that the page does not need: in millions of rows they take much memory."""
_NOT_SHOWN_OF_TEXTS: Final = frozenset(
    {
        *("round", "order_index", "dropped_words", "unpaired_words", "peak_rss_method"),
        *("nll_sum", "xent_sum", "n_nll", "n_xent", "rank_1", "rank_10", "rank_100", "rank_1000", "top1_agree"),
        *("xent_aligned_sum", "var_sum", "entropy_o_sum", "entropy_q_sum", "log_rank_sum"),
        *("peak_allocated_bytes", "peak_reserved_bytes", "peak_device_used_bytes", "peak_rss_bytes"),
    }
)
"""The same for benchmarks of many texts a task, of which there are millions of rows: scores come from these sums."""


@dataclass(frozen=True)
class Parts:
    """Rows of all parts of a sweep."""

    benchmark: str
    columns: Columns
    """Columns of the benchmark."""
    table: Any
    """Arrow table with the columns of the benchmark, the factors of the spec, and POSITION."""
    absent: Mapping[str, frozenset[int]]
    """Positions of the parts without values of a column, by column: the part lacks the column, or has another type."""
    remarks: tuple[str, ...]
    """Sentences for the page, one for each problem in the parts."""


def read_parts(
    paths: Sequence[Path],
    named: str | None,
    factors: Collection[str],
    in_file: Columns | None = None,
    also: Collection[str] = (),
) -> Parts:
    """Read the parts of a sweep. A part that cannot be read is left out and gets a remark.

    Args:
        paths: of the parts, in the order in which they were written.
        named: the benchmark that the spec names; None where no spec does.
        factors: of the spec. Columns of these names are kept, also if the benchmark does not have them.
        in_file: columns of the benchmark `named`, where the environment file has them.
        also: columns to read that no page shows, or that the spec's figure asks for.
    """
    remarks: list[str] = []
    is_described = in_file is not None or named in COLUMNS
    likely = in_file or COLUMNS.get(named or _peek(paths) or "")
    hidden = (_NOT_SHOWN | (_NOT_SHOWN_OF_TEXTS if likely and likely.identity else frozenset())).difference(also)
    known = _known(factors, in_file) - (_NOT_SHOWN & hidden)
    tables: list[tuple[str, Any, int]] = []
    held: set[str] = set()
    for position, path in enumerate(paths):
        try:
            table, names = _read(path, known if is_described else None, hidden)
        except (OSError, ValueError, KeyError, MemoryError, pa.ArrowException) as error:
            reason = " ".join(str(error).split())[:300]
            remarks.append(
                f"{path.name} is not used: {reason}; move it out of the directory, and the same command of "
                "sweeps.run measures its tasks again"
            )
            continue
        held.update(names)
        tables.append((path.name, table, position))
    read = [table for _, table, _ in tables]
    benchmark = _benchmark(read, named, remarks)
    columns = columns_of(benchmark, in_file if benchmark == named else None, factors, read)
    if strange := held - known - columns.names - _NOT_SHOWN:
        remarks.append(f"columns that this version does not know are not shown: {', '.join(sorted(strange))}")
    conformed = Conformed(_target(columns, factors, read, hidden))
    pieces = [conformed.add(*item, benchmark) for item in tables] or [conformed.nothing()]
    del tables, read
    table = pa.concat_tables(pieces).unify_dictionaries()
    return Parts(benchmark, columns, table, conformed.absent(), (*remarks, *conformed.remarks()))


def _known(factors: Iterable[str], in_file: Columns | None) -> set[str]:
    """Return the names of every column of any benchmark, and of the spec's factors."""
    names = {name for name in factors if name not in RESERVED} | (in_file.names if in_file else frozenset())
    return names.union(*(columns.names for columns in COLUMNS.values()))


def _peek(paths: Sequence[Path]) -> str | None:
    """Return the benchmark that the first part with a row names; None where none can be read."""
    for path in paths:
        try:
            with path.open("rb") as file:
                batch = next(pq.ParquetFile(file).iter_batches(1, columns=["benchmark"]))
                return str(batch["benchmark"][0].as_py())
        except (OSError, ValueError, KeyError, StopIteration, pa.ArrowException):
            continue
    return None


def _read(path: Path, wanted: Collection[str] | None, hidden: Collection[str]) -> tuple[Any, list[str]]:
    """Read the wanted columns of a part. Return them with the names of all its columns.

    Args:
        path: of the part.
        wanted: columns to read; None: all that a page may show.
        hidden: columns that are not read.

    Raises:
        OSError, ValueError, pyarrow.ArrowException: the file is no part of a sweep, or is damaged.
    """
    if not path.is_file():
        raise ValueError("not a file")
    with path.open("rb") as file:
        schema = pq.read_schema(file)
        names = schema.names
        if missing := [name for name in _REQUIRED if name not in names]:
            raise ValueError(f"not a part of a sweep: no column {', '.join(missing)}")
        if len(set(names)) < len(names):
            raise ValueError("two columns have the same name")
        nested = [field.name for field in schema if pa.types.is_nested(field.type)]
        left_out = {*nested, *hidden}
        shown = [name for name in names if name not in left_out and (wanted is None or name in wanted)]
        coded = [name for name in shown if sort_of(schema.field(name).type) == "text"]
        part = pq.ParquetFile(file, page_checksum_verification=True, read_dictionary=coded)
        table = part.read(columns=shown)
        table.validate(full=True)
        for name in _REQUIRED:
            if name not in table.column_names or cast_to(table[name], pa.string()) is None:
                raise ValueError(f"column {name} holds no text")
    return table, names


def _benchmark(tables: Sequence[Any], named: str | None, remarks: list[str]) -> str:
    """Return the benchmark of the rows. If there are several, the spec's counts, else the one with most rows."""
    counts: Counter[str] = Counter()
    for table in tables:
        if "benchmark" in table.column_names and (column := cast_to(table["benchmark"], pa.string())) is not None:
            for count in pc.value_counts(column).to_pylist():
                counts[count["values"] or ""] += count["counts"]
    counts.pop("", None)
    if not counts:
        return named or "unknown"
    chosen = named if named is not None and named in counts else counts.most_common(1)[0][0]
    others = sorted(f"{name} ({count:,} rows)" for name, count in counts.items() if name != chosen)
    if others:
        remarks.append(f"rows of benchmarks other than {chosen} are left out: {', '.join(others)}")
    if named is not None and named != chosen:
        remarks.append(f"the spec names benchmark {named}, the rows name {chosen}; the rows count")
    return chosen


def _target(columns: Columns, factors: Iterable[str], tables: Sequence[Any], hidden: Collection[str]) -> dict[str, Any]:
    """Return the type by column: those of the benchmark, and one for each other factor of the spec.

    Such a factor is numeric if all parts hold numbers, else text. Columns that are left out have no type.
    """
    own = {**columns.factors, **columns.identity, **columns.metrics}
    types: dict[str, Any] = dict(COMMON) | {name: kind for name, kind in own.items() if name not in RESERVED}
    for name in factors:
        held = [table.schema.field(name).type for table in tables if name in table.column_names]
        if name not in types and name not in RESERVED and held:
            types[name] = common_type(held)
    return {name: _wide(name, kind, tables) for name, kind in types.items() if name not in hidden}


def _wide(name: str, kind: Any, tables: Sequence[Any]) -> Any:
    """Return the type in which a column is read: floats of 64 bits; whole numbers, too, unless all parts hold 32."""
    if pa.types.is_integer(kind):
        held = {table.schema.field(name).type for table in tables if name in table.column_names}
        return pa.int32() if held <= {pa.int32()} else pa.int64()
    return pa.float64() if pa.types.is_floating(kind) else kind
