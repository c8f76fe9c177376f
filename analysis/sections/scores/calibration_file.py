"""The run's calibration file, where there is one that is of a sweep's scores, and the tables beside the file."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

from analysis.sections.measured_sweep import MeasuredSweep
from analysis.sections.scores.scored import DIRECTED, SETTING, each_setting
from analysis.sections.scores.setting import Setting
from analysis.thresholds.files import tables_directory
from analysis.thresholds.settings import settings_of as settings_in
from scoring.calibration import Calibration
from scoring.calibration_tables import Binding
from scoring.errors import CalibrationError
from sweeps.errors import UserError

NAME: Final = "calibration.json"
_SHOWN: Final = ("subgroups", "left_out", "fitted", "matched_lengths", "reliability")
"""Tables that the section shows, beside what the calibration says itself."""


@dataclass(frozen=True)
class Found:
    """A calibration of a sweep's scores, or the reason why there is none."""

    calibration: Calibration | None
    path: Path | None
    """Path of the file, or of the file to write; None for rows of no directory."""
    setting: Setting | None = None
    """The setting that it is of."""
    remark: str = ""
    tables: dict[str, pd.DataFrame] = field(default_factory=dict)
    """Tables of `python -m analysis.thresholds` by name."""


def calibration_for(sweep: MeasuredSweep) -> Found:
    """Return the calibration in the run directory, if it is of one of the settings and of texts cut alike.

    The file is `calibration.json`, or `calibration-SWEEP.json` where the former is of another sweep.
    """
    if sweep.rows.folder is None:
        return Found(None, None, remark="The rows are of no run directory.")
    run = sweep.rows.folder.parent
    remarks: list[str] = []
    for path in (run / NAME, run / f"calibration-{sweep.rows.name}.json"):
        if not path.is_file():
            return Found(None, path, remark=" ".join(remarks))
        try:
            calibration = Calibration.read(path)
        except CalibrationError as error:
            remarks.append(f"The {error}.")
            continue
        for setting in each_setting(sweep, [*SETTING, *DIRECTED]):  # in memory one after the other
            if _is_of(calibration, setting):
                tables, remark = _tables(tables_directory(path), calibration)
                return Found(calibration, path, setting, remark, tables)
        remarks.append(f"{path.name} in the run directory is of other scores than this sweep's.")
    return Found(None, path, remark=" ".join(remarks))


def _is_of(calibration: Calibration, setting: Setting) -> bool:
    """Tell whether a calibration is bound to a setting, and of texts that were cut in the same way."""
    if calibration.binding.score not in setting.rows:
        return False
    try:
        settings = settings_in(setting.rows)
        binding: Binding = settings.binding(calibration.binding.score)
    except UserError:  # rows of several revisions, say: no calibration is of them
        return False
    return binding == calibration.binding and _plain(settings.fragments) == _plain(calibration.fragments)


def _plain(fragments: Any) -> Any:
    return None if fragments is None else json.loads(json.dumps(dict(fragments)))


def _tables(directory: Path, calibration: Calibration) -> tuple[dict[str, pd.DataFrame], str]:
    """Return the tables beside a calibration, and a remark where they are not there, or of another calibration."""
    try:
        groups = pd.read_csv(directory / "groups.csv")
        if not np.allclose(groups["threshold"], [group.threshold for group in calibration.groups], rtol=1e-9):
            return {}, f"The tables in {directory.name} are of another calibration, and are not shown."
        names = [name for name in _SHOWN if (directory / f"{name}.csv").is_file()]
        return {name: pd.read_csv(directory / f"{name}.csv") for name in names}, ""
    except (OSError, ValueError, KeyError) as error:
        return {}, f"The tables of the calibration cannot be read from {directory.name} ({type(error).__name__})."
