"""Read the environment file of a sweep. A problem in the file becomes a remark, never an exception.

Knows JSON and the two names of this file: `_environment.json`, and `environment.json` in older runs. Invariant: every
field of a Description has its type, whatever the file holds.
"""

import json
import os
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from analysis.sweep_columns import columns_in_file
from sweeps.run_layout import METADATA, METADATA_VERSION, OLD_METADATA
from sweeps.schema import Columns

FILES: Final = (METADATA, OLD_METADATA)
"""Names of the environment file: the first that exists is read. Older runs wrote the second."""
UNKNOWN: Final = "spec, versions and devices are unknown"
MAX_BYTES: Final = 64 * 2**20
PLACES: Final = ("y", "x", "panel", "series")
"""Keys of a spec's `figure`."""


@dataclass(frozen=True)
class Description:
    """Content of an environment file: the spec of a sweep, and where it ran. A field that the file lacks is empty."""

    spec_name: str | None = None
    spec: dict[str, Any] = field(default_factory=dict)
    """The resolved [[sweep]] table, unchanged."""
    factors: dict[str, list[Any]] = field(default_factory=dict)
    """Levels by factor, as rows hold them: a list or a table is JSON text."""
    figure: dict[str, str] = field(default_factory=dict)
    """Columns that the spec asks the figure to show, by place."""
    environments: dict[str, Any] = field(default_factory=dict)
    """Versions and devices by environment_id."""
    inputs: Any = None
    """Fingerprints of models and corpora, unchanged."""
    tasks: int | None = None
    """Number of tasks planned; None where the file does not say."""
    columns: Columns | None = None
    """Columns of the benchmark; None where the file does not say, as files of older versions."""
    command: str = ""
    """Command that continues the run; empty where the file does not say."""
    remarks: tuple[str, ...] = ()
    """Sentences for the page, one for each problem in the file."""
    is_known: bool = True
    """False: there is no file, or nothing in it can be read."""


def read_description(folder: Path) -> Description:
    """Read the environment file of one sweep's directory."""
    path = next((folder / name for name in FILES if os.path.lexists(folder / name)), None)
    if path is None:
        return Description(remarks=(f"no {FILES[0]} beside the rows: {UNKNOWN}",), is_known=False)
    remarks: list[str] = []
    document = _parse(path, remarks)
    if document is None:
        return Description(remarks=tuple(remarks), is_known=False)
    try:
        return _describe(document, folder.name, path.name, remarks)
    except RecursionError:
        return Description(remarks=(f"{path.name} is too deeply nested: {UNKNOWN}",), is_known=False)


def _parse(path: Path, remarks: list[str]) -> dict[str, Any] | None:
    """Return the JSON object in a file; None, with a remark, where there is none."""
    twice: list[str] = []

    def collect(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        content = dict(pairs)
        if len(content) < len(pairs):
            twice.extend(name for name, count in Counter(name for name, _ in pairs).items() if count > 1)
        return content

    try:
        if not path.is_file():
            raise ValueError("not a file")
        if path.stat().st_size > MAX_BYTES:
            raise ValueError(f"larger than {MAX_BYTES // 2**20} MiB")
        document = json.loads(path.read_bytes().decode("utf-8-sig"), object_pairs_hook=collect)
    except (OSError, ValueError, RecursionError) as error:
        remarks.append(f"{path.name} cannot be read ({error}): {UNKNOWN}")
        return None
    if twice:
        remarks.append(f"{path.name}: keys that occur twice in one object: {_listed(twice)}; the last value is used")
    if not isinstance(document, dict):
        remarks.append(f"{path.name} holds {_kind(document)}, not an object: {UNKNOWN}")
        return None
    return document


def _describe(document: dict[str, Any], sweep_name: str, file: str, remarks: list[str]) -> Description:
    """Return the fields of a document that have their type, with a remark on each that does not."""

    def typed(owner: dict[str, Any], key: str, wanted: type, where: str) -> Any:
        """Return the value of a key; None where there is none, or one of another type, which gets a remark."""
        value = owner.get(key)
        if value is None or (isinstance(value, wanted) and not (wanted is int and isinstance(value, bool))):
            return value
        remarks.append(f"{file}: {where} is {_kind(value)}, not {_KINDS[wanted]}; ignored")
        return None

    version = typed(document, "version", int, "version")
    if version is not None and version > METADATA_VERSION:
        remarks.append(
            f"{file} has version {version}, this report knows version {METADATA_VERSION}: parts of the file may not be "
            "shown"
        )
    spec = typed(document, "spec", dict, "spec") or {}
    if "spec" not in document:
        remarks.append(f"{file} has no spec: factors and benchmark of the sweep are unknown")
    table = _table(spec.get("sweep"), sweep_name)
    sweep = typed({"sweep": table}, "sweep", dict, "spec.sweep") or {}
    tasks = typed(document, "tasks", int, "tasks")
    if tasks is not None and tasks < 0:
        remarks.append(f"{file}: tasks is {tasks}; ignored")
        tasks = None
    return Description(
        spec_name=typed(spec, "name", str, "spec.name") or None,
        spec=sweep,
        factors={
            name: _levels(levels, f"spec.sweep.factors.{name}", file, remarks)
            for name, levels in (typed(sweep, "factors", dict, "spec.sweep.factors") or {}).items()
        },
        figure=_figure(typed(sweep, "figure", dict, "spec.sweep.figure") or {}, file, remarks),
        environments=typed(document, "environments", dict, "environments") or {},
        inputs=document.get("inputs"),
        tasks=tasks,
        columns=columns_in_file(typed(document, "columns", dict, "columns"), file, remarks),
        command=typed(document, "command", str, "command") or "",
        remarks=tuple(remarks),
    )


def _table(tables: Any, sweep_name: str) -> Any:
    """Return the sweep's own table: `spec.sweep` is this table, or a list of the tables of all sweeps."""
    if not isinstance(tables, list):
        return tables
    named = (table for table in tables if isinstance(table, dict) and table.get("name") == sweep_name)
    return next(named, None)


def _levels(levels: Any, where: str, file: str, remarks: list[str]) -> list[Any]:
    """Return the levels of a factor as rows hold them; none, with a remark, if they are no list."""
    if not isinstance(levels, list):
        remarks.append(f"{file}: {where} is {_kind(levels)}, not a list; the order of its levels is unknown")
        return []
    return [json.dumps(level) if isinstance(level, list | dict) else level for level in levels]


def _figure(wanted: dict[str, Any], file: str, remarks: list[str]) -> dict[str, str]:
    """Return the columns of a spec's `figure` by place, with a remark on keys and columns that are not valid."""
    odd = [place for place, column in wanted.items() if column is not None and not isinstance(column, str)]
    odd += [place for place in wanted if place not in PLACES]
    if odd:
        remarks.append(f"{file}: spec.sweep.figure: {_listed(odd)} cannot be used; chosen by rule instead")
    return {place: column for place, column in wanted.items() if place in PLACES and isinstance(column, str)}


_KINDS: Final[dict[type, str]] = {
    dict: "an object",
    list: "a list",
    str: "a string",
    bool: "a boolean",
    int: "a whole number",
    float: "a number",
    type(None): "null",
}


def _kind(value: Any) -> str:
    """Return the JSON type of a value, in words."""
    return _KINDS.get(type(value), type(value).__name__)


def _listed(names: Iterable[str]) -> str:
    """Return at most five names, and the number of the others."""
    every = list(dict.fromkeys(names))
    more = f" and {len(every) - 5} more" if len(every) > 5 else ""
    return ", ".join(every[:5]) + more
