"""Thresholds with a promise: from the rows of a sweep to `calibration.json`, and tables of what scores can tell.

    from analysis.thresholds import calibrate
    calibrate(pandas.read_parquet("runs/mine/scoring"), fpr=0.01)

Names are imported on first use, so that the command can first see to it that it imports its own packages.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from analysis.thresholds.comparable_texts import scored_texts
    from analysis.thresholds.fitting import Fit, fit
    from analysis.thresholds.in_memory import calibrate
    from analysis.thresholds.refused import Refused
    from analysis.thresholds.score_comparison import compared_scores
    from analysis.thresholds.separation import auroc_table, tpr_table
    from analysis.thresholds.tables import tables_of

__all__ = [
    "Fit",
    "Refused",
    "auroc_table",
    "calibrate",
    "compared_scores",
    "fit",
    "scored_texts",
    "tables_of",
    "tpr_table",
]

_MODULES: Final = {
    "Fit": "fitting",
    "Refused": "refused",
    "auroc_table": "separation",
    "calibrate": "in_memory",
    "compared_scores": "score_comparison",
    "fit": "fitting",
    "scored_texts": "comparable_texts",
    "tables_of": "tables",
    "tpr_table": "separation",
}


def __getattr__(name: str) -> Any:
    """Import a public name on its first use.

    Raises:
        AttributeError: the package has no such name.
    """
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
