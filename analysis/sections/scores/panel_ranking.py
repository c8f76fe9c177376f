"""All scores of the panel on exactly the same texts: AUROC, rates at fixed false-positive rates, and their order."""

from collections.abc import Sequence
from typing import Any, Final

import pandas as pd

from analysis.column_titles import NULL
from analysis.in_threads import in_threads
from analysis.sections.measured_sweep import MeasuredSweep
from analysis.sections.scores.panel import Panel, panel_of
from analysis.sections.scores.ranking import ranking
from analysis.sections.scores.roc_figure import roc_figure
from analysis.sections.scores.scored import is_fragment_run
from analysis.sections.scores.setting import FEWEST_RECORDS
from analysis.sections.scores.setting_rows import setting_rows
from analysis.sections.scores.wording import auroc_text, listed, other_way, p_text, rate_text
from analysis.sections.section import Content
from analysis.tables import MAX_TABLE_ROWS, Table
from analysis.thresholds.asked import percent
from analysis.thresholds.separation import FPRS
from analysis.thresholds.views import ALL, COMBINATIONS
from scoring.scores import SCORES

MAX_SETTINGS: Final = 6
_HOW: Final = (
    "On the same texts for every score: one of each record and author, drawn with a fixed seed. By record: DeLong's "
    "interval and test with the record as the unit, because a record's human and synthetic text depend on each other. "
    "Rates are points of the step ROC with the false-positive rate that was reached, and promise nothing about other "
    "texts."
)


def panel_ranking(sweep: MeasuredSweep) -> Content | None:
    """Return the section. None where the rows hold no panel."""
    every = setting_rows(sweep)
    count = len(every)
    panels = [panel for panel in in_threads(panel_of, every[:MAX_SETTINGS]) if panel is not None]
    if not panels:
        return None
    file_name = sweep.file_name
    files = {
        f"{file_name}-panel-{kind}": pd.concat(
            [getattr(panel, field).assign(pair=panel.name) for panel in panels], ignore_index=True
        )
        for kind, field in (("auroc", "auroc"), ("tpr", "tpr"), ("comparison", "pairwise"))
    }
    tables = (_table(panels, file_name), _views(panels, file_name), _comparison(panels, file_name))
    figures = [(panel.name, panel.drawn, _best_first(panel)) for panel in panels]
    said = [f"The first {len(panels)} of {count} pairs are ranked."] if count > MAX_SETTINGS else []
    looks = _looks(panels)
    return Content(
        sentences=(*(sentence for panel in panels for sentence in _sentences(panel, looks, len(panels) > 1)), *said),
        drawings=roc_figure(figures, f"{file_name}-roc") if is_fragment_run(sweep) else (),
        tables=tuple(table for table in tables if table.rows),
        files={name: frame for name, frame in files.items() if not frame.empty},
    )


def _of_all(panel: Panel) -> pd.DataFrame:
    """Return the AUROC of each score on all texts, highest first."""
    return panel.auroc[panel.auroc["view"] == ALL].sort_values("auroc", ascending=False, kind="stable")


def _best_first(panel: Panel) -> list[str]:
    return _of_all(panel)["score"].tolist()


def _looks(panels: Sequence[Panel]) -> int:
    """Return the number of AUROCs that the section looks at; a claim on one of them holds for all of them at once."""
    return sum(int(panel.auroc.loc[panel.auroc["view"] != COMBINATIONS, "auroc"].notna().sum()) for panel in panels)


def _sentences(panel: Panel, looks: int, named: bool) -> list[str]:
    table = _of_all(panel).rename(columns={"score": "setting"})
    is_enough = int(table[["n_human", "n_synthetic"]].to_numpy().min()) >= FEWEST_RECORDS
    pairwise = panel.pairwise if is_enough else pd.DataFrame()
    sentences = [*ranking(table, pairwise, "score", looks), *_turned_in_part(panel, looks)]
    return [f"{panel.name}: {sentence}" for sentence in sentences] if named else sentences


def _turned_in_part(panel: Panel, looks: int) -> list[str]:
    """Return a sentence on each score that points the other way in some view of the texts, but not in all texts."""
    views = panel.auroc[(panel.auroc["view"] != ALL) & (panel.auroc["view"] != COMBINATIONS)]
    whole = _of_all(panel).set_index("score")["auroc"]
    sentences = []
    below = views[views["auroc"] < 0.5]
    said_of = pd.Series([other_way(row, looks) for row in below.to_dict("records")], index=below.index, dtype=object)
    for (score, said), part in below.groupby(["score", said_of], sort=False):
        if whole[str(score)] < 0.5:
            continue
        places = [
            f"{row['view'].replace('_', ' ')} {row[row['view']]} "
            f"({auroc_text(row['auroc'], row['auroc_low'], row['auroc_high'])})"
            for row in part.to_dict("records")
        ]
        sentences.append(f"{score}: AUROC below 0.5 for {listed(places)}: {said}.")
    return sentences


