"""Sentences on the effects in a sweep: what was found, what cannot be told, and why.

Knows the outcome of the tests. Computes no statistics.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np
import pandas as pd

from analysis.column_titles import number, scale_of, title_of
from analysis.conclusions.effects import ALPHA, Effects
from analysis.conclusions.levels import LevelGroup
from analysis.conclusions.matched import Term
from analysis.directions import comparative
from analysis.level_labels import text_of
from analysis.multiplicity import p_text

_MAX_NAMED: Final = 5
_SMALL_GAIN: Final = 1.05
"""Greatest gain that a larger level may have with 95% confidence, for the sentence that more does not help."""


def claims(effects: Effects) -> list[str]:
    """Return the sentences that claim a difference: false ones in at most 5% of sweeps without any effect."""
    return [*_on_factors(effects), *_on_groups(effects), *_on_best(effects)]


def limits(effects: Effects) -> list[str]:
    """Return the sentences on what is not claimed, and why."""
    return list(_on_limits(effects))


def _on_factors(effects: Effects) -> Iterator[str]:
    metric = title_of(effects.metric)
    for row in effects.found.to_dict("records"):
        share = "less than 1%" if row["share"] < 0.01 else f"{row['share']:.0%}"
        if row["kind"] == "factor":
            yield (
                f"{_named(row['term'])} {_verb(row['term'], 'explain')} {share} of the variation of {metric} "
                f"({p_text(row['p_adjusted'])})."
            )
        else:
            yield (
                f"The effects of {' and '.join(map(title_of, row['term']))} on {metric} depend on each other "
                f"({share} of the variation, {p_text(row['p_adjusted'])})."
            )


def _on_groups(effects: Effects) -> Iterator[str]:
    """Yield a sentence for each factor with an effect: groups from best to worst, and whether more helps."""
    sign = effects.direction.sign if effects.direction else 1
    for term, greatest_first in effects.groups.items():
        groups = greatest_first[::sign]
        if len(groups) < 2:
            continue
        word = comparative(effects.metric, better=True)
        ratio = _ratio(effects.pairs, term, groups[0].levels, groups[-1].levels)
        yield (
            f"{_named(term)}, from {word} to {comparative(effects.metric, better=False)}: "
            f"{'; then '.join(map(_group, groups))}. {ratio}"
        ).strip()
        if plateau := _plateau(effects, term, sign):
            yield plateau


def _ratio(pairs: pd.DataFrame, term: Term, best: Sequence[Any], worst: Sequence[Any]) -> str:
    """Return the ratio between the first levels of the outer groups, with how many shared cells agree."""
    for pair in pairs[pairs["term"] == term].to_dict("records"):
        ends = (pair["level"], pair["other"])
        if not ((ends[0] in best and ends[1] in worst) or (ends[1] in best and ends[0] in worst)):
            continue
        if np.isnan(pair["ratio"]):
            continue
        agree = max(pair["greater"], pair["shared"] - pair["greater"])
        return (
            f"{_level(ends[0])} has {pair['ratio']:.3g} times the value of {_level(ends[1])} (95% interval "
            f"{pair['ratio_low']:.3g} to {pair['ratio_high']:.3g}), in the same direction in {agree} of "
            f"{pair['shared']} configurations."
        )
    return ""


def _plateau(effects: Effects, term: Term, sign: int) -> str | None:
    """Return the sentence that more than some level of a factor of numbers does not help; None if all of them do."""
    pairs = effects.pairs[effects.pairs["term"] == term]
    levels = list(dict.fromkeys([*pairs["level"], *pairs["other"]]))
    if effects.direction is None or len(term) > 1 or not all(_is_number(level[0]) for level in levels):
        return None
    gains: dict[tuple[Any, Any], float] = {}
    for pair in pairs.to_dict("records"):
        low, high = sorted((pair["ratio_low"], pair["ratio_high"]))
        best_of_first, best_of_other = (high, 1 / low) if sign > 0 else (1 / low, high)
        gains[pair["other"], pair["level"]], gains[pair["level"], pair["other"]] = best_of_first, best_of_other
    ordered = sorted(levels, key=lambda level: float(level[0]))
    for place, level in enumerate(ordered[:-1]):
        if all(gains[level, more] <= _SMALL_GAIN for more in ordered[place + 1 :]):
            return f"More {title_of(term[0])} than {text_of(level[0])} do not help: the gain is below 5%."
    return None


def _on_best(effects: Effects) -> Iterator[str]:
    best = effects.best
    if best is None or len(best.alike) >= best.cells - 1:
        return
    scale = scale_of(effects.metric, [best.mean])
    low, mean, high = (number(value, scale.divisor) for value in (best.low, best.mean, best.high))
    alike = [_configuration({name: cell[name] for name in best.levels}) for cell in best.alike.to_dict("records")]
    more = f" and {len(alike) - _MAX_NAMED} more" if len(alike) > _MAX_NAMED else ""
    sure = (
        f"{len(alike)} of the {best.cells - 1} others cannot be told apart from it: "
        f"{' | '.join(alike[:_MAX_NAMED])}{more}"
        if alike
        else f"all {best.cells - 1} others are worse (95%)"
    )
    yield (
        f"Best {title_of(effects.metric)}: {_configuration(best.levels)}, {mean} {scale.unit} "
        f"(95% interval {low} to {high}, n = {best.n}); {sure}."
    )


def _on_limits(effects: Effects) -> Iterator[str]:
    yield from effects.cells.remarks
    for term in effects.joined:
        yield f"{_named(term)} change together: their effects cannot be told apart, and they count as one factor."
    for term in effects.lost:
        yield f"{_named(term)} cannot be judged: no two levels were measured with all other factors equal."
    for row in effects.ranking[effects.ranking["reason"].notna()].to_dict("records"):
        yield f"{_named(row['term'])} ({row['kind']}): no claim, {row['reason']}."
    unsure = effects.ranking[(effects.ranking["p_adjusted"] > ALPHA) & (effects.ranking["kind"] == "factor")]
    for row in unsure.to_dict("records"):
        yield f"No effect of {_named(row['term'], first=False)} was shown ({p_text(row['p_adjusted'])})."
    if effects.direction and effects.best is None:
        yield "Best configuration: too few to tell; two cells with 5 values are needed."
    elif effects.best and len(effects.best.alike) >= effects.best.cells - 1:
        yield "Best configuration: no cell can be told apart from the best one."


def _group(group: LevelGroup) -> str:
    names = ", ".join(_level(level) for level in group.levels)
    if len(group.levels) == 1:
        return names
    return f"{names} ({'cannot be told apart' if group.is_alike else 'overlap'})"


def _named(term: Term, *, first: bool = True) -> str:
    text = " and ".join(map(title_of, term))
    return text[:1].upper() + text[1:] if first else text


def _verb(term: Term, verb: str) -> str:
    is_plural = len(term) > 1 or title_of(term[0]).endswith("s")
    return verb if is_plural else f"{verb}s"


def _level(level: Sequence[Any]) -> str:
    return " with ".join(map(text_of, level))


def _configuration(levels: Mapping[str, Any]) -> str:
    return ", ".join(f"{title_of(name)} {text_of(level)}" for name, level in levels.items())


def _is_number(level: Any) -> bool:
    return isinstance(level, int | float | np.number) and not isinstance(level, bool)
