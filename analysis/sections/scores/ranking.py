"""Sentences that rank settings by AUROC, and say which of them cannot be told apart.

Not to find a difference does not make two settings equal. Settings form a group only where no two of them differ, and
each of them differs from every setting outside. Where no such groups exist, only the best one is spoken of.
"""

from collections.abc import Sequence
from typing import Any, Final

import pandas as pd

from analysis.sections.scores.setting import FEWEST_RECORDS
from analysis.sections.scores.wording import auroc_text, fewest_records, is_beyond_chance, listed, other_way

ALPHA: Final = 0.05


def ranking(table: pd.DataFrame, pairwise: pd.DataFrame, what: str = "pair", looks: int = 0) -> list[str]:
    """Return the sentences.

    Args:
        table: setting, auroc, auroc_low, auroc_high, and the columns of `wording.fewest_records`; highest AUROC first.
            The interval is that of one AUROC; a claim on the best of several takes one for all of them.
        pairwise: first, second, p_holm; empty where nothing was compared.
        what: word for a setting.
        looks: number of AUROCs that the section looks at, where it is more than the table has.
    """
    known = table[table["auroc"].notna()]
    looks = max(looks, len(known))
    has_enough = pd.Series([fewest_records(row) >= FEWEST_RECORDS for row in known.to_dict("records")], known.index)
    sure = known[known["auroc_low"].notna() | ((known["auroc"] == 1) & has_enough.astype(bool))]
    if known.empty:
        return [f"No {what} scored texts of both authors, so nothing separates them."]
    loud = [_other_way(row, looks) for row in known[known["auroc"] < 0.5].to_dict("records")]
    if sure.empty and has_enough.any():
        return [*loud, f"No {what} is ranked: the scores vary too little for an interval."]
    if sure.empty:
        return [*loud, f"Too few records to rank: {FEWEST_RECORDS} with human and with synthetic text are needed."]
    best = sure.iloc[0].to_dict()
    shown = f"AUROC {auroc_text(best['auroc'], best['auroc_low'], best['auroc_high'])}"
    if best["auroc"] <= 0.5 or not is_beyond_chance(best, looks):
        among = f", the highest of {len(known)}" if len(known) > 1 else ""
        said = f"No {what} is shown to separate human from synthetic text: {best['setting']} has {shown}{among}."
        return [*loud, said]
    if len(known) == 1:
        return [*loud, f"{best['setting']}: {shown}."]
    if pairwise.empty:
        return [*loud, _not_compared(best["setting"], shown)]
    return [*loud, *_compared(best, shown, known, pairwise, what)]


def groups_of(names: Sequence[str], pairwise: pd.DataFrame) -> list[list[str]] | None:
    """Return groups of names that cannot be told apart, in order; None where the differences make no clean groups.

    Args:
        names: in the order of their AUROCs.
        pairwise: first, second, p_holm.
    """
    differ = _differing(pairwise)
    groups: list[list[str]] = []
    for place, name in enumerate(names):
        parts_here = all(frozenset((before, after)) in differ for before in names[:place] for after in names[place:])
        if parts_here:
            groups.append([])
        groups[-1].append(name)
    is_clean = not any(
        frozenset((one, other)) in differ for group in groups for one in group for other in group if one != other
    )
    return groups if is_clean else None


def _compared(best: dict[Any, Any], shown: str, known: pd.DataFrame, pairwise: pd.DataFrame, what: str) -> list[str]:
    differ, name = _differing(pairwise), best["setting"]
    compared = {*pairwise["first"], *pairwise["second"]}
    beside = pairwise[(pairwise["first"] == name) | (pairwise["second"] == name)]
    others = [other for other in known["setting"] if other != name and other in {*beside["first"], *beside["second"]}]
    if not others:
        return [_not_compared(name, shown)]
    alike = [other for other in others if frozenset((name, other)) not in differ]
    if not alike:
        among = "" if len(others) == len(known) - 1 else f" among the {len(others) + 1} {what}s of its texts"
        sentences = [f"{name} separates best{among}: {shown}."]
    else:
        sentences = [f"{name} has the highest AUROC: {shown[6:]}; it cannot be told apart from {listed(alike)}."]
    groups = groups_of([one for one in known["setting"] if one in compared], pairwise)
    if groups is not None and 1 < len(groups) < len(others) + 1:
        sentences.append(f"Groups that differ, best first: {'; '.join(listed(group) for group in groups)}.")
    return sentences


def _not_compared(name: str, shown: str) -> str:
    return f"{name} has the highest AUROC: {shown[6:]}. The others are not compared with it."


def _differing(pairwise: pd.DataFrame) -> set[frozenset[str]]:
    """Return the pairs of names whose difference is significant after Holm."""
    significant = pairwise[pairwise["p_holm"] < ALPHA]
    return {frozenset(both) for both in zip(significant["first"], significant["second"], strict=True)}


def _other_way(row: dict[Any, Any], looks: int) -> str:
    shown = auroc_text(row["auroc"], row["auroc_low"], row["auroc_high"])
    return f"{row['setting']}: AUROC {shown} is below 0.5: {other_way(row, looks)}."