def _level_order(level: Any) -> tuple[int, str]:
    """Return a key that sorts ranges by their first number."""
    first = str(level).partition("–")[0]
    return (int(first) if first.isdigit() else 0, str(level))


def _table(panels: Sequence[Panel], file_name: str) -> Table:
    """Return the table of every score on all texts."""
    rows, looks = [], _looks(panels)
    for panel in panels:
        tpr = panel.tpr[panel.tpr["view"] == ALL].set_index(["score", "fpr_asked"])
        for row in _of_all(panel).to_dict("records"):
            rates = [_rate(tpr.loc[(row["score"], fpr)].to_dict(), fpr) for fpr in FPRS]
            auroc = auroc_text(row["auroc"], row["auroc_low"], row["auroc_high"])
            counts = (f"{row['n_human']:,}", f"{row['n_synthetic']:,}")
            note = other_way(row, looks) if row["auroc"] < 0.5 else ""
            rows.append(
                (
                    panel.name,
                    row["score"],
                    auroc,
                    *rates,
                    *counts,
                    row["direction"],
                    SCORES[row["score"]].formula,
                    note,
                )
            )
    return Table(
        title="Every score on the same texts",
        headers=(
            *("pair", "score", "AUROC (95% interval)"),
            *(f"TPR at FPR ≤ {percent(fpr)}" for fpr in FPRS),
            *("n human", "n synthetic", "synthetic text is", "formula", "remark"),
        ),
        rows=tuple(rows),
        names=2,
        csv=f"tables/{file_name}-panel-auroc.csv",
        note=_HOW,
    )


def _rate(row: dict[Any, Any], fpr: float) -> str:
    """Return '61.2% (55%–67%) at FPR 4.8%', or the number of human texts that are needed."""
    if pd.isna(row["tpr"]):
        return f"too few human texts: {round(1 / fpr):,} are needed"
    return f"{rate_text(row['tpr'], row['tpr_low'], row['tpr_high'])} at FPR {row['fpr']:.2%}"


def _views(panels: Sequence[Panel], file_name: str) -> Table:
    """Return the table of the AUROC of each score by length group, dataset and generator."""
    rows = []
    scores = list(dict.fromkeys(score for panel in panels for score in _best_first(panel)))
    for panel in panels:
        columns = [*panel.auroc.columns[1 : [*panel.auroc.columns].index("score")]]
        for column in columns:
            of_view = panel.auroc[panel.auroc["view"] == column]
            for level, part in sorted(of_view.groupby(column, sort=False), key=lambda both: _level_order(both[0])):
                shown = {
                    row["score"]: auroc_text(row["auroc"], row["auroc_low"], row["auroc_high"])
                    for row in part.to_dict("records")
                }
                counts = (f"{part['n_human'].iloc[0]:,}", f"{part['n_synthetic'].iloc[0]:,}")
                names = (panel.name, column.replace("_", " "), str(level))
                rows.append((*names, *(shown.get(score, NULL) for score in scores), *counts))
    return Table(
        title="AUROC of every score by length (tokens), dataset and generator",
        headers=("pair", "by", "level", *scores, "n human", "n synthetic"),
        rows=tuple(rows[:MAX_TABLE_ROWS]),
        names=3,
        csv=f"tables/{file_name}-panel-auroc.csv",
        left_out=max(0, len(rows) - MAX_TABLE_ROWS),
        note=f"No interval is given for fewer than {FEWEST_RECORDS} texts of either author.",
    )


def _comparison(panels: Sequence[Panel], file_name: str) -> Table:
    """Return the table of each two scores."""
    rows = [
        (
            *(panel.name, row["first"], row["second"]),
            *(f"{row['auroc_first']:.3f}", f"{row['auroc_second']:.3f}", f"{row['difference']:+z.3f}"),
            *(p_text(row["p"]), p_text(row["p_holm"])),
        )
        for panel in panels
        for row in panel.pairwise.to_dict("records")
    ]
    return Table(
        title="Scores compared: DeLong's test by record, Holm over the table of a pair",
        headers=("pair", "score", "other score", "AUROC", "AUROC of the other", "difference", "p", "p (Holm)"),
        rows=tuple(rows[:MAX_TABLE_ROWS]),
        names=3,
        csv=f"tables/{file_name}-panel-comparison.csv",
        left_out=max(0, len(rows) - MAX_TABLE_ROWS),
    )
