"""Find the run directories that a name stands for, the sweeps in a run, and the parts of a sweep.

Knows which directories are sweeps. Does not read a file. A directory that is no run is a UserError.
"""

from pathlib import Path
from typing import Final

from analysis.description import FILES
from sweeps.errors import UserError
from sweeps.run_layout import PART_PATTERN, visible_parts

MAX_LISTED: Final = 10
"""Directories or remarks that a message names."""


def find_runs(directory: Path) -> tuple[Path, ...]:
    """Return the run directories that a name stands for: itself, or those in it where it is a directory of runs.

    Beside runs with rows, a directory of runs may hold some that started and have no row yet: these are returned too.

    Raises:
        UserError: the directory is missing, is no run directory, or holds no rows yet. The message names the path and
            what to do.
    """
    try:
        if not directory.exists():
            raise UserError(f"{directory}: no such directory; give a run directory, such as runs/quickstart")
        if not directory.is_dir():
            raise UserError(f"{directory}: not a directory; give the run directory that holds it")
        folders, remarks = sweep_folders(directory)
        if any(parts for _, parts in folders):
            return (directory,)
        if parts_in(directory):
            parent = directory.resolve().parent
            raise UserError(f"{directory}: one sweep of a run, not a run; give the run directory, {parent}")
        runs = tuple(child for child in sorted(directory.iterdir()) if child.is_dir() and _has_started(child))
        if not any(_holds_rows(run) for run in runs):
            raise UserError(_why_nothing(directory, remarks))
    except OSError as error:
        raise UserError(f"{directory}: cannot be read: {error.strerror or error}; check its permissions") from error
    return runs


def report_directory(directory: Path) -> Path:
    """Return the directory for the page of a run or of runs: `report`, or `_report` if a sweep or run is called so.

    No file is ever written beside the parts of a sweep.
    """
    named = directory / "report"
    is_taken = named.is_dir() and (_is_sweep(named) or _holds_rows(named))
    return directory / ("_report" if is_taken else "report")


def sweep_folders(directory: Path) -> tuple[list[tuple[Path, bool]], list[str]]:
    """Return each sweep's directory with whether it holds parts, and a remark on each directory that cannot be read."""
    folders: list[tuple[Path, bool]] = []
    remarks: list[str] = []
    for folder in sorted(directory.iterdir()):
        if folder.name.startswith(".") or not folder.is_dir():
            continue
        try:
            if _is_sweep(folder):
                folders.append((folder, bool(parts_in(folder))))
        except OSError as error:
            remarks.append(f"{folder.name}: cannot be read ({error.strerror or error}); its rows are missing here")
    return folders, remarks


def parts_in(folder: Path) -> list[str]:
    """Return the names of the parts, in the order in which they were written."""
    # not glob, which passes over a directory without permission in silence
    return visible_parts(path.name for path in folder.iterdir())


def _is_sweep(folder: Path) -> bool:
    """Tell whether a directory holds parts or an environment file."""
    return bool(parts_in(folder)) or any((folder / name).is_file() for name in FILES)


def _why_nothing(directory: Path, remarks: list[str]) -> str:
    """Return the message for a directory without rows, for the likeliest mistake."""
    if remarks:
        return f"{directory}: no rows that can be read: {'; '.join(remarks[:MAX_LISTED])}"
    return (
        f"{directory}: no rows here: no <sweep>/{PART_PATTERN}; "
        "start the sweep (python -m sweeps.run) or give another directory"
    )


def _has_started(directory: Path) -> bool:
    """Tell whether a directory holds a sweep, with rows or without."""
    try:
        return bool(sweep_folders(directory)[0])
    except OSError:
        return False


def _holds_rows(directory: Path) -> bool:
    """Tell whether some sweep of a directory holds parts."""
    try:
        return any(parts for _, parts in sweep_folders(directory)[0])
    except OSError:
        return False
