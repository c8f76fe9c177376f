"""A run directory in, one frame of rows a sweep out; every way in which that fails is one clear UserError.

Knows Parquet parts and environment.json. Does not know what a row means, only which rows still count: an
attempt that failed and was run again later (`--retry`) is replaced by the later one.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from sweeps.errors import UserError

PART_PATTERN: Final = "part-*.parquet"
ENVIRONMENT_FILE: Final = "environment.json"
_REQUIRED: Final = ("benchmark", "task_id", "attempt", "status", "started_at")
_NULLABLE: Final = {
    pa.int32(): pd.Int32Dtype(),
    pa.int64(): pd.Int64Dtype(),
    pa.bool_(): pd.BooleanDtype(),
}
"""Types that pandas would turn into floats or objects as soon as one value is null."""


@dataclass(frozen=True)
class Sweep:
    """The rows of one sweep, with what it was asked to do and where it ran."""

    name: str
    benchmark: str
    rows: pd.DataFrame
    """One row per timed iteration or scored fragment, columns as in sweeps/schema.py."""
    replaced: int
    """Rows of failed attempts that a later attempt of the same task stands for."""
    spec_name: str | None
    spec: dict[str, Any]
    """The resolved [[sweep]] table; empty where environment.json is missing."""
    environments: dict[str, Any]
    """By environment_id."""

    @property
    def ok(self) -> pd.DataFrame:
        """The rows that hold measurements."""
        return self.rows[self.rows["status"] == "ok"]


@dataclass(frozen=True)
class Run:
    """Everything under one run directory."""

    directory: Path
    sweeps: tuple[Sweep, ...]

    @property
    def name(self) -> str:
        """The spec's name, else the directory's."""
        named = (sweep.spec_name for sweep in self.sweeps if sweep.spec_name)
        return next(named, self.directory.resolve().name)


def read_run(directory: Path) -> Run:
    """Read all sweeps of a run directory.

    Raises:
        UserError: missing, not a run directory, nothing in it yet, or a file that cannot be read; the message
            names the path and what to do.
    """
    if not directory.exists():
        raise UserError(f"{directory}: no such directory; give a run directory, such as runs/quickstart")
    if not directory.is_dir():
        raise UserError(f"{directory}: not a directory; give the run directory that holds it")
    try:
        folders = _folders_with_parts(directory)
        if not folders:
            raise UserError(_why_nothing(directory))
    except OSError as error:
        raise UserError(f"{directory}: cannot be read: {error.strerror}; check its permissions") from error
    return Run(directory, tuple(read_sweep(folder) for folder in folders))


def read_sweep(folder: Path) -> Sweep:
    """Read one sweep's parts and its environment.json.

    Raises:
        UserError: a part or environment.json cannot be read, or the parts hold several benchmarks.
    """
    table = _concatenate([_read_part(path) for path in sorted(folder.glob(PART_PATTERN))], folder)
    rows = table.to_pandas(types_mapper=_NULLABLE.get)
    document = _read_environment(folder / ENVIRONMENT_FILE)
    spec = _spec_of(document, folder.name)
    current = _drop_replaced(rows)
    return Sweep(
        name=folder.name,
        benchmark=_benchmark(rows, spec, folder),
        rows=current,
        replaced=len(rows) - len(current),
        spec_name=document.get("spec", {}).get("name"),
        spec=spec,
        environments=document.get("environments", {}),
    )


def _folders_with_parts(directory: Path) -> list[Path]:
    return sorted(
        folder
        for folder in directory.iterdir()
        if folder.is_dir() and not folder.name.startswith(".") and any(folder.glob(PART_PATTERN))
    )


def _why_nothing(directory: Path) -> str:
    """The message for a directory without sweeps: the likeliest mistake first."""
    if any(directory.glob(PART_PATTERN)):
        return f"{directory}: one sweep of a run; give the run directory, {directory.resolve().parent}"
    runs = [child for child in sorted(directory.iterdir()) if child.is_dir() and _folders_with_parts(child)]
    if runs:
        return f"{directory}: holds runs, is none; choose one of {', '.join(map(str, runs))}"
    return (
        f"{directory}: no rows here: no <sweep>/{PART_PATTERN}; "
        "start the sweep (python -m sweeps.run) or give another directory"
    )


def _read_part(path: Path) -> Any:
    """One part as an Arrow table, with the part's name as a column, so that attempts can be told apart."""
    try:
        table = pq.ParquetFile(path).read()
    except (OSError, pa.ArrowException) as error:
        reason = " ".join(str(error).split())
        raise UserError(
            f"{path}: cannot be read as Parquet: {reason}; move the file out of the run directory and "
            "run the sweep again: its tasks are then measured anew"
        ) from error
    missing = [name for name in _REQUIRED if name not in table.column_names]
    if missing:
        raise UserError(f"{path}: not a part of a sweep: no column {', '.join(missing)}; move the file away")
    return table.append_column("part", pa.array([path.name] * table.num_rows, pa.string()))


def _concatenate(parts: Iterable[Any], folder: Path) -> Any:
    """One table; columns that an older part lacks are null there."""
    try:
        return pa.concat_tables(parts, promote_options="default")
    except pa.ArrowException as error:
        raise UserError(
            f"{folder}: its parts differ in the type of a column ({error}); "
            "they come from different versions: keep one version's parts in one run directory"
        ) from error


def _drop_replaced(rows: pd.DataFrame) -> pd.DataFrame:
    """Leave out a failed attempt where a later part holds a later attempt of the same task.

    The rows of one attempt are written in one part, so (task, part, attempt) is an attempt.
    """
    attempt = rows.groupby(["task_id", "part", "attempt"], dropna=False, sort=False)
    started = attempt["started_at"].transform("max").fillna(pd.Timestamp(0, tz="UTC"))
    failed = (rows["status"] != "ok").groupby([rows["task_id"], rows["part"], rows["attempt"]], dropna=False)
    latest = started.groupby(rows["task_id"]).transform("max")
    replaced = failed.transform("any") & (started < latest)
    return rows[~replaced].drop(columns="part").reset_index(drop=True)


def _read_environment(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {}
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(
            f"{path}: cannot be read as JSON: {error}; mend it, or move it away: the report works without it"
        ) from error
    if not isinstance(document, dict) or not all(
        isinstance(document.get(key, {}), dict) for key in ("spec", "environments")
    ):
        raise UserError(f"{path}: expected an object with 'spec' and 'environments'; mend it or move it away")
    return document


def _spec_of(document: dict[str, Any], sweep_name: str) -> dict[str, Any]:
    """The sweep's own table; `spec.sweep` is that table, or the list of all sweeps of the spec."""
    tables = document.get("spec", {}).get("sweep", {})
    if isinstance(tables, list):
        tables = next((table for table in tables if table.get("name") == sweep_name), {})
    return tables if isinstance(tables, dict) else {}


def _benchmark(rows: pd.DataFrame, spec: dict[str, Any], folder: Path) -> str:
    names = sorted(rows["benchmark"].dropna().unique())
    if len(names) > 1:
        raise UserError(f"{folder}: parts of several benchmarks ({', '.join(names)}); keep one a directory")
    return str(names[0]) if names else str(spec.get("benchmark", "unknown"))
