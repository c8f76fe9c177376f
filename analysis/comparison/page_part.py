"""A comparison of two runs as a part of the page: its sentences, the environments' differences, and its cells.

Knows the outcome of a comparison. Computes no statistics.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import pandas as pd

from analysis.column_titles import number, title_of
from analysis.comparison.compare import COLUMNS, Comparison
from analysis.multiplicity import p_text
from analysis.sections.section import Content
from analysis.tables import Table

_MOST_ROWS: Final = 400
"""Cells on the page; compare.csv holds all."""


@dataclass(frozen=True)
class ComparedPart:
    """The part of the page that compares its run with another one."""

    against: str
    """Name of the other run."""
    content: Content


def compared_part(comparison: Comparison, against: str) -> ComparedPart:
    """Return the part of the page, the environments' differences first."""
    tables = [table for table in (_environments(comparison), _cells(comparison), _only(comparison)) if table.rows]
    return ComparedPart(against, Content(sentences=comparison.sentences, tables=tuple(tables)))


def frame_of(comparison: Comparison) -> pd.DataFrame:
    """Return the rows of compare.csv: the cells, then those of one run only."""
    only = comparison.only.rename(columns={"only_in": "reason"})
    only = only.assign(reason=["only in " + name for name in _only_in(comparison)], significant=False)
    parts = [part for part in (comparison.cells, only) if len(part)]
    return pd.concat(parts or [comparison.cells]).reindex(columns=list(COLUMNS))


def _environments(comparison: Comparison) -> Table:
    rows = comparison.environments.astype(str).itertuples(index=False, name=None)
    return Table("Differences of the environments", ("what", "this run", "the other run"), tuple(rows), names=3)


def _cells(comparison: Comparison) -> Table:
    cells = comparison.cells.sort_values("slowdown", ascending=False, na_position="last", kind="stable")
    return Table(
        title="Cells of both runs, the slowest first",
        headers=(
            *("sweep", "cell", "metric", "verdict", "reason or doubt", "ratio", "95% interval"),
            *("p (Holm)", "significant?", "n", "n of the other", "mean", "mean of the other"),
        ),
        rows=tuple(tuple(_row(cell)) for cell in cells.head(_MOST_ROWS).to_dict("records")),
        names=5,
        csv="compare.csv",
        left_out=max(0, len(cells) - _MOST_ROWS),
        on_demand=2,
        note="Ratio: this run over the other one; of scores, the difference.",
    )


def _row(cell: dict[Any, Any]) -> Iterator[str]:
    yield from (str(cell["sweep"]), str(cell["cell"]), title_of(cell["metric"]), str(cell["verdict"]))
    yield "" if pd.isna(cell["reason"]) else str(cell["reason"])
    is_ratio = not pd.isna(cell["ratio"])
    yield f"{cell['ratio']:.3f}" if is_ratio else _known(cell["difference"], "+.4f")
    low, high = (
        (cell["ratio_low"], cell["ratio_high"]) if is_ratio else (cell["difference_low"], cell["difference_high"])
    )
    yield "–" if pd.isna(low) else f"{low:.4f} to {high:.4f}"
    yield "–" if pd.isna(cell["p_adjusted"]) else p_text(cell["p_adjusted"]).removeprefix("p = ")
    yield "yes" if cell["significant"] else "no"
    yield from (_known(cell["n_run"], ".0f"), _known(cell["n_against"], ".0f"))
    yield from ("–" if pd.isna(cell[name]) else number(cell[name]) for name in ("mean_run", "mean_against"))


def _known(value: Any, form: str) -> str:
    return "–" if pd.isna(value) else f"{value:{form}}"


def _only_in(comparison: Comparison) -> list[str]:
    """Return the run that has each cell of one run only, with the reason why the other run has no values of it."""
    earlier = comparison.earlier.astype(object)
    reasons = dict(zip(zip(earlier["sweep"], earlier["cell"], strict=True), earlier["why_not"], strict=True))
    return [
        f"{side}: {reasons[sweep, cell]}" if side == "against" and (sweep, cell) in reasons else str(side)
        for sweep, cell, side in comparison.only[["sweep", "cell", "only_in"]].itertuples(index=False)
    ]


def _only(comparison: Comparison) -> Table:
    only = comparison.only.assign(only_in=_only_in(comparison))
    rows = only.head(_MOST_ROWS).astype(str).itertuples(index=False, name=None)
    return Table(
        "Cells of one run only",
        ("sweep", "cell", "only in"),
        tuple(rows),
        names=3,
        csv="compare.csv",
        left_out=max(0, len(comparison.only) - _MOST_ROWS),
    )
