"""A run directory in, one frame of rows a sweep out; a directory that is no run is one clear UserError.

Knows which directories are sweeps. What cannot be read inside of one (parts.py, description.py) is a remark on
the page: the rest is shown.
"""

import fnmatch
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import pandas as pd
import pyarrow as pa

from analysis.counted import Counted, counted_once, latest_attempts
from analysis.description import FILES, Description, read_description
from analysis.parts import PART_PATTERN, POSITION, read_parts
from sweeps.errors import UserError
from sweeps.schema import Columns
from sweeps.task_status import TaskStatus

NO_STATUS: Final = "no status"
_NULLABLE: Final = {pa.int64(): pd.Int64Dtype(), pa.bool_(): pd.BooleanDtype()}
"""Types that pandas would turn into floats or objects as soon as one value is null."""
_MAX_LISTED: Final = 10


@dataclass(frozen=True)
class Sweep:
    """The rows of one sweep, with what it was asked to do and where it ran."""

    name: str
    benchmark: str
    columns: Columns
    """Columns of the benchmark."""
    rows: pd.DataFrame
    """One row per timed iteration or scored fragment; every column of the benchmark that a page needs is there."""
    replaced: int
    """Rows of failed attempts that a later attempt of the same task stands for."""
    repeated: int
    """Rows of an iteration or a text that has a row already."""
    description: Description
    remarks: tuple[str, ...] = ()
    """Sentences for the page, one for each thing that is missing or odd."""

    @property
    def spec(self) -> dict[str, Any]:
        """The resolved [[sweep]] table; empty where no file says."""
        return self.description.spec

    @cached_property
    def ok(self) -> pd.DataFrame:
        """The rows that hold measurements."""
        is_ok = self.rows["status"] == "ok"
        return self.rows if is_ok.all() else self.rows[is_ok]


@dataclass(frozen=True)
class Run:
    """Everything under one run directory."""

    directory: Path
    sweeps: tuple[Sweep, ...]
    remarks: tuple[str, ...] = ()
    """The same of all sweeps, each with its sweep's name, and of directories that cannot be looked into."""

    @property
    def name(self) -> str:
        """The spec's name, else the directory's."""
        named = (sweep.description.spec_name for sweep in self.sweeps if sweep.description.spec_name)
        return next(named, self.directory.resolve().name)


def read_run(directory: Path) -> Run:
    """Read all sweeps of a run directory.

    Raises:
        UserError: missing, not a run directory, or nothing in it yet; the message names the path and what to do.
    """
    try:
        if not directory.exists():
            raise UserError(f"{directory}: no such directory; give a run directory, such as runs/quickstart")
        if not directory.is_dir():
            raise UserError(f"{directory}: not a directory; give the run directory that holds it")
        folders, remarks = _sweep_folders(directory)
        if not any(parts for _, parts in folders):
            raise UserError(_why_nothing(directory, remarks))
    except OSError as error:
        raise UserError(f"{directory}: cannot be read: {error.strerror or error}; check its permissions") from error
    sweeps = tuple(read_sweep(folder) for folder, _ in folders)
    remarks += [f"{sweep.name}: {remark}" for sweep in sweeps for remark in sweep.remarks]
    return Run(directory, sweeps, tuple(remarks))


def read_sweep(folder: Path) -> Sweep:
    """Read one sweep's parts and its environment file."""
    described = read_description(folder)
    named = described.spec.get("benchmark")
    paths = [folder / name for name in _parts_in(folder)]
    parts = read_parts(paths, named if isinstance(named, str) else None, described.factors, described.columns)
    benchmark, columns, remarks = parts.benchmark, parts.columns, [*parts.remarks, *described.remarks]
    every = parts.table.to_pandas(types_mapper=_NULLABLE.get, split_blocks=True)
    absent = parts.absent
    del parts  # millions of rows are not held twice
    every["status"] = every["status"].fillna(NO_STATUS)
    current = latest_attempts(every)
    counted = counted_once(current, absent)
    rows = counted.rows
    remarks += [*_odd_statuses(rows), *_repetitions(counted)]
    return Sweep(
        name=folder.name,
        benchmark=benchmark,
        columns=columns,
        rows=rows.drop(columns=POSITION).reset_index(drop=True),
        replaced=len(every) - len(current),
        repeated=counted.repeated,
        description=described,
        remarks=tuple(remarks),
    )


def report_directory(directory: Path) -> Path:
    """Directory for the page of a run: `report`, unless a sweep is called so; nothing is ever put beside parts."""
    is_sweep = (directory / "report").is_dir() and _is_sweep(directory / "report")
    return directory / ("_report" if is_sweep else "report")


def _sweep_folders(directory: Path) -> tuple[list[tuple[Path, bool]], list[str]]:
    """Every directory of a sweep with whether it holds parts, and a remark on each that cannot be looked into."""
    folders: list[tuple[Path, bool]] = []
    remarks: list[str] = []
    for folder in sorted(directory.iterdir()):
        if folder.name.startswith(".") or not folder.is_dir():
            continue
        try:
            if _is_sweep(folder):
                folders.append((folder, bool(_parts_in(folder))))
        except OSError as error:
            remarks.append(
                f"{folder.name}: cannot be looked into ({error.strerror or error}); its rows are missing here"
            )
    return folders, remarks


def _parts_in(folder: Path) -> list[str]:
    """Names of the parts, in the order in which they were written."""
    names = (path.name for path in folder.iterdir())  # glob would keep silent about what it may not look into
    return sorted(fnmatch.filter(names, PART_PATTERN), key=lambda name: (len(name), name))


def _is_sweep(folder: Path) -> bool:
    return bool(_parts_in(folder)) or any((folder / name).is_file() for name in FILES)


def _why_nothing(directory: Path, remarks: list[str]) -> str:
    """The message for a directory without rows: the likeliest mistake first."""
    if _parts_in(directory):
        return f"{directory}: one sweep of a run; give the run directory, {directory.resolve().parent}"
    if remarks:
        return f"{directory}: no rows that can be read: {'; '.join(remarks[:_MAX_LISTED])}"
    runs = [child for child in sorted(directory.iterdir()) if child.is_dir() and _holds_rows(child)]
    if runs:
        more = f" and {len(runs) - _MAX_LISTED} more" if len(runs) > _MAX_LISTED else ""
        return f"{directory}: holds runs, is none; choose one of {', '.join(map(str, runs[:_MAX_LISTED]))}{more}"
    return (
        f"{directory}: no rows here: no <sweep>/{PART_PATTERN}; "
        "start the sweep (python -m sweeps.run) or give another directory"
    )


def _holds_rows(directory: Path) -> bool:
    try:
        return any(parts for _, parts in _sweep_folders(directory)[0])
    except OSError:
        return False


def _odd_statuses(rows: pd.DataFrame) -> list[str]:
    odd = {name: count for name, count in rows["status"].value_counts().items() if name not in set(TaskStatus)}
    return [
        f"{count:,} rows have {name if name == NO_STATUS else f'the status {name!r}, unknown to this version'}; "
        "they enter no number"
        for name, count in odd.items()
    ]


def _repetitions(counted: Counted) -> list[str]:
    """A remark on rows that were left out as repetitions, and one on rows that may be some and count."""
    remarks = []
    if counted.repeated:
        remarks.append(
            f"{counted.repeated:,} rows repeat an iteration or a text that has a row already; "
            "each counts once, the last ok one"
        )
    if counted.unsure:
        remarks.append(
            f"whether {counted.unsure:,} rows repeat others cannot be told, because their parts lack values of "
            f"{', '.join(counted.lacking)}; all of them count"
        )
    return remarks
