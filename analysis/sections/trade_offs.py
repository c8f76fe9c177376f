"""Sentences and tables on the best trade-offs: of rate and peak memory, and of both with the fidelity."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import pandas as pd

from analysis.cell_factors import grouped
from analysis.column_titles import NULL, axis_title, number, scale_of, title_of
from analysis.conclusions.effects import ALPHA
from analysis.conclusions.trade_offs import GivenMetric, TradeOffs, trade_offs
from analysis.conclusions.wording import configuration, listed
from analysis.directions import Direction
from analysis.level_labels import short_names, text_of
from analysis.load import SweepRows
from analysis.log_cells import FEWEST
from analysis.sections.measured_sweep import MeasuredSweep
from analysis.sections.section import Content
from analysis.sections.selection import PEAK_MEMORY, Selection
from analysis.tables import MAX_TABLE_ROWS, Table

SHARE: Final = 0.2
"""Part of the 5% of false claims of a sweep that its trade-offs have; effects on the rate have the rest."""
_FIDELITY_SWEEP: Final = "fidelity"
_FIDELITY: Final = "kl"
_KEYS: Final = ("model", "quantization", "dtype")
_ONE_TEXT_SET: Final = ("corpus", "fragments", "max_tokens", "prefix_tokens")
"""Factors of a sweep of fidelity that choose its texts: the divergences of one level of each are compared."""
_WORKLOAD: Final = ("max_new_tokens", "prompt_words", "input_words", "prefix_tokens", "batch_size")
"""Factors that say how much there is to do: less work must not beat more work."""
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
    selection, work = _of_one_workload(selection, rate)
    of = " and ".join(filter(None, (of, *work)))
    rows, factors = selection.sweep.ok, selection.average(rate).factors
    metrics = {rate: Direction.HIGHER, PEAK_MEMORY: Direction.LOWER}
    why = "no row has peak memory" if rows[PEAK_MEMORY].isna().all() else ""
    why = why or ("" if factors else "1 configuration is of this workload and 2 are needed")
    if why:
        said = (
            f"{' '.join(filter(None, (f'Best trade-offs of {_titles(list(metrics))}', of)))}: too few to tell, {why}."
        )
        return Content(sentences=(said,) if sweep.averages.factors else ())
    models = rows["model"].dropna().unique()
    if len(models) == 1:
        of = f"of {short_names([models[0]])[0]} {of}".rstrip()
    given, remarks = _fidelity(sweep, rows)
    alpha = SHARE * ALPHA / (1 if given is None else 2)
    found = [trade_offs(rows, factors, metrics, alpha=alpha)]
    if given is not None:
        found.append(trade_offs(rows, factors, metrics, given=given, alpha=alpha))
    mixed = rows["peak_allocated_bytes"].notna()
    sentences = [*(_sentence(one, of) for one in found), *remarks]
    if mixed.any() and not mixed.all() and any(len(one.cells) > 1 for one in found):
        sentences.append("Peak memory: of the CUDA allocator on GPUs, resident memory of the host on CPUs.")
    return Content(sentences=tuple(sentences), tables=tuple(_table(one) for one in found if len(one.cells) > 1))


def _of_one_workload(selection: Selection, rate: str) -> tuple[Selection, list[str]]:
    """Return the rows of one level of each factor of the workload, and these levels in words where there are others.

    The level is the one that most configurations have; of several, the largest.
    """
    said: list[str] = []
    for name in _WORKLOAD:
        ok = selection.sweep.ok
        if name not in ok or ok[name].nunique() < 2:
            continue
        cells = ok[list(dict.fromkeys((name, *selection.average(rate).factors)))].drop_duplicates()
        counts = cells[name].value_counts()
        level = counts.index[counts == counts.max()].max()
        selection = selection.largest(name, level)
        said.append(f"{'' if said else 'with '}{title_of(name)} {text_of(level)} (of {ok[name].nunique()} levels)")
    return selection, said


def _fidelity(sweep: MeasuredSweep, rows: pd.DataFrame) -> tuple[GivenMetric | None, list[str]]:
    """Return the mean KL divergence by model, quantization and dtype, and what a reader must know of it.

    The divergences are of the sweep's own run, where they are of some of its configurations, else of another run, with
    a remark.
    """
    on_page = [measured for measured in sweep.on_page(_FIDELITY_SWEEP) if measured.ok[_FIDELITY].notna().any()]
    own = [measured for measured in on_page if _run_of(measured) == _run_of(sweep.rows)]
    for measured in [*own, *(other for other in on_page if _run_of(other) != _run_of(sweep.rows))]:
        chosen, remarks = _of_one_text_set(measured.ok[measured.ok[_FIDELITY].notna()])
        given = _divergences(chosen, rows)
        if given is not None:
            said = [*_origin(measured, sweep, is_only=len(own) < 2), *remarks]
            return given, [f"KL divergence: {' and '.join(said)}."] if said else []
    lacking = "KL divergence: none was measured with the model, quantization and dtype of a configuration here."
    return None, [lacking] if own else []


def _run_of(rows: SweepRows) -> Any:
    return rows.folder and rows.folder.parent


def _origin(measured: SweepRows, sweep: MeasuredSweep, *, is_only: bool) -> Iterator[str]:
    """Yield whose divergences these are, where a reader could take them for others."""
    if _run_of(measured) != _run_of(sweep.rows):
        yield f"of another run, {measured.folder.parent.name if measured.folder else measured.name}"
    elif not is_only:
        yield f"of the sweep {measured.name}"


def _of_one_text_set(measured: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Return the divergences of the first level of each factor that chooses texts, and the level where others are."""
    said = []
    for name in _ONE_TEXT_SET:
        levels = measured[name].astype("object").dropna().unique()
        if len(levels) > 1:
            measured = measured[measured[name].astype("object") == levels[0]]
            said.append(f"with {title_of(name)} {text_of(levels[0])} (of {len(levels)} levels)")
    return measured, said


