"""Sentences and tables that conclude a study: what was found, what was not, and how sure that is.

Only what the rows carry is said: a mean of few rows, of an unsteady cell, or measured beside other work says so.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import pandas as pd

from analysis.cell_averages import Averages
from analysis.column_titles import Scale, axis_title, number, scale_of, title_of
from analysis.conclusions.effects import ALPHA, Effects, effects
from analysis.conclusions.limits import doubts, limits, no_claim
from analysis.conclusions.sentences import claims
from analysis.level_labels import LevelLabels, text_of
from analysis.marks import TOO_FEW, interval_text, reasons_of
from analysis.multiplicity import p_value_text
from analysis.sections.section import Content
from analysis.sections.selection import Selection
from analysis.tables import Table

_ENDS: Final = 5
"""Cells at each end of the order that the table shows."""


@dataclass(frozen=True)
class Findings:
    """Conclusions from the rows of a study on one metric."""

    selection: Selection
    averages: Averages
    effects: Effects
    also: tuple[Content, ...]
    """Findings beside the effects on the metric; the first is the most telling."""

    @property
    def metric(self) -> str:
        """Return the metric."""
        return self.effects.metric


def findings(selection: Selection, metric: str, also: Sequence[Content] = (), *, share: float = 1.0) -> Findings | None:
    """Return the findings of a study; None where no row has a value of the metric.

    Args:
        selection: the rows.
        metric: a rate.
        also: findings of the study beside the effects on the rate.
        share: part of the 5% of false claims that the effects have; findings in `also` that are tested have the rest.
    """
    averages = selection.average(metric)
    if metric not in averages.metrics:
        return None
    found = effects(selection.sweep.ok, averages.factors, metric, alpha=share * ALPHA)
    return Findings(selection, averages, found, tuple(also))


def summary(found: Findings | None) -> Content | None:
    """Return the section that says in short what a study found, the most telling sentence first."""
    if found is None:
        return None
    claimed = claims(found.effects)
    first, *others = claimed or [no_claim(found.effects) or ""]
    highest, *lowest = _ends(found.averages, found.metric)
    early, late = together(*found.also[:1]).sentences, together(*found.also[1:]).sentences
    said = (highest, first, *early, *others, *late, *lowest, *doubts(claimed, found.selection.sweep.ok))
    return Content(sentences=tuple(filter(None, (*found.selection.remarks, *said))))


def extremes(found: Findings | None, title: str) -> Content | None:
    """Return the section with all that a study found and did not find, and the cells of the outermost means as a table.

    Args:
        found: by the study.
        title: of the table.
    """
    if found is None:
        return None
    table, more = ranked_table(found.averages, found.metric, title), together(*found.also)
    claimed = claims(found.effects)
    said = (
        *(*_ends(found.averages, found.metric), *claimed, *doubts(claimed, found.selection.sweep.ok)),
        *(*more.sentences, *limits(found.effects)),
    )
    tables = (table, *_ranking(found.effects), *more.tables)
    return Content(sentences=(*found.selection.remarks, *said), tables=tables)


def together(*contents: Content) -> Content:
    """Return the sentences and tables of several contents as one."""
    return Content(
        sentences=tuple(sentence for content in contents for sentence in content.sentences),
        tables=tuple(table for content in contents for table in content.tables),
    )


def _ranking(found: Effects) -> tuple[Table, ...]:
    """Return the table of factors by their share of the variation; none where nothing was compared."""
    if found.ranking.empty:
        return ()
    return (
        Table(
            title=f"Factors by their effect on {title_of(found.metric)}",
            headers=("factor", "share of the variation", "partial η²", "p (Holm)", "reason for no claim"),
            rows=tuple(
                (
                    " × ".join(map(title_of, row["term"])) + (" (all else equal)" if row["kind"] == "part" else ""),
                    "–" if pd.isna(row["share"]) else f"{row['share']:.0%}",
                    "–" if pd.isna(row["partial_eta2"]) else f"{row['partial_eta2']:.2f}",
                    "–" if pd.isna(row["p_adjusted"]) else p_value_text(row["p_adjusted"]),
                    "" if pd.isna(row["reason"]) else row["reason"],
                )
                for row in found.ranking.to_dict("records")
            ),
            names=1,
            note="Analysis of variance of the logarithms, cells equal in all else compared (docs/statistics.md).",
        ),
    )


def ranked_table(averages: Averages, metric: str, title: str) -> Table:
    """Return the table of cells by their mean, highest first; of many cells both ends."""
    cells = averages.cells.sort_values("mean", ascending=False, kind="stable")
    shown = cells if len(cells) <= 2 * _ENDS else pd.concat([cells.head(_ENDS), cells.tail(_ENDS)])
    scale, best = scale_of(metric, cells["mean"]), cells["mean"].max()
    return Table(
        title=f"{title}: cells with the highest and the lowest mean" if len(shown) < len(cells) else title,
        headers=(
            *map(title_of, averages.factors),
            axis_title(metric, scale),
            "share of the highest",
            "n",
            "95% interval",
        ),
        rows=tuple(
            (
                *(text_of(cell[name]) for name in averages.factors),
                f"{number(cell['mean'], scale.divisor)} {reasons_of(cell)}".rstrip(),
                f"{cell['mean'] / best:.0%}" if best > 0 else "–",
                str(cell["n"]),
                interval_text(cell, scale).strip("()") or TOO_FEW,
            )
            for cell in shown.to_dict("records")
        ),
        names=len(averages.factors),
        note=f"{len(cells) - len(shown):,} cells between them are left out here." if len(shown) < len(cells) else "",
    )


def _ends(averages: Averages, metric: str) -> list[str]:
    """Return a sentence on the highest mean, and one on the lowest."""
    cells, scale = averages.cells, scale_of(metric, averages.cells["mean"])
    highest, lowest = cells.iloc[cells["mean"].argmax()], cells.iloc[cells["mean"].argmin()]
    if len(cells) == 1:
        return [f"Mean {title_of(metric)}: {_measured(highest, scale)}. Only one cell was measured."]
    return [
        f"Highest mean {title_of(metric)}: {_measured(highest, scale)}, with {_named(averages, highest)}.",
        f"Lowest mean {title_of(metric)}: {_measured(lowest, scale)}, with {_named(averages, lowest)}.",
    ]


def _measured(cell: pd.Series, scale: Scale) -> str:
    """Return a mean with its unit, its interval or the number of rows, and reasons to doubt it."""
    values = cell.to_dict()
    sure = (
        f"95% interval {interval}"
        if (interval := interval_text(values, scale).strip("()"))
        else TOO_FEW + " an interval"
    )
    doubt = f"; {reasons}" if (reasons := reasons_of(values)) else ""
    return f"{number(cell['mean'], scale.divisor)} {scale.unit}".rstrip() + f" (n = {cell['n']}; {sure}{doubt})"


def _named(averages: Averages, cell: pd.Series) -> str:
    """Return the levels of a cell."""
    return LevelLabels(averages.levels).named(averages.factors, [cell[name] for name in averages.factors], ", ")
