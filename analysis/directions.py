"""Direction of a metric: whether a greater or a smaller value is better. Read off the column's name and unit.

A rate (`…_per_s`) is better when it is greater. A time (`…_s`), a size (`…_bytes`), a divergence (`kl…`) and a
perplexity (`…ppl…`) are better when smaller. Every other metric, such as a score of a text, has no better side.
"""

from enum import StrEnum
from typing import Final


class Direction(StrEnum):
    """The better side of a metric."""

    HIGHER = "higher"
    LOWER = "lower"

    @property
    def sign(self) -> int:
        """Return 1 where greater values are better, else -1."""
        return 1 if self is Direction.HIGHER else -1


_RATES: Final = "_per_s"
_SMALLER_IS_BETTER: Final = ("_s", "_bytes")
_DIVERGENCES: Final = ("kl", "kl_p99", "ppl_ratio")


def direction_of(metric: str) -> Direction | None:
    """Return the better side of a metric; None where the name of the column does not tell."""
    if metric.endswith(_RATES):
        return Direction.HIGHER
    if metric.endswith(_SMALLER_IS_BETTER) or metric in _DIVERGENCES:
        return Direction.LOWER
    return None


def comparative(metric: str, *, better: bool) -> str:
    """Return the word for a better or a worse value: 'faster' and 'slower', 'smaller' and 'larger', …"""
    if metric.endswith((_RATES, "_s")):
        return "faster" if better else "slower"
    if direction_of(metric) is Direction.LOWER:
        return "lower" if better else "higher"
    return "higher" if better else "lower"
