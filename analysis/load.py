"""Read a run directory: the rows of each sweep, and the content of its environment file.

A file of a sweep that cannot be read (parts.py, description.py) becomes a remark on the page, and the other files are
shown.
"""

from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import pandas as pd

from analysis.allocator import keep_blocks
from analysis.conformed import POSITION
from analysis.counted import Counted, counted_once, latest_attempts
from analysis.description import Description, read_description
from analysis.frames import as_frame
from analysis.parts import Parts, read_parts
from analysis.run_directories import MAX_LISTED, find_runs, parts_in, sweep_folders
from sweeps.errors import UserError
from sweeps.run_layout import SweepLayout
from sweeps.schema import Columns
from sweeps.task_status import TaskStatus
from sweeps.wording import counted

NO_STATUS: Final = "no status"
"""Status of rows whose status is null."""
MERGES_WAITED_FOR: Final = 3
_ONLY_TO_COUNT: Final = ("iteration", "attempt")
"""Columns that the page of millions of texts does not need once the rows that count are chosen."""


@dataclass(frozen=True, eq=False)
class SweepRows:
    """Rows of one sweep that count, with the content of its environment file."""

    name: str
    benchmark: str
    columns: Columns
    """Columns of the benchmark."""
    rows: pd.DataFrame
    """A row per timed iteration or scored fragment, with every column of the benchmark that the page needs.

    A text, but for `status`, is a category: in millions of rows it takes a byte or two. `plain_texts` undoes that.
    """
    replaced: int
    """Number of rows left out because a later attempt of the same task replaces them."""
    repeated: int
    """Number of rows left out because another row of the same iteration or text counts."""
    description: Description
    remarks: tuple[str, ...] = ()
    """Sentences for the page, one for each problem in the sweep's files."""
    folder: Path | None = None
    """Directory of the sweep, inside that of its run; None for rows that are of no directory."""

    def __repr__(self) -> str:
        """Return the sweep in a line: a notebook would print its frame and its files otherwise."""
        return f"SweepRows({self.name}: {len(self.rows):,} rows of {self.benchmark}, {len(self.ok):,} ok)"

    @property
    def spec(self) -> dict[str, Any]:
        """Return the resolved [[sweep]] table; empty where no file has it."""
        return self.description.spec

    @cached_property
    def ok(self) -> pd.DataFrame:
        """Return the rows with status ok: only these hold measurements."""
        is_ok = self.rows["status"] == "ok"
        return self.rows if is_ok.all() else self.rows[is_ok]


@dataclass(frozen=True)
class RunRows:
    """Rows of all sweeps of a run directory."""

    directory: Path
    sweeps: tuple[SweepRows, ...]
    remarks: tuple[str, ...] = ()
    """Remarks of all sweeps, each with its sweep's name, and a remark on each directory that cannot be read."""

    def __repr__(self) -> str:
        """Return the run in a line a sweep."""
        sweeps = "".join(f"\n  {sweep!r}" for sweep in self.sweeps)
        return f"RunRows({self.directory}){sweeps}"

    @property
    def name(self) -> str:
        """Return the name of the spec, else of the directory."""
        named = (sweep.description.spec_name for sweep in self.sweeps if sweep.description.spec_name)
        return next(named, self.directory.resolve().name)


def read_run(directory: Path, also: Collection[str] = ()) -> RunRows:
    """Read all sweeps of a run directory.

    Args:
        directory: of the run.
        also: columns to read that no page shows, such as text_sha256.

    Raises:
        UserError: the directory is missing, is no run directory, or holds no rows yet. The message names the path and
            what to do.
    """
    runs = find_runs(directory)
    if runs != (directory,):
        more = f" and {len(runs) - MAX_LISTED} more" if len(runs) > MAX_LISTED else ""
        listed = ", ".join(map(str, runs[:MAX_LISTED])) + more
        raise UserError(f"{directory}: a directory of runs, not a run; choose one of {listed}")
    return read_found_run(directory, also)


