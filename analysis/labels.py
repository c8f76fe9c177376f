"""Levels as figures write them: their places and short names, worked out once for all cells."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from analysis.averages import Averages
from analysis.columns import short_names, title_of


class Labels:
    """Places and names of the levels of every factor."""

    def __init__(self, averages: Averages) -> None:
        self._names = {factor: short_names(levels) for factor, levels in averages.levels.items()}
        self._places = {
            factor: {level: place for place, level in enumerate(levels)} for factor, levels in averages.levels.items()
        }

    def place(self, factor: str, level: Any) -> int:
        """Position of a level among those of its factor, from 0."""
        return self._places[factor][None if pd.isna(level) else level]

    def short(self, factor: str, level: Any) -> str:
        """A level's short name, different from all others of its factor."""
        return self._names[factor][self.place(factor, level)]

    def named(self, factors: Sequence[str], levels: Sequence[Any], between: str) -> str:
        """'quantization: 4-bit', several joined by `between`."""
        pairs = zip(factors, levels, strict=True)
        return between.join(f"{title_of(factor)}: {self.short(factor, level)}" for factor, level in pairs)

    def joined(self, factors: Sequence[str], levels: Sequence[Any]) -> str:
        """'8-bit · 4', for a legend whose title names the factors."""
        return " · ".join(self.short(factor, level) for factor, level in zip(factors, levels, strict=True))

    def order(self, factors: Sequence[str], levels: Sequence[Any]) -> list[int]:
        """A key to sort combinations by."""
        return [self.place(factor, level) for factor, level in zip(factors, levels, strict=True)]
