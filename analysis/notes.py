"""Sentences that a reader must know before comparing the averages of a sweep.

Knows which factors tell the cells apart. Does not know statistics or the page.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final

import pandas as pd

from analysis.cell_factors import EFFECTIVE, ordered_levels, varies, varies_within
from analysis.level_labels import text_of
from analysis.load import SweepRows
from analysis.row_codes import is_repeated

_OF_MODEL_AND_QUANTIZATION: Final = frozenset({"quantized_share"})
"""Columns that follow from two factors together: no note is needed where they differ between cells."""
_TEXTS: Final = frozenset({"null_reason", "author", "generator", "record_id"})
"""Columns of results of texts, which the notes on them need."""
_MAX_NAMED: Final = 12
"""Levels, or reasons, that a note names."""


def notes_on_averages(sweep: SweepRows, factors: Sequence[str], *, has_scores: bool) -> Iterable[str]:
    """Yield the notes of a sweep whose cells are told apart by `factors`."""
    if not has_scores:
        return _notes_on_conditions(sweep.ok, factors)
    measure = sweep.columns.measure or "score"
    return _notes_on_scores(sweep.ok, factors, measure) if set(sweep.rows) >= {measure, *_TEXTS} else ()


def _notes_on_conditions(rows: pd.DataFrame, factors: Sequence[str]) -> Iterable[str]:
    """Yield a note on each column of what took effect that differs between cells and that no factor explains."""
    for name in EFFECTIVE:
        if name in _OF_MODEL_AND_QUANTIZATION or name not in rows or name in factors:
            continue
        if _is_confounded(rows, name, factors):
            levels = _named(ordered_levels(rows[name], []))
            yield f"{name} differs between cells ({levels}): a difference between cells may come from that."


def _notes_on_scores(rows: pd.DataFrame, factors: Sequence[str], measure: str) -> Iterable[str]:
    """Yield notes on texts that enter no number or no AUROC, and on texts that are not independent."""
    reasons = rows.loc[rows[measure].isna(), "null_reason"].astype("str").fillna("no reason given").value_counts()
    for reason, count in list(reasons.items())[:_MAX_NAMED]:
        yield f"{_texts(count)} no {measure} and {'enters' if count == 1 else 'enter'} no number: {text_of(reason)}."
    if len(reasons) > _MAX_NAMED:
        rest = reasons.iloc[_MAX_NAMED:]
        yield f"{rest.sum():,} texts have no {measure} for {len(rest):,} other reasons."
    strangers = rows[measure].notna() & ~rows["author"].isin(("human", "synthetic"))
    if measure == "score" and (count := int(strangers.sum())):
        yield f"{count:,} texts are neither of author human nor synthetic, and enter no AUROC."
    generators: list[Any] = sorted(rows["generator"].dropna().unique())
    if len(generators) > 1:
        yield f"Texts of several generators are taken together: {_named(generators)}."
    if is_repeated(rows, list({"cell_id", "record_id", "author", *factors})):
        yield "Fragments of one record are not independent: the intervals are by record."


def _texts(count: int) -> str:
    """Return '1 text has' or '2 texts have'."""
    return "1 text has" if count == 1 else f"{count:,} texts have"


def _is_confounded(rows: pd.DataFrame, name: str, factors: Sequence[str]) -> bool:
    """Tell whether a column varies although no single factor explains how."""
    return varies(rows[name]) and all(varies_within(rows, name, [factor]) for factor in factors)


def _named(levels: Sequence[Any]) -> str:
    """Return the first levels as text, and the number of the others."""
    more = f" and {len(levels) - _MAX_NAMED} more" if len(levels) > _MAX_NAMED else ""
    return ", ".join(map(text_of, levels[:_MAX_NAMED])) + more