def read_found_run(directory: Path, also: Collection[str] = ()) -> RunRows:
    """Read all sweeps of a directory that `find_runs` returned. The run may have no row yet.

    Args:
        directory: of the run.
        also: columns to read that no page shows, such as text_sha256.

    Raises:
        UserError: the directory cannot be read.
    """
    try:
        folders, remarks = sweep_folders(directory)
    except OSError as error:
        raise UserError(f"{directory}: cannot be read: {error.strerror or error}; check its permissions") from error
    sweeps = tuple(read_sweep(folder, also) for folder, _ in folders)
    remarks += [f"{sweep.name}: {remark}" for sweep in sweeps for remark in sweep.remarks]
    return RunRows(directory, sweeps, tuple(remarks))


def read_sweep(folder: Path, also: Collection[str] = ()) -> SweepRows:
    """Read the parts and the environment file of one sweep. No problem in them raises: each becomes a remark."""
    described = read_description(folder)
    named = described.spec.get("benchmark")
    parts = _read_while_merged(folder, named if isinstance(named, str) else None, described, also)
    benchmark, columns, remarks = parts.benchmark, parts.columns, [*parts.remarks, *described.remarks]
    if covered := [part.name for part in SweepLayout(folder).superseded()]:
        remarks.append(
            f"{', '.join(covered[:MAX_LISTED])}: not read, because a merged part covers the number; the next run of "
            "the sweep checks that the rows are in it"
        )
    absent, table = parts.absent, parts.table
    del parts  # so that millions of rows are not in memory twice
    keep_blocks(table.num_rows)
    held = {name: table[name] for name in table.column_names}
    del table
    every = as_frame(held)
    every["status"] = every["status"].astype("str").fillna(NO_STATUS)
    current = latest_attempts(every)
    found = counted_once(current, absent)
    rows = found.rows
    remarks += [*_odd_statuses(rows), *_repetitions(found)]
    return SweepRows(
        name=folder.name,
        benchmark=benchmark,
        columns=columns,
        rows=_shown(rows, columns, wanted=[*also, *described.figure.values()]),
        replaced=len(every) - len(current),
        repeated=found.repeated,
        description=described,
        remarks=tuple(remarks),
        folder=folder,
    )


def _shown(rows: pd.DataFrame, columns: Columns, wanted: Collection[Any]) -> pd.DataFrame:
    """Return the rows that count, without the columns that were needed to choose them only."""
    done = [name for name in _ONLY_TO_COUNT if columns.identity and name in rows and name not in wanted]
    return rows.drop(columns=[POSITION, *done]).reset_index(drop=True)


def _read_while_merged(folder: Path, named: str | None, described: Description, also: Collection[str]) -> Parts:
    """Read the parts of a sweep; once more, where a run merged some of them meanwhile."""
    for _ in range(MERGES_WAITED_FOR):
        paths = [folder / name for name in parts_in(folder)]
        wanted = [*also, *described.figure.values()]
        parts = read_parts(paths, named, described.factors, described.columns, wanted)
        if all(path.exists() for path in paths):
            break
    return parts


def _odd_statuses(rows: pd.DataFrame) -> list[str]:
    """Return a remark on each status that the schema does not have, and on rows without a status."""
    odd = {name: count for name, count in rows["status"].value_counts().items() if name not in set(TaskStatus)}
    return [
        f"{counted(count, 'row')} with "
        f"{name if name == NO_STATUS else f'the status {name!r}, unknown to this version'}: left out of every number"
        for name, count in odd.items()
    ]


def _repetitions(found: Counted) -> list[str]:
    """Return a remark on rows left out as repetitions, and a remark on rows that count but may be repetitions."""
    remarks = []
    if found.repeated:
        repeat = "repeats" if found.repeated == 1 else "repeat"
        remarks.append(
            f"{counted(found.repeated, 'row')} {repeat} an iteration or a text that has another row; "
            "the last ok row of each counts"
        )
    if found.unsure:
        remarks.append(
            f"{counted(found.unsure, 'row')} may repeat others: their parts lack values of {', '.join(found.lacking)}; "
            "all of these rows count"
        )
    return remarks