def _divergences(measured: pd.DataFrame, rows: pd.DataFrame) -> GivenMetric | None:
    """Return the mean divergence of each configuration; None where no configuration of the rows has one.

    The fragments of a record are not independent: the mean of each record is one value. A model at full precision is
    the reference itself: its divergence is 0.
    """
    both = measured["revision"].notna().any() and rows["revision"].notna().any()
    keys = [*_KEYS, *(["revision"] if both else [])]
    packed = measured[measured["quantization"].astype("object") != _FULL_PRECISION]
    records = [dict(zip(keys, key, strict=True)) | _by_record(part) for key, part in grouped(packed, keys)]
    here = rows[keys].astype("object").drop_duplicates()
    known = {tuple(None if pd.isna(level) else level for level in key) for key in here.itertuples(index=False)}
    if not known & {tuple(record[name] for name in keys) for record in records}:
        return None
    full = here[here["quantization"] == _FULL_PRECISION].assign(mean=0.0, var=0.0, n=float("inf"))
    means = pd.DataFrame([*records, *full.to_dict("records")])
    return GivenMetric(_FIDELITY, means[means["n"] >= FEWEST])


def _by_record(rows: pd.DataFrame) -> dict[str, Any]:
    """Return mean, variance and n of the means of records."""
    keys = [rows[name].astype("object") for name in ("dataset", "record_id")]
    means = rows[_FIDELITY].astype("float64").groupby(keys, dropna=False).mean()
    return {"mean": float(means.mean()), "var": float(means.var()), "n": float(len(means))}


def _sentence(found: TradeOffs, of: str) -> str:
    """Return the sentence on the configurations that no other one beats."""
    of_what = f"Best trade-offs of {_titles(found.metrics)}{f' {of}' if of else ''}"
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


def _titles(metrics: Sequence[str]) -> str:
    return listed([title_of(name) for name in metrics])


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
        title=f"Best trade-offs of {_titles(found.metrics)}",
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
