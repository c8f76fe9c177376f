"""Choose the rows that count, so that no measurement enters a number twice.

A failed attempt that was run again does not count, nor does a second row of the same iteration or text. Knows rows by
their identity columns. Does not know files, metrics or the page.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pandas as pd

from analysis.conformed import POSITION
from analysis.row_codes import combined_codes, is_told_apart
from sweeps.schema import COLUMNS

_ATTEMPT: Final = ["task_id", POSITION, "attempt"]
"""Columns that identify an attempt of a task."""
_TIMED: Final = ("task_id", "iteration")
"""Columns that identify a timed iteration."""
_SCORED: Final = ("cell_id", "record_id", "dataset", "generator", "author", "fragment_index", "prefix_tokens")
"""Columns that identify a scored text."""
_ASKED: Final = (
    "model",
    "device",
    "device_map",
    "quantization",
    "dtype",
    "cpu_cores",
    *dict.fromkeys(name for columns in COLUMNS.values() for name in columns.factors),
)
_EFFECTIVE: Final = (
    "cell_id",
    "device_name",
    "device_map_effective",
    "threads_effective",
    "rayon_threads_effective",
    "generation_mode_effective",
    "peak_rss_method",
    "filesystem",
    "host",
    "environment_id",
)
_OF_MODELS: Final = ("dtype_effective", "quantized_share", "revision")
"""Columns that tell cells apart in the averages (this tuple and the two above): rows that differ in one of them are no
repetitions."""


@dataclass(frozen=True)
class Counted:
    """The rows of a sweep that count."""

    rows: pd.DataFrame
    repeated: int
    """Number of rows that were left out because they repeat a row that counts."""
    unsure: int
    """Number of ok rows that may repeat others: their parts lack an identity column. All of them count."""
    lacking: tuple[str, ...]
    """Identity columns that some part lacks."""


def latest_attempts(rows: pd.DataFrame) -> pd.DataFrame:
    """Leave out the rows of a failed attempt if there is a later attempt of the same task.

    Parts are in the order in which they were written. All rows of an attempt are in one part.
    """
    suspects = rows[rows["task_id"].isin(rows.loc[rows["status"] != "ok", "task_id"].dropna())]
    if suspects.empty:
        return rows
    attempt = suspects["attempt"].astype("float64").fillna(0).clip(0, 2**20)
    order = suspects[POSITION] * 2.0**21 + attempt
    latest = order.groupby(suspects["task_id"]).transform("max")
    keys = [suspects[name] for name in _ATTEMPT]
    failed = (suspects["status"] != "ok").groupby(keys, dropna=False).transform("any")
    return rows.drop(index=suspects.index[failed & (order < latest)])


def counted_once(rows: pd.DataFrame, absent: Mapping[str, frozenset[int]]) -> Counted:
    """Leave out repetitions: the last ok row of each iteration of a task, or of each text of a cell, counts.

    A row without its identity columns counts.

    Args:
        rows: with every column of the benchmark. A column that a part lacks is null.
        absent: positions of the parts that lack a column, by column.
    """
    identity = _SCORED if _has_texts(rows) else _TIMED
    lacking = tuple(name for name in identity if absent.get(name))
    if not lacking:
        kept = _without_repetitions(rows)
        return Counted(kept, len(rows) - len(kept), 0, ())
    positions = frozenset[int]().union(*(absent[name] for name in lacking))
    is_unsure = rows[POSITION].isin(positions)
    sure = rows[~is_unsure]
    repeated = sure.index.difference(_without_repetitions(sure).index)
    alike = rows.duplicated([name for name in identity if name in rows and name not in lacking], keep=False)
    unsure = int((alike & is_unsure & (rows["status"] == "ok")).sum())
    return Counted(rows.drop(index=repeated), len(repeated), unsure, lacking)


def _has_texts(rows: pd.DataFrame) -> bool:
    """Tell whether rows are of fragments of texts; items of other benchmarks are told apart by task and iteration."""
    return set(_SCORED) <= set(rows.columns)


def _without_repetitions(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the rows without those that repeat another row."""
    is_text = rows["record_id"].notna() if _has_texts(rows) else pd.Series(False, index=rows.index)
    is_timed = ~is_text & rows["task_id"].notna() & rows["iteration"].notna()
    twice = [
        *_repeated(rows, is_timed, _TIMED, (*_ASKED, *_EFFECTIVE, *_OF_MODELS)),
        *_repeated(rows, is_text, _SCORED, ("start_word", *_ASKED, *_OF_MODELS)),
    ]
    return rows.drop(index=twice) if twice else rows


def _repeated(rows: pd.DataFrame, counts: Any, identity: Sequence[str], conditions: Sequence[str]) -> list[int]:
    """Return the index of each row that a later, or an ok, row of the same identity and conditions replaces.

    Args:
        rows: of the sweep.
        counts: tells which of them are compared.
        identity: columns that tell rows apart.
        conditions: columns in which repetitions agree.
    """
    key = [name for name in identity if name in rows]
    known = rows[key] if counts.all() else rows.loc[counts, key]
    codes, size = combined_codes(known, key)
    if is_told_apart(codes, size):
        return []
    alike = rows.loc[known.index[pd.Series(codes).duplicated(keep=False)]]
    key += [name for name in dict.fromkeys(conditions) if name in rows and name not in key]
    alike = alike[[*key, "status"]].assign(measured=alike["status"] == "ok").sort_values("measured", kind="stable")
    return list(alike.index[alike.duplicated(key, keep="last")])
