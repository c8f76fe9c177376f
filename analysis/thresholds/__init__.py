"""Thresholds with a promise: from the rows of a sweep to `calibration.json`, and tables of what scores can tell.

    from analysis.thresholds import calibrate
    calibrate(pandas.read_parquet("runs/mine/scoring"), fpr=0.01)

Names are imported on first use, so that the command can first see to it that it imports its own packages.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from analysis.thresholds.fitting import Fit, fit
    from analysis.thresholds.in_memory import calibrate
    from analysis.thresholds.refused import Refused
    from analysis.thresholds.tables import tables_of

__all__ = ["Fit", "Refused", "calibrate", "fit", "tables_of"]

_MODULES: Final = {
    "Fit": "fitting",
    "Refused": "refused",
    "calibrate": "in_memory",
    "fit": "fitting",
    "tables_of": "tables",
}


def __getattr__(name: str) -> Any:
    """Import a public name on its first use.

    Raises:
        AttributeError: the package has no such name.
    """
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
