"""Rows of texts without a score: how many of each author and length, and why."""

from typing import Final

import pandas as pd

from analysis.column_titles import NULL
from analysis.level_labels import text_of
from analysis.sections.measured_sweep import MeasuredSweep
from analysis.sections.scores.length_bins import bin_names, bin_of_each, edges_of
from analysis.tables import MAX_TABLE_ROWS, Table

_MOST_BINS: Final = 8
_NO_LENGTH: Final = -1
"""Place of rows whose length is not known, as of texts that are none."""


def null_counts(sweep: MeasuredSweep) -> pd.DataFrame:
    """Return the number of rows without a score, by reason, author and length.

    Lengths are words: a text that is too short has no tokens counted. Of prefixes they are tokens.

    Returns:
        Columns: null_reason, author, unit, length (range), rows_without_score, rows, share.
    """
    ok = sweep.rows.ok
    columns = ["null_reason", "author", "unit", "length", "rows_without_score", "rows", "share"]
    if not {"score", "author"} <= set(ok) or not ok["score"].isna().any():
        return pd.DataFrame(columns=columns)
    is_prefix = "prefix_tokens" in ok and bool(ok["prefix_tokens"].notna().any())
    unit, column = ("tokens", "prefix_tokens") if is_prefix else ("words", "length_words")
    known = ok.loc[ok[column].notna(), column] if column in ok else pd.Series(dtype="float64")
    edges = edges_of(known, _MOST_BINS) if len(known) else []
    place = pd.Series(_NO_LENGTH, ok.index)
    if len(known):
        place[known.index] = bin_of_each(known, edges)
    frame = pd.DataFrame(
        {
            "author": ok["author"].astype(object).where(ok["author"].notna(), NULL),
            "place": place,
            "null_reason": ok["null_reason"].astype(object) if "null_reason" in ok else None,
            "is_null": ok["score"].isna(),
        }
    )
    frame["null_reason"] = frame["null_reason"].where(frame["null_reason"].notna(), "no reason given")
    totals = frame.groupby(["author", "place"]).size().rename("rows").reset_index()
    nulls = frame[frame["is_null"]].groupby(["null_reason", "author", "place"]).size()
    table = nulls.rename("rows_without_score").reset_index().merge(totals, on=["author", "place"])
    names = {_NO_LENGTH: "unknown", **(dict(enumerate(bin_names(edges))) if len(known) else {})}
    return table.assign(unit=unit, length=table["place"].map(names), share=table["rows_without_score"] / table["rows"])[
        columns
    ]


def null_table(counts: pd.DataFrame, file_name: str) -> Table | None:
    """Return the table of rows without a score; None where every row has one."""
    if counts.empty:
        return None
    shown = counts.head(MAX_TABLE_ROWS).to_dict("records")
    return Table(
        title="Rows without a score, by author and length",
        headers=("reason", "author", f"length ({counts['unit'].iloc[0]})", "rows without a score", "of", "share"),
        rows=tuple(
            (
                text_of(row["null_reason"]),
                text_of(row["author"]),
                row["length"],
                f"{row['rows_without_score']:,}",
                f"{row['rows']:,}",
                f"{row['share']:.1%}",
            )
            for row in shown
        ),
        names=3,
        csv=f"tables/{file_name}-nulls.csv",
        left_out=max(0, len(counts) - MAX_TABLE_ROWS),
    )


def null_sentence(counts: pd.DataFrame) -> str:
    """Return a sentence on the number of rows without a score."""
    if counts.empty:
        return "Every row of a text has a score."
    total = int(counts["rows_without_score"].sum())
    reasons = counts.groupby("null_reason")["rows_without_score"].sum().sort_values(ascending=False)
    shown = ", ".join(f"{text_of(reason)} ({count:,})" for reason, count in reasons.head(5).items())
    return f"{total:,} rows have no score and enter no number here: {shown}."
