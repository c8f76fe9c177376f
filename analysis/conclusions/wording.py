"""Words for factors, levels and configurations in sentences of conclusions.

Knows names. Does not know statistics.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from analysis.column_titles import title_of
from analysis.conclusions.levels import LevelGroup
from analysis.conclusions.matched import Term
from analysis.level_labels import text_of


def named(term: Term) -> str:
    """Return the factors of a term."""
    return " and ".join(map(title_of, term))


def verb_of(term: Term, verb: str) -> str:
    """Return the verb in the number of a term: 'CPU cores explain', 'device map explains'."""
    is_plural = len(term) > 1 or title_of(term[0]).endswith("s")
    return verb if is_plural else f"{verb}s"


def level_text(level: Sequence[Any]) -> str:
    """Return a level of a term."""
    return " with ".join(map(text_of, level))


def group_text(group: LevelGroup) -> str:
    """Return the levels of a group."""
    names = listed([level_text(level) for level in group.levels])
    if len(group.levels) == 1:
        return names
    return f"{names} ({'cannot be told apart' if group.is_alike else 'overlap'})"


def configuration(levels: Mapping[str, Any]) -> str:
    """Return factors with their levels."""
    return ", ".join(f"{title_of(name)} {text_of(level)}" for name, level in levels.items())


def share_of(row: Mapping[Any, Any]) -> str:
    """Return the share of a row of the ranking."""
    return "less than 1%" if row["share"] < 0.01 else f"{row['share']:.0%}"


def listed(names: Sequence[str]) -> str:
    """Return 'a, b and c'."""
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))
