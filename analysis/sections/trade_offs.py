"""Sentences and tables on the best trade-offs: of rate and peak memory, and of both with the fidelity."""

from collections.abc import Mapping
from typing import Any, Final

import pandas as pd

from analysis.cell_factors import grouped
from analysis.column_titles import NULL, axis_title, number, scale_of, title_of
from analysis.conclusions.effects import ALPHA
from analysis.conclusions.trade_offs import GivenMetric, TradeOffs, trade_offs
from analysis.conclusions.wording import configuration, listed
from analysis.directions import Direction
from analysis.level_labels import short_names, text_of
from analysis.log_cells import FEWEST
from analysis.sections.measured_sweep import MeasuredSweep
from analysis.sections.section import Content
from analysis.sections.selection import PEAK_MEMORY, Selection
from analysis.tables import MAX_TABLE_ROWS, Table

SHARE: Final = 0.2
"""Part of the 5% of false claims of a sweep that its trade-offs have; effects on the rate have the rest."""
_FIDELITY: Final = "kl"
_KEYS: Final = ("model", "quantization")
_FULL_PRECISION: Final = "none"
_MAX_NAMED: Final = 5


def best_trade_offs(sweep: MeasuredSweep, selection: Selection, rate: str, of: str) -> Content:
    """Return a sentence and a table for each set of metrics.

    Args:
        sweep: whose page may hold a sweep of fidelity.
        selection: rows of one workload, with `peak_memory_bytes`: a shorter input must not beat a longer one.
        rate: column of the rate.
        of: the workload in words, as 'with 256 new tokens'.
    """
    rows, factors = selection.sweep.ok, selection.average(rate).factors
    metrics = {rate: Direction.HIGHER, PEAK_MEMORY: Direction.LOWER}
    if rows[PEAK_MEMORY].isna().all() or not factors:
        return Content()
    models = rows["model"].dropna().unique()
    if len(models) == 1:
        of = f"of {short_names([models[0]])[0]} {of}".rstrip()
    given = _fidelity(sweep, rows)
    alpha = SHARE * ALPHA / (1 if given is None else 2)
    found = [trade_offs(rows, factors, metrics, alpha=alpha)]
    if given is not None:
        found.append(trade_offs(rows, factors, metrics, given=given, alpha=alpha))
    mixed = rows["peak_allocated_bytes"].notna()
    sentences = [_sentence(one, of) for one in found]
    if mixed.any() and not mixed.all() and any(len(one.cells) > 1 for one in found):
        sentences.append("Peak memory: of the CUDA allocator on GPUs, resident memory of the host on CPUs.")
    return Content(sentences=tuple(sentences), tables=tuple(_table(one) for one in found if len(one.cells) > 1))


def _fidelity(sweep: MeasuredSweep, rows: pd.DataFrame) -> GivenMetric | None:
    """Return the mean KL divergence by model and quantization, of the first sweep of fidelity; None without one.

    The fragments of a record are not independent: the mean of each record is one value. A model at full precision is
    the reference itself: its divergence is 0.
    """
    for measured in sweep.on_page("fidelity"):
        ok = measured.ok[measured.ok[_FIDELITY].notna()]
        if ok.empty:
            continue
        first = ok[ok["corpus"].astype("object") == ok["corpus"].iloc[0]] if ok["corpus"].notna().any() else ok
        records = [
            {**dict(zip(_KEYS, key, strict=True)), **_by_record(part)} for key, part in grouped(first, list(_KEYS))
        ]
        known = set(rows[list(_KEYS)].astype("object").itertuples(index=False, name=None))
        if not known & {tuple(record[name] for name in _KEYS) for record in records}:
            continue
        full = [
            {"model": model, "quantization": _FULL_PRECISION, "mean": 0.0, "var": 0.0, "n": float("inf")}
            for model in rows.loc[rows["quantization"] == _FULL_PRECISION, "model"].unique()
        ]
        means = pd.DataFrame([*records, *full])
        return GivenMetric(_FIDELITY, means[means["n"] >= FEWEST])
    return None


def _by_record(rows: pd.DataFrame) -> dict[str, Any]:
    """Return mean, variance and n of the means of records."""
    keys = [rows[name].astype("object") for name in ("dataset", "record_id")]
    means = rows[_FIDELITY].astype("float64").groupby(keys, dropna=False).mean()
    return {"mean": float(means.mean()), "var": float(means.var()), "n": float(len(means))}


def _sentence(found: TradeOffs, of: str) -> str:
    """Return the sentence on the configurations that no other one beats."""
    of_what = f"Best trade-offs of {listed([title_of(name) for name in found.metrics])}{f' {of}' if of else ''}"
    left_out = f"; left out: {' and '.join(found.left_out)}" if found.left_out else ""
    cells, front = found.cells, found.front
    if len(cells) < 2:
        few = f"too few to tell, {len(cells)} of {found.measured} configurations have {FEWEST} values and 2 are needed"
        return f"{of_what}: {few}{left_out}."
    if len(front) == len(cells):
        return f"{of_what}: none of the {len(cells)} configurations is beaten by another one{left_out}."
    named = [_named(found, cell) for cell in front.head(_MAX_NAMED).to_dict("records")]
    more = f" | and {len(front) - _MAX_NAMED} more" if len(front) > _MAX_NAMED else ""
    beaten = len(cells) - len(front)
    return (
        f"{of_what}: {' | '.join(named)}{more}. The other {beaten} of {len(cells)} are each beaten by "
        f"one that is as good in all of these, to within 1%, and significantly better in one{left_out}."
    )


def _named(found: TradeOffs, cell: Mapping[Any, Any]) -> str:
    """Return a configuration with its means."""
    means = []
    for name in found.metrics:
        scale = scale_of(name, [cell[name]])
        value = f"{number(cell[name], scale.divisor)} {scale.unit}".rstrip()
        means.append(value if scale.unit else f"{title_of(name)} {value}")
    return f"{configuration({name: cell[name] for name in found.factors})}: {', '.join(means)}"


def _table(found: TradeOffs) -> Table:
    """Return the table of all configurations, those first that no other one beats."""
    cells = found.cells.assign(place=range(len(found.cells)))
    shown = cells.sort_values(["on_front", found.metrics[0]], ascending=[False, False], kind="stable")
    scales = {name: scale_of(name, cells[name]) for name in found.metrics}
    return Table(
        title=f"Best trade-offs of {listed([title_of(name) for name in found.metrics])}",
        headers=(
            *map(title_of, found.factors),
            *(axis_title(name, scales[name]) for name in found.metrics),
            "beaten by",
        ),
        rows=tuple(
            (
                *(text_of(cell[name]) for name in found.factors),
                *(number(cell[name], scales[name].divisor) for name in found.metrics),
                _beaten_by(found, cell["beaten_by"]),
            )
            for cell in shown.head(MAX_TABLE_ROWS).to_dict("records")
        ),
        names=len(found.factors),
        left_out=max(0, len(shown) - MAX_TABLE_ROWS),
        note="Geometric means. A configuration is beaten by one whose means are as good, to within 1%, and which is "
        "significantly better in one metric (docs/statistics.md).",
    )


def _beaten_by(found: TradeOffs, place: int) -> str:
    """Return the configuration that beats another one."""
    if place < 0:
        return f"{NULL} (no other)"
    return ", ".join(text_of(found.cells.iloc[place][name]) for name in found.factors)
