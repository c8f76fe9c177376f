"""Cells of the tables: all texts, the texts of each level of a column, and of each combination of levels."""

from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

import pandas as pd

ALL: Final = "all"
COMBINATIONS: Final = "every combination"
DIMENSIONS: Final = ("pair", "length_group", "dataset", "generator", "decoding_strategy")
"""Columns by which tables are broken down, where they are there and have several levels."""
_OF_MACHINE: Final = frozenset({"generator", "decoding_strategy"})
"""Columns that say how machine text was made. Where human texts have no level of them, all human texts are compared."""


class Cell(NamedTuple):
    """Texts of both classes that are compared with each other."""

    view: str
    levels: dict[str, str]
    texts: pd.DataFrame


def dimensions_of(texts: pd.DataFrame, more: Sequence[str] = ()) -> tuple[str, ...]:
    """Return the columns by which these texts can be told apart."""
    wanted = dict.fromkeys((*DIMENSIONS, *more))
    return tuple(name for name in wanted if name in texts and texts[name].nunique() > 1)


def cells(texts: pd.DataFrame, dimensions: Sequence[str]) -> Iterator[Cell]:
    """Yield the cells of every view, all texts first."""
    whole = dict.fromkeys(dimensions, ALL)
    yield Cell(ALL, whole, texts)
    for name in dimensions:
        for level, part in _levels(texts, name):
            yield Cell(name, whole | {name: level}, part)
    if len(dimensions) > 1:
        for levels, part in _combinations(texts, dimensions):
            yield Cell(COMBINATIONS, levels, part)


def _combinations(texts: pd.DataFrame, dimensions: Sequence[str]) -> Iterator[tuple[dict[str, str], pd.DataFrame]]:
    if not dimensions:
        yield {}, texts
        return
    for level, part in _levels(texts, dimensions[0]):
        for levels, cell in _combinations(part, dimensions[1:]):
            yield {dimensions[0]: level} | levels, cell


def _levels(texts: pd.DataFrame, name: str) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield the levels of a column, with their texts of both classes."""
    human: Any = texts["is_human"]
    for level in texts[name].dropna().drop_duplicates().sort_values():
        of_level = texts[name] == level
        if name in _OF_MACHINE and not (of_level & human).any():
            of_level = of_level | human
        yield str(level), texts[of_level]
