"""Count the rows of a sweep without a measurement, by status and reason.

Knows rows and the factors of the spec. Does not know the page.
"""

from collections.abc import Sequence
from typing import Any, Final

import pandas as pd

from analysis.cell_factors import grouped
from analysis.column_titles import NULL
from analysis.load import SweepRows

MAX_REASONS: Final = 500
"""Reasons of a sweep that are counted apart. Rarer reasons of a status are counted together."""
_MAX_LEVELS: Final = 12
"""Levels of a factor that are named."""


def failures(sweep: SweepRows) -> pd.DataFrame:
    """Return the rows that are not ok, counted by status and reason, most rows first.

    Returns:
        Columns: status, reason, rows (count), cells (count), where (levels of the factors that vary).
    """
    rows = sweep.rows[sweep.rows["status"] != "ok"]
    factors = [name for name in sweep.description.factors if name in rows and sweep.rows[name].nunique() > 1]
    named = rows.assign(reason=_reasons(rows))
    if named["reason"].nunique() > MAX_REASONS:
        frequent = named["reason"].value_counts().index[:MAX_REASONS]
        rarer = f"one of {named['reason'].nunique() - MAX_REASONS:,} rarer reasons"
        named["reason"] = named["reason"].where(named["reason"].isin(frequent), rarer)
    records = [_record(group, key, factors) for key, group in grouped(named, ("status", "reason"))]
    table = pd.DataFrame(records, columns=["status", "reason", "rows", "cells", "where"])
    return table.sort_values("rows", ascending=False, kind="stable", ignore_index=True)


def _record(group: pd.DataFrame, key: Sequence[Any], factors: Sequence[str]) -> dict[str, Any]:
    """Return one row of the table, for the rows of a status and a reason."""
    status, reason = key
    return {
        "status": status,
        "reason": reason,
        "rows": len(group),
        "cells": group["cell_id"].nunique(),
        "where": "; ".join(_levels_in(group, name) for name in factors),
    }


def _reasons(rows: pd.DataFrame) -> Any:
    """Return the reason of each row: 'Type: message', or the part of it that is not null."""
    kind, message = (rows[name].astype("str").fillna("") for name in ("error_type", "error_message"))
    between = pd.Series(": ", index=rows.index).where((kind != "") & (message != ""), "")
    reason = kind + between + message
    return reason.where(reason != "", NULL)


def _levels_in(group: pd.DataFrame, name: str) -> str:
    """Return a factor with its levels in some rows, the first of them named."""
    levels = [str(level) for level in group[name].drop_duplicates()]
    more = f" and {len(levels) - _MAX_LEVELS:,} more" if len(levels) > _MAX_LEVELS else ""
    return f"{name}: {', '.join(levels[:_MAX_LEVELS])}{more}"
