"""Sentence and table on the time from a cold start to the last token: load + generate, of like configurations."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import pandas as pd

from analysis.cell_factors import ordered_levels, varies
from analysis.column_titles import Scale, axis_title, capital, number, scale_of, title_of
from analysis.conclusions.cold_start import SHARED, cold_start
from analysis.level_labels import LevelLabels, text_of
from analysis.load import SweepRows
from analysis.marks import TOO_FEW
from analysis.sections.measured_sweep import MeasuredSweep
from analysis.sections.section import Content
from analysis.sections.selection import Selection
from analysis.tables import MAX_TABLE_ROWS, Table

_WHERE: Final = ("model", "device_map", "quantization", "cpu_cores")
_LOAD_BY: Final = ("source", "cache_state")
_BY: Final = ("max_new_tokens", "prompt_words", "decoding_strategy")
_TIMES: Final = ("total_s", "load_time_s", "inference_time_s")


def time_from_cold_start(sweep: MeasuredSweep, generation: Selection) -> Content:
    """Return a sentence with the fastest and the slowest configuration, and the table of all.

    Args:
        sweep: of generations. The loads are those of its run, else those of any run on the page.
        generation: rows of the generations that count, with device and device map in one column.
    """
    loads = _loads(sweep)
    if loads is None:
        return Content()
    found = cold_start(loads, generation.sweep.ok, _LOAD_BY, _BY)
    if found.empty:
        said = (
            "Time from a cold start: no model was both loaded (model_loading) and run on the same host and device, "
            "with the same device map, quantization, dtype and CPU cores."
        )
        return Content(sentences=(said,))
    configuration = [name for name in (*SHARED, *_BY) if name in found]
    found = found.drop_duplicates(configuration, ignore_index=True)  # the fastest source comes first
    scale = scale_of("total_s", found["total_s"])
    title = _title(found)
    return Content(sentences=tuple(_sentences(found, scale, title)), tables=(_table(found, scale, title),))


def _loads(sweep: MeasuredSweep) -> pd.DataFrame | None:
    """Return the ok rows of the loads on the page; of those in the sweep's own run, where there are any."""
    on_page = list(sweep.on_page("model_loading"))
    own = [rows for rows in on_page if _run_of(rows) == _run_of(sweep.rows)] or on_page
    named = [Selection(rows).with_device_map().sweep.ok for rows in own]
    return pd.concat(named, ignore_index=True) if named else None


def _run_of(rows: SweepRows) -> Any:
    return rows.folder and rows.folder.parent


def _title(found: pd.DataFrame) -> str:
    """Return the name of the sum. Where no load was cold, the name says so."""
    states = set(found["cache_state"].dropna()) if "cache_state" in found else set()
    return f"Time from a {'warm' if states == {'warm'} else 'cold'} start"


def _sentences(found: pd.DataFrame, scale: Scale, title: str) -> Iterator[str]:
    """Yield a sentence on the fastest configuration, and one on the slowest."""
    factors = [name for name in (*_WHERE, *_BY) if name in found and varies(found[name])]
    labels = LevelLabels({name: ordered_levels(found[name], []) for name in (*factors, "source") if name in found})

    def told(row: Mapping[Any, Any]) -> str:
        named = labels.named(factors, [row[name] for name in factors], ", ")
        return f"{_measured(row, scale)}{f', with {named}' if named else ''}, loaded {_origin(row, labels)}."

    tokens = found["max_new_tokens"].drop_duplicates()
    end = f" to {tokens.iloc[0]:,} new tokens" if len(tokens) == 1 else ""
    warm = " (no load was cold: the files were in the page cache)" if "warm" in title else ""
    start = f"mean {title[:1].lower()}{title[1:]}"
    if len(found) == 1:
        yield f"{capital(start)}{end}{warm}: {told(found.iloc[0].to_dict())}"
    else:
        yield f"Shortest {start}{end}{warm}: {told(found.iloc[0].to_dict())}"
        yield f"Longest {start}: {told(found.iloc[-1].to_dict())}"


def _measured(row: Mapping[Any, Any], scale: Scale) -> str:
    """Return '8.2 s = load 5.1 + generate 3.1 (…)', with the interval or why there is none, and reasons to doubt."""
    total, load, generate = (number(row[name], scale.divisor) for name in _TIMES)
    n = f"n = {row['n_load']} loads and {row['n_inference']} generations"
    interval = _interval(row, scale)
    sure = f"{TOO_FEW} an interval" if interval == TOO_FEW else f"95% interval {interval}"
    doubt = f"; {row['doubts']}" if row["doubts"] else ""
    return f"{total} {scale.unit} = load {load} + generate {generate} ({n}; {sure}{doubt})"


def _interval(row: Mapping[Any, Any], scale: Scale) -> str:
    """Return '7.9 – 8.6'; 'too few to tell' where there is no interval."""
    if pd.isna(row["total_low"]):
        return TOO_FEW
    return f"{number(row['total_low'], scale.divisor)} – {number(row['total_high'], scale.divisor)}"


def _origin(row: Mapping[Any, Any], labels: LevelLabels) -> str:
    """Return 'cold from nvme/hub', as far as it is known."""
    state, source = row.get("cache_state"), row.get("source")
    place = "the default source" if source == "default" else labels.short("source", source)
    return f"{'' if pd.isna(state) else f'{state} '}from {'an unknown source' if pd.isna(source) else place}"


def _table(found: pd.DataFrame, scale: Scale, title: str) -> Table:
    """Return the table of all configurations, the fastest first."""
    names = [*_WHERE, *_LOAD_BY, *_BY[:1], *(name for name in _BY[1:] if varies(found[name]))]
    return Table(
        title=f"{title}: load + generate",
        headers=(
            *map(title_of, names),
            *(axis_title(name, scale) for name in _TIMES),
            "95% interval of the total",
            "n of loads and generations",
            "reasons to doubt",
        ),
        rows=tuple(
            (
                *(text_of(row.get(name)) for name in names),
                *(number(row[name], scale.divisor) for name in _TIMES),
                _interval(row, scale),
                f"{row['n_load']}, {row['n_inference']}",
                row["doubts"],
            )
            for row in found.head(MAX_TABLE_ROWS).to_dict("records")
        ),
        names=len(names),
        left_out=max(0, len(found) - MAX_TABLE_ROWS),
        note="Sums of two means, of the same model, host, device, quantization, dtype and cores. Loads are cold where "
        "cold ones were measured, from the fastest source.",
    )
