"""Calibrations by name: a file, or a published threshold that comes with this package. Imports no torch."""

from pathlib import Path
from typing import Final

from scoring.calibration import Calibration
from scoring.errors import CalibrationError
from scoring.wording import did_you_mean

PREFIX: Final = "published:"
FOLDER: Final = Path(__file__).parent / "calibrations"
PUBLISHED: Final = ("falcon-accuracy", "falcon-low-fpr")
"""Names of the published calibrations, each a file of `FOLDER`."""


def read_calibration(name: str) -> Calibration:
    """Read a calibration file, or the published calibration `published:NAME`.

    Raises:
        CalibrationError: there is no such calibration, or it cannot be used.
    """
    if not name.startswith(PREFIX):
        return Calibration.read(Path(name))
    key = name.removeprefix(PREFIX)
    if key not in PUBLISHED:
        known = [PREFIX + other for other in PUBLISHED]
        raise CalibrationError(
            f"calibration {name!r} is unknown{did_you_mean(name, known)}; there are {', '.join(known)}"
        )
    return Calibration.read(FOLDER / f"{key}.json")
