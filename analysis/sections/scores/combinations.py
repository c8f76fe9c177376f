"""The matrix of observers and performers: the AUROC of each pair, or why the pair has none."""

import json
from typing import Any, Final

import pandas as pd

from analysis.column_titles import NULL
from analysis.level_labels import short_names, text_of
from analysis.sections.measured_sweep import MeasuredSweep
from analysis.sections.scores.by_record import record_numbers
from analysis.sections.scores.setting import AUTHORS, HUMAN
from analysis.sections.scores.wording import auroc_text
from analysis.tables import Table
from analysis.thresholds.clustered_auroc import clustered_aurocs, separation
from analysis.thresholds.roc import machine_like
from sweeps.printable import middle_out

_MAX_REASON: Final = 160


def matrix(sweep: MeasuredSweep) -> Table | None:
    """Return the matrix; None where no observer has two performers and no performer two observers."""
    rows = sweep.rows.rows
    if "pair" not in rows:
        return None
    pairs = {pair: both for pair in rows["pair"].dropna().unique() if (both := _both(pair)) is not None}
    observers = list(dict.fromkeys(observer for observer, _ in pairs.values()))
    performers = list(dict.fromkeys(performer for _, performer in pairs.values()))
    if len(pairs) <= max(len(observers), len(performers)) or len(pairs) < 3:
        return None
    found = {both: _cell(rows[rows["pair"] == pair]) for pair, both in pairs.items()}
    return Table(
        title="AUROC by observer and performer (95% interval by record)",
        headers=("observer", *short_names(performers)),
        rows=tuple(
            (name, *(found.get((observer, performer), NULL) for performer in performers))
            for observer, name in zip(observers, short_names(observers), strict=True)
        ),
        names=1,
        note="A pair without an AUROC shows its status and the reason; – was not asked for.",
    )


def unsupported(sweep: MeasuredSweep) -> Table | None:
    """Return the pairs that have no score at all, each with its status and reason."""
    rows = sweep.rows.rows
    if "pair" not in rows:
        return None
    has_score = rows["score"].notna() if "score" in rows else False
    scored = list(rows.loc[has_score & rows["pair"].notna(), "pair"].unique())
    failed = rows[rows["pair"].notna() & ~rows["pair"].isin(scored)]
    if failed.empty:
        return None
    first = failed.drop_duplicates(["pair", "status"])
    return Table(
        title="Pairs without a score",
        headers=("pair", "status", "reason"),
        rows=tuple((text_of(row["pair"]), str(row["status"]), _reason(row)) for row in first.to_dict("records")),
        names=3,
    )


def _both(pair: Any) -> tuple[str, str] | None:
    """Return observer and performer of a level of the factor `pair`; None where it is no pair."""
    try:
        observer, performer = json.loads(str(pair))
    except ValueError:
        return None
    return str(observer), str(performer)


def _cell(rows: pd.DataFrame) -> str:
    """Return the AUROC of a pair over all of its texts, or its status and reason."""
    scored = rows[(rows["status"] == "ok") & rows["score"].notna() & rows["author"].isin(AUTHORS)]
    scored = scored[scored["record_id"].notna()]
    human = (scored["author"] == HUMAN).to_numpy(bool)
    if human.all() or not human.any():
        failed = rows[rows["status"] != "ok"]
        return (
            " ".join(_reason(failed.iloc[0].to_dict(), "status").split()) if len(failed) else "no texts of both authors"
        )
    values = machine_like(scored["score"], "score")
    return auroc_text(*separation(clustered_aurocs(values, human, record_numbers(scored))))


def _reason(row: dict[Any, Any], *before: str) -> str:
    """Return the reason of a row without a measurement, in short, with some columns before it."""
    message = "" if pd.isna(row["error_message"]) else str(row["error_message"])
    parts = [*(str(row[name]) for name in before), middle_out(text_of(message.split("\n")[0]), _MAX_REASON)]
    return ": ".join(part for part in parts if part) or NULL
