"""A sweep in, its rows without a measurement out, counted by status and reason.

Knows rows and which factors the spec varies; does not know how the page shows them.
"""

import pandas as pd

from analysis.averages import grouped
from analysis.columns import NULL
from analysis.load import Sweep


def failures(sweep: Sweep) -> pd.DataFrame:
    """Rows that are not ok, by status and reason. Columns: status, reason, rows, cells, where."""
    rows = sweep.rows[sweep.rows["status"] != "ok"]
    wanted = [name for name in sweep.spec.get("factors", {}) if name in rows]
    factors = [name for name in wanted if sweep.rows[name].nunique() > 1]
    records = [
        {
            "status": status,
            "reason": ": ".join(str(part) for part in reason if not pd.isna(part)) or NULL,
            "rows": len(group),
            "cells": group["cell_id"].nunique(),
            "where": "; ".join(_levels_in(group, name) for name in factors),
        }
        for (status, *reason), group in grouped(rows, ("status", "error_type", "error_message"))
    ]
    table = pd.DataFrame(records, columns=["status", "reason", "rows", "cells", "where"])
    return table.sort_values("rows", ascending=False, kind="stable", ignore_index=True)


def _levels_in(group: pd.DataFrame, name: str) -> str:
    levels = ", ".join(str(level) for level in group[name].drop_duplicates())
    return f"{name}: {levels}"
