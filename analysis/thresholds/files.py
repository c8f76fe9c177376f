"""The files of a calibration: all are there, each of them whole, or none is changed; calibration.json comes last."""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from scoring.calibration import Calibration
from sweeps.atomic_write import write_all_atomically
from sweeps.errors import SinkFailed


def tables_directory(out: Path) -> Path:
    """Return the directory for the tables of a calibration file, beside the file."""
    return out.with_name(f"{out.stem}-tables")


def write_files(calibration: Calibration, tables: Mapping[str, pd.DataFrame], out: Path, directory: Path) -> None:
    """Write a CSV file for each table, then the calibration.

    Raises:
        SinkFailed: a file cannot be written; the files of an earlier calibration stay as they are.
    """
    for folder in (directory, out.parent):
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SinkFailed(f"{folder}: cannot be made: {error.strerror or error}") from error
    texts = {directory / f"{name}.csv": table.to_csv(index=False) for name, table in tables.items()}
    write_all_atomically(texts | {out: calibration.model_dump_json(indent=1) + "\n"})
