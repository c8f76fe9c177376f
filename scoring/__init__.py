"""Binoculars scoring as a library: texts and models in, scores out. Knows no Ray and no sweeps.

    from scoring import Binoculars
    Binoculars("builtin://tiny-base", "builtin://tiny-instruct").score(["A text.", "Another."])

Names are imported on first use. So `scoring.fragments` and `scoring.corpora.corpus`, which validate specs, import no
torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from scoring.binoculars import Binoculars
    from scoring.calibration import Calibration
    from scoring.corpora.corpus import Corpus, CorpusSettings, Shard
    from scoring.corpora.records import Record
    from scoring.errors import (
        ArgumentError,
        CalibrationError,
        CorpusChanged,
        CorpusError,
        IncompatiblePair,
        ScoringError,
    )
    from scoring.fragments import Fragment, FragmentSettings, cut, fragment_settings
    from scoring.results import FragmentScore, Score

__all__ = [
    "ArgumentError",
    "Binoculars",
    "Calibration",
    "CalibrationError",
    "Corpus",
    "CorpusChanged",
    "CorpusError",
    "CorpusSettings",
    "Fragment",
    "FragmentScore",
    "FragmentSettings",
    "IncompatiblePair",
    "Record",
    "Score",
    "ScoringError",
    "Shard",
    "cut",
    "fragment_settings",
]

_MODULES: Final = {
    "ArgumentError": "errors",
    "Binoculars": "binoculars",
    "Calibration": "calibration",
    "CalibrationError": "errors",
    "Corpus": "corpora.corpus",
    "CorpusChanged": "errors",
    "CorpusError": "errors",
    "CorpusSettings": "corpora.corpus",
    "Fragment": "fragments",
    "FragmentScore": "results",
    "FragmentSettings": "fragments",
    "IncompatiblePair": "errors",
    "Record": "corpora.records",
    "Score": "results",
    "ScoringError": "errors",
    "Shard": "corpora.corpus",
    "cut": "fragments",
    "fragment_settings": "fragments",
}


def __getattr__(name: str) -> Any:
    """Import a public name on its first use.

    Raises:
        AttributeError: the package has no such name.
    """
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
