"""Rows of a run as pandas frames, for notebooks. The command is `python -m analysis.report`.

    import analysis
    run = analysis.read("runs/quickstart")
    analysis.effects(run, "generation", "generation_rate_tokens_per_s").ranking

Names are imported on first use, so that importing a module of this package imports no other.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from analysis.notebook import compare, effects, read

__all__ = ["compare", "effects", "read"]

_NOTEBOOK: Final = frozenset(__all__)


def __getattr__(name: str) -> Any:
    """Import a public name on its first use.

    Raises:
        AttributeError: the package has no such name.
    """
    if name not in _NOTEBOOK:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.notebook"), name)
