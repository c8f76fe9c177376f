"""The files of a calibration: all are there, each of them whole, or none is changed; calibration.json comes last."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import pandas as pd

from scoring.calibration import Calibration
from sweeps.atomic_write import write_all_atomically
from sweeps.errors import SinkFailed


def tables_directory(out: Path) -> Path:
    """Return the directory for the tables of a calibration file, beside the file."""
    return out.with_name(f"{out.stem}-tables")


def write_files(
    calibration: Calibration,
    tables: Mapping[str, pd.DataFrame],
    out: Path,
    directory: Path,
    others: Mapping[Path, str] = MappingProxyType({}),
) -> None:
    """Write a CSV file for each table, then the other files, then the calibration.

    Args:
        calibration: goes to `out`.
        tables: by name; they go to `directory`.
        out: of the calibration.
        directory: of the tables.
        others: Text of other files that belong to the calibration, by path.

    Raises:
        SinkFailed: a file cannot be written; the files of an earlier calibration stay as they are.
    """
    texts = {directory / f"{name}.csv": table.to_csv(index=False) for name, table in tables.items()}
    texts |= {**others, out: calibration.model_dump_json(indent=1) + "\n"}
    for folder in dict.fromkeys(path.parent for path in texts):
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SinkFailed(f"{folder}: cannot be made: {error.strerror or error}") from error
    write_all_atomically(texts)
