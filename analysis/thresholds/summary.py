"""What the command prints: the promise, each group's threshold with its rates on the report part, and the warnings."""

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table
from rich.text import Text

from analysis.thresholds.asked import percent
from analysis.thresholds.fitting import Fit
from analysis.thresholds.separation import OTHER_WAY
from analysis.thresholds.views import ALL
from scoring.calibration import Calibration
from sweeps.printable import printable


def print_summary(console: Console, fit: Fit, tables: Mapping[str, pd.DataFrame]) -> None:
    """Print a calibration in short. The tables on disk have the rest."""
    calibration = fit.calibration
    for line in _head(calibration):
        console.print(Text(printable(line)), soft_wrap=True)
    console.print(_groups(calibration))
    console.print(_scores(tables, fit.score))
    console.print("* calibrated; TPR at an FPR of at most so much; in brackets the achieved FPR", soft_wrap=True)
    table = tables["subgroups"]
    if (table["column"].value_counts() > 1).any():
        console.print(_subgroups(table, fit.asked.fpr))
    if calibration.probability is not None:
        brier = calibration.probability.brier
        console.print(
            f"probability: fitted to {calibration.probability.records:,} records; Brier score on the report part "
            f"{'none' if brier is None else f'{brier:.3f}'} (a coin: 0.25)",
            soft_wrap=True,
        )


def warnings_of(fit: Fit, tables: Mapping[str, pd.DataFrame]) -> Iterator[str]:
    """Yield what a reader of the numbers must know."""
    auroc = tables["auroc"]
    turned = auroc[auroc["note"] == OTHER_WAY]
    for row in turned[turned["view"] == ALL].to_dict("records"):
        yield f"{row['score']}: AUROC {row['auroc']:.3f}: {OTHER_WAY}; it is not turned round"
    own = turned[(turned["score"] == fit.score) & (turned["view"] != ALL)]
    if len(own):
        columns = [*auroc.columns[1 : [*auroc.columns].index("score")]]
        shown = "; ".join(_place(row, columns) for row in own.head(5).to_dict("records"))
        more = f"; and {len(own) - 5} more cells" if len(own) > 5 else ""
        yield f"{fit.score}: {OTHER_WAY} (AUROC below 0.5): {shown}{more}"
    for row in tables["subgroups"].query("above_promise").to_dict("records"):
        yield (
            f"{row['column']} {row['level']}: {row['fpr']:.1%} of {row['n_human']:,} human texts are flagged (95% "
            f"interval from {row['fpr_low']:.1%}), more than the promised {percent(fit.asked.fpr)}"
        )
    if len(fit.compared) < len(fit.texts):
        yield (
            f"scores are compared on the {len(fit.compared):,} of {len(fit.texts):,} texts that have all of "
            f"{', '.join(fit.scores)}"
        )
    yield from fit.remarks


def _head(calibration: Calibration) -> Iterator[str]:
    binding, promise, population = calibration.binding, calibration.promise, calibration.population
    yield f"pair        {binding.observer} and {binding.performer}"
    yield f"computed    in {binding.dtype}, quantization {binding.quantization}, {binding.max_tokens} tokens at most"
    yield f"score       {binding.score}: machine text is {binding.direction}"
    if promise is not None:
        yield (
            f"promise     at most {percent(promise.fpr)} of new human texts like these are flagged in each group, with "
            f"confidence {percent(promise.confidence)}"
        )
    duplicates = "unknown" if population.near_duplicates is None else f"{population.near_duplicates:,}"
    yield (
        f"calibrated  on {population.records:,} records ({duplicates} near-duplicates), datasets "
        f"{', '.join(population.datasets) or 'unnamed'}"
    )


def _groups(calibration: Calibration) -> Table:
    held_out = {(item.min_tokens, item.min_windows): item for item in calibration.held_out}
    unit = "tokens" if calibration.windows is None else "windows"
    table = _table(unit, "threshold", "k of n", "expected", "FPR % held out", "TPR % held out")
    for group in calibration.groups:
        name = _range(group.min_tokens, group.max_tokens)
        if group.min_windows is not None:
            name = _range(group.min_windows, group.max_windows)
        item = held_out.get((group.min_tokens, group.min_windows))
        table.add_row(
            name,
            f"{group.threshold:.4f}",
            f"{group.k} of {group.n:,}",
            f"{group.expected_fpr:.2%}",
            _share(item.fpr, item.fpr_low, item.fpr_high, item.n_human) if item else "–",
            _share(item.tpr, item.tpr_low, item.tpr_high, item.n_synthetic) if item else "–",
        )
    return table


def _scores(tables: Mapping[str, pd.DataFrame], chosen: str) -> Table:
    auroc = tables["auroc"].query("view == @ALL", local_dict={"ALL": ALL}).set_index("score")
    tpr = tables["tpr_at_fpr"].query("view == @ALL", local_dict={"ALL": ALL})
    asked = tpr["fpr_asked"].drop_duplicates().tolist()
    table = _table("score", "AUROC", *(f"TPR % at {percent(fpr)}" for fpr in asked))
    for score, row in auroc.iterrows():
        own = tpr[tpr["score"] == score].set_index("fpr_asked")
        points = [f"{_percent(own.at[fpr, 'tpr'])} ({_percent(own.at[fpr, 'fpr'])})" for fpr in asked]
        limits = f" [{row['auroc_low']:.3f}, {row['auroc_high']:.3f}]" if pd.notna(row["auroc_low"]) else ""
        value = f"{row['auroc']:.3f}{limits}" if pd.notna(row["auroc"]) else "–"
        table.add_row(*map(Text, (f"{score} *" if score == chosen else str(score), value, *points)))
    return table


def _subgroups(subgroups: pd.DataFrame, fpr: float) -> Table:
    table = _table("subgroup", "FPR % held out", f"above {percent(fpr)}?", "TPR % held out")
    for row in subgroups.to_dict("records"):
        table.add_row(
            Text(printable(f"{row['column']} {row['level']}" if row["column"] != ALL else ALL)),
            _share(row["fpr"], row["fpr_low"], row["fpr_high"], row["n_human"]),
            "YES" if row["above_promise"] else "",
            _share(row["tpr"], row["tpr_low"], row["tpr_high"], row["n_synthetic"]),
        )
    return table


def _table(*titles: str) -> Table:
    table = Table(box=SIMPLE, padding=(0, 1, 0, 0))
    for number, title in enumerate(titles):
        table.add_column(title, justify="right" if number else "left")
    return table


def _share(value: Any, low: Any, high: Any, n: int) -> str:
    shown = f"{_percent(value)} [{_percent(low)}, {_percent(high)}]" if pd.notna(value) else "–"
    return f"{shown} of {n:,}"


def _range(low: int, high: int | None) -> str:
    return f"{low}" if low == high else f"{low}–{high}"


def _percent(value: Any) -> str:
    if pd.isna(value):
        return "–"
    return f"{value * 100:.{1 if value == 0 or value >= 0.01 else 2}f}"


def _place(row: dict[Any, Any], columns: list[str]) -> str:
    levels = ", ".join(f"{name} {row[name]}" for name in columns if row[name] != ALL)
    return f"{levels} ({row['auroc']:.3f})"
