"""The files of a calibration: each is whole or not there, and calibration.json comes last."""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from scoring.calibration import Calibration
from sweeps.atomic_write import write_atomically
from sweeps.errors import SinkFailed


def tables_directory(out: Path) -> Path:
    """Return the directory for the tables of a calibration file, beside the file."""
    return out.with_name(f"{out.stem}-tables")


def write_files(calibration: Calibration, tables: Mapping[str, pd.DataFrame], out: Path, directory: Path) -> None:
    """Write a CSV file for each table, then the calibration.

    Raises:
        SinkFailed: a file cannot be written.
    """
    for folder in (directory, out.parent):
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SinkFailed(f"{folder}: cannot be made: {error.strerror or error}") from error
    for name, table in tables.items():
        write_atomically(directory / f"{name}.csv", table.to_csv(index=False))
    write_atomically(out, calibration.model_dump_json(indent=1) + "\n")
