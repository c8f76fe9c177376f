"""Rows of a run as pandas frames and matplotlib figures, for notebooks. The command is `python -m analysis.report`.

    import analysis
    run = analysis.read("runs/quickstart")
    analysis.overview(run)                      # its sweeps, with their factors and metrics
    analysis.averages(run, "generation")        # a row per cell and metric
    analysis.figures(run, "generation")         # the figures of the report
    analysis.sentences(run, "generation", "generation_rate_tokens_per_s")

`effects`, `compare`, `rows`, `study_sections` and `thresholds` are the others; docs/example.ipynb shows each.
Names are imported on first use, so that importing a module of this package imports no other.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from analysis import thresholds
    from analysis.notebook import (
        averages,
        compare,
        effects,
        figures,
        overview,
        read,
        rows,
        sentences,
        study_sections,
    )

__all__ = [
    "averages",
    "compare",
    "effects",
    "figures",
    "overview",
    "read",
    "rows",
    "sentences",
    "study_sections",
    "thresholds",
]

_ROOMS: Final = frozenset({"thresholds"})
"""Names that are packages of their own."""


def __getattr__(name: str) -> Any:
    """Import a public name on its first use.

    Raises:
        AttributeError: the package has no such name.
    """
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}; it has {', '.join(__all__)}")
    if name in _ROOMS:
        return import_module(f"{__name__}.{name}")
    return getattr(import_module(f"{__name__}.notebook"), name)


def __dir__() -> list[str]:
    """Return the public names, also those that were not used yet."""
    return sorted({*globals(), *__all__})
