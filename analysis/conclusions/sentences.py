"""Sentences on the effects that were found in a sweep.

Knows the outcome of the tests. Computes no statistics.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np
import pandas as pd

from analysis.column_titles import capital, number, scale_of, title_of
from analysis.conclusions.effects import ALPHA, Effects
from analysis.conclusions.levels import LevelGroup
from analysis.conclusions.limits import why_unclaimed, with_left_out
from analysis.conclusions.matched import Term
from analysis.conclusions.wording import (
    configuration,
    group_text,
    level_text,
    listed,
    named,
    share_of,
    verb_of,
)
from analysis.directions import comparative
from analysis.level_labels import text_of
from analysis.multiplicity import p_text

_MAX_NAMED: Final = 5
_MAX_GROUPS: Final = 6
"""Groups of levels that a sentence lists; of more, those between the first ones and the last are counted."""
_SMALL_GAIN: Final = 1.05
"""Greatest gain that a larger level may have with 95% confidence, for the sentence that more does not help."""


def claims(effects: Effects) -> list[str]:
    """Return the sentences that claim a difference: false ones in at most 5% of sweeps without any effect."""
    said = [*_on_factors(effects), *_on_groups(effects)]
    best = [with_left_out(sentence, effects) for sentence in _on_best(effects)]
    return [with_left_out(said[0], effects), *said[1:], *best] if said else best


def _on_factors(effects: Effects) -> Iterator[str]:
    """Yield a sentence for each factor or interaction with an effect, beside it the larger shares without a claim."""
    metric = title_of(effects.metric)
    unsaid = effects.ranking[~(effects.ranking["p_adjusted"] <= ALPHA)]
    for row in effects.found.to_dict("records"):
        larger = unsaid[unsaid["share"] > row["share"]]
        unsaid = unsaid.drop(index=larger.index)
        without = "".join(
            f"; {named(other['term'])} {verb_of(other['term'], 'explain')} more, {share_of(other)}, but "
            f"{'' if pd.notna(other['p_adjusted']) else 'without a claim: '}{why_unclaimed(other)}"
            for other in larger.to_dict("records")
        )
        term, sure = row["term"], p_text(row["p_adjusted"])
        match row["kind"]:
            case "interaction":
                yield (
                    f"The effects of {listed([title_of(name) for name in term])} on {metric} depend on each other "
                    f"({share_of(row)} of the variation, {sure}){without}."
                )
            case "part":
                yield (
                    f"{capital(named(term))}, compared where all else is equal, {verb_of(term, 'explain')} "
                    f"{share_of(row)} of the variation of {metric} ({sure}){without}."
                )
            case _:
                together = " together" if len(term) > 1 else ""
                yield (
                    f"{capital(named(term))}{together} {verb_of(term, 'explain')} {share_of(row)} of the variation of "
                    f"{metric} ({sure}){without}."
                )


def _on_groups(effects: Effects) -> Iterator[str]:
    """Yield a sentence for each factor with an effect: groups from best to worst, and whether more helps.

    Of a joined term whose factors have groups of their own, only the ends are told.
    """
    sign = effects.direction.sign if effects.direction else 1
    taken_apart = {term for term, groups in effects.part_groups if len(groups) > 1}
    for term, greatest_first in (*effects.groups.items(), *effects.part_groups):
        groups = list(greatest_first)[::sign]
        if len(groups) < 2:
            continue
        ends = len(term) > 1 and any((name,) in taken_apart for name in term)
        yield _ends(effects, term, groups) if ends else _order(effects, term, groups)
        if plateau := _plateau(effects, term, sign):
            yield plateau


def _ends(effects: Effects, term: Term, groups: Sequence[LevelGroup]) -> str:
    """Return the sentence on the best and the worst group of a term."""
    better, worse = (comparative(effects.metric, better=side) for side in (True, False))
    return (
        f"{capital(named(term))}: {group_text(groups[0])} {_is(groups[0])} {better} than all others, and "
        f"{group_text(groups[-1])} {_is(groups[-1])} {worse} than all others."
    )


def _order(effects: Effects, term: Term, groups: Sequence[LevelGroup]) -> str:
    """Return the sentence on all groups of a term, from best to worst, with the ratio between the ends."""
    better, worse = (comparative(effects.metric, better=side) for side in (True, False))
    parts = [group_text(group) for group in groups]
    if len(parts) > _MAX_GROUPS:
        between = len(parts) - _MAX_GROUPS
        parts = [*parts[: _MAX_GROUPS - 1], f"{between} more {'group' if between == 1 else 'groups'}", parts[-1]]
    ratio = _ratio(effects, term, groups[0].levels, groups[-1].levels)
    return f"{capital(named(term))}, from {better} to {worse}: {'; then '.join(parts)}. {ratio}".strip()


def _ratio(effects: Effects, term: Term, best: Sequence[Any], worst: Sequence[Any]) -> str:
    """Return the ratio between levels of the outer groups, with the number of shared cells that agree."""
    pairs = effects.pairs[(effects.pairs["term"] == term) & effects.pairs["ratio"].notna()]
    places = {both: place for place, both in enumerate(zip(pairs["level"], pairs["other"], strict=True))}
    for first in best:
        for last in reversed(worst):
            place = places.get((first, last), places.get((last, first)))
            if place is not None:
                return _times(effects.metric, pairs.iloc[place].to_dict())
    return ""


def _times(metric: str, pair: Mapping[Any, Any]) -> str:
    """Return the ratio of two levels as '8-bit takes 3.9 times as long as 4-bit', always greater than 1."""
    (first, low), (last, high) = (pair["level"], pair["ratio_low"]), (pair["other"], pair["ratio_high"])
    ratio, agree = pair["ratio"], pair["greater"]
    if ratio < 1:
        first, last, ratio, low, high = last, first, 1 / ratio, 1 / high, 1 / low
        agree = pair["shared"] - agree
    if metric.endswith("_per_s"):
        compared = f"is {ratio:.3g} times as fast as"
    elif metric.endswith("_s"):
        compared = f"takes {ratio:.3g} times as long as"
    else:
        compared = f"has {ratio:.3g} times the {title_of(metric)} of"
    configurations = f"{agree} of {pair['shared']} configurations" if pair["shared"] > 1 else "the one configuration"
    return (
        f"{level_text(first)} {compared} {level_text(last)} (95% interval {low:.3g} to {high:.3g}), "
        f"in the same direction in {configurations}."
    )


def _plateau(effects: Effects, term: Term, sign: int) -> str | None:
    """Return the sentence that more than some level of a factor of numbers does not help; None if all of them do."""
    pairs = effects.pairs[effects.pairs["term"] == term]
    levels = list(dict.fromkeys([*pairs["level"], *pairs["other"]]))
    if effects.direction is None or len(term) > 1 or not all(_is_number(level[0]) for level in levels):
        return None
    gains: dict[tuple[Any, Any], float] = {}
    for pair in pairs.to_dict("records"):
        if np.isnan(pair["p"]):  # too few values
            continue
        low, high = sorted((pair["ratio_low"], pair["ratio_high"]))
        best_of_first, best_of_other = (high, 1 / low) if sign > 0 else (1 / low, high)
        gains[pair["other"], pair["level"]], gains[pair["level"], pair["other"]] = best_of_first, best_of_other
    ordered = sorted(levels, key=lambda level: float(level[0]))
    for place, level in enumerate(ordered[:-1]):
        if all(gains.get((level, more), np.inf) <= _SMALL_GAIN for more in ordered[place + 1 :]):
            average = " on average" if pairs["shared"].max() > 1 else ""
            return f"More {title_of(term[0])} than {text_of(level[0])} do not help: the gain is below 5%{average}."
    return None


def _on_best(effects: Effects) -> Iterator[str]:
    best = effects.best
    if best is None or len(best.alike) >= best.cells - 1:
        return
    scale = scale_of(effects.metric, [best.mean])
    low, mean, high = (number(value, scale.divisor) for value in (best.low, best.mean, best.high))
    alike = [configuration({name: cell[name] for name in best.levels}) for cell in best.alike.to_dict("records")]
    more = f" and {len(alike) - _MAX_NAMED} more" if len(alike) > _MAX_NAMED else ""
    worse = "the other one is worse (95%)" if best.cells == 2 else f"all {best.cells - 1} others are worse (95%)"
    sure = (
        f"{len(alike)} of the {best.cells - 1} others cannot be told apart from it: "
        f"{' | '.join(alike[:_MAX_NAMED])}{more}"
        if alike
        else worse
    )
    yield (
        f"Best {title_of(effects.metric)} of {best.cells} configurations: {configuration(best.levels)}, "
        f"{mean} {scale.unit} (95% interval {low} to {high}, n = {best.n}); {sure}."
    )


def _is(group: LevelGroup) -> str:
    return "are" if len(group.levels) > 1 else "is"


def _is_number(level: Any) -> bool:
    return isinstance(level, int | float | np.number) and not isinstance(level, bool)
