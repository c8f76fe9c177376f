"""Sentences on what is not claimed about the effects in a sweep, and why.

Knows the outcome of the tests. Computes no statistics.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import pandas as pd

from analysis.column_titles import capital, title_of
from analysis.conclusions.effects import ALPHA, Effects
from analysis.conclusions.wording import configuration, named, share_of
from analysis.multiplicity import p_text

ONE_ROUND: Final = (
    "All rows are of one round. The cells of one loaded model, and of one number of CPU cores, were measured one after "
    "the other, so what else the machine did then would look like an effect of the model, its quantization or the "
    "cores: rounds = 3 in the spec tells them apart."
)


def limits(effects: Effects) -> list[str]:
    """Return the sentences on what is not claimed, and why."""
    return list(_on_limits(effects))


def doubts(claimed: Sequence[str], rows: pd.DataFrame) -> tuple[str, ...]:
    """Return the doubt about claims that no test of one round can take away; nothing where nothing is claimed.

    Args:
        claimed: sentences that claim a difference.
        rows: ok rows of the sweep.
    """
    return (ONE_ROUND,) if claimed and "round" in rows and rows["round"].nunique() == 1 else ()


def no_claim(effects: Effects) -> str | None:
    """Return the sentence that no factor has a claim, and why; None where a factor has one, or none was compared."""
    factors = effects.ranking[effects.ranking["kind"] != "interaction"]
    if len(effects.found) or not (len(factors) or effects.cells.left_out):
        return None
    said = f"Nothing is claimed on what changes {title_of(effects.metric)}"
    if len(factors) and pd.notna(factors["share"].iloc[0]):
        largest = factors.iloc[0].to_dict()
        compared = len(effects.cells.only_replicated.table)
        said += f": the largest share of the variation among {compared} configurations is that of "
        said += f"{named(largest['term'])} ({share_of(largest)}); "
        said += why_unclaimed(largest)
    else:
        said += ": no two configurations that were measured twice can be compared"
    return with_left_out(f"{said}.", effects)


def with_left_out(sentence: str, effects: Effects) -> str:
    """Return a sentence with the rows and cells that did not enter it."""
    if not effects.cells.left_out:
        return sentence
    only = f", so that only {configuration(constants)} is left" if (constants := effects.cells.constants) else ""
    return f"{sentence.removesuffix('.')}; left out: {' and '.join(effects.cells.left_out)}{only}."


def why_unclaimed(row: Mapping[Any, Any]) -> str:
    """Return why a term of the ranking has no claim."""
    return str(row["reason"]) if pd.notna(row["reason"]) else f"no effect was shown ({p_text(row['p_adjusted'])})"


def _on_limits(effects: Effects) -> Iterator[str]:
    yield from effects.cells.remarks
    apart = set(effects.ranking.loc[effects.ranking["kind"] == "part", "term"])
    for term in effects.joined:
        yield (
            f"{capital(named(term))} change together: their effects cannot be told apart everywhere, so that they "
            "count as one factor."
        )
    for term in (term for term in effects.lost if not apart & {(name,) for name in term}):
        yield f"{capital(named(term))} cannot be judged: no two levels were measured with all other factors equal."
    for row in effects.ranking[effects.ranking["reason"].notna()].to_dict("records"):
        yield f"{capital(_row_name(row))}: no claim ({row['reason']})."
    unsure = effects.ranking[(effects.ranking["p_adjusted"] > ALPHA) & (effects.ranking["kind"] != "interaction")]
    for row in unsure.to_dict("records"):
        yield f"No effect of {_row_name(row)} was shown ({p_text(row['p_adjusted'])})."
    if effects.direction and effects.best is None:
        yield "Best configuration: too few to tell; two cells with 5 values are needed."
    elif effects.best and len(effects.best.alike) >= effects.best.cells - 1:
        yield "Best configuration: no cell can be told apart from the best one."


def _row_name(row: Mapping[Any, Any]) -> str:
    """Return the name of a row of the ranking."""
    if row["kind"] == "interaction":
        return f"the interaction of {named(row['term'])}"
    return f"{named(row['term'])}{' where all else is equal' if row['kind'] == 'part' else ''}"
