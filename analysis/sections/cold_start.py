"""Sentence and table on the time from a cold start to the last token: load + generate, of like configurations."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import pandas as pd

from analysis.cell_factors import EFFECTIVE, ordered_levels, varies, varies_within
from analysis.column_titles import Scale, axis_title, capital, number, scale_of, title_of
from analysis.conclusions.cold_start import Matched, cold_start, matched, shared_factors
from analysis.conclusions.wording import listed
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
_NO_MATTER: Final = ("peak_rss_method",)
"""Columns that tell cells apart and change no time."""
_UNNAMED: Final = "cell_id"
"""Tells cells apart that differ in a factor without a column."""


@dataclass(frozen=True)
class _Side:
    """Ok rows of loads or of generations, with the factors that tell their cells apart."""

    rows: pd.DataFrame
    factors: list[str]
    remarks: tuple[str, ...] = ()


def time_from_cold_start(sweep: MeasuredSweep, generation: Selection) -> Content:
    """Return a sentence with the fastest and the slowest configuration, and the table of all.

    Args:
        sweep: of generations. The loads are those of its run, else those of any run on the page.
        generation: rows of the generations that count, with device and device map in one column.
    """
    loads = _loads(sweep)
    if loads is None:
        return Content()
    measured = _side([generation], "inference_time_s", _BY, "generations")
    remarks = (*loads.remarks, *measured.remarks)
    found = cold_start(loads.rows, measured.rows, loads.factors, measured.factors)
    if found.empty:
        said = (
            "Time from a cold start: no model was both loaded (model_loading) and run on the same host and device, "
            "with the same revision, device map, memory limit, quantization, dtype and CPU cores."
        )
        return Content(sentences=(said, *remarks))
    shared = shared_factors(loads.rows, measured.rows, (*loads.factors, *measured.factors))
    configuration = list(dict.fromkeys(name for name in (*shared, *measured.factors) if name in found))
    found = found.drop_duplicates(configuration, ignore_index=True)  # the fastest source comes first
    scale = scale_of("total_s", found["total_s"])
    title = _title(found)
    named = [name for name in _named_by(found, configuration) if varies(found[name]) or varies(measured.rows[name])]
    lacking = _lacking(matched(loads.rows, measured.rows, loads.factors, measured.factors), found, title)
    sentences = (*_sentences(found, scale, title, named), *lacking, *remarks)
    return Content(sentences=sentences, tables=(_table(found, scale, title, configuration),))


def _loads(sweep: MeasuredSweep) -> _Side | None:
    """Return the ok rows of the loads on the page; of those in the sweep's own run, where there are any."""
    on_page = list(sweep.on_page("model_loading"))
    own = [rows for rows in on_page if _run_of(rows) == _run_of(sweep.rows)]
    if not on_page:
        return None
    side = _side([Selection(rows).with_device_map() for rows in own or on_page], "load_time_s", _LOAD_BY, "loads")
    others = list(dict.fromkeys(rows.folder.parent.name for rows in on_page if rows.folder))
    if own or not others:
        return side
    return replace(side, remarks=(*side.remarks, f"Loads are of another run: {listed(others)}."))


def _side(selections: Sequence[Selection], metric: str, by: Sequence[str], what: str) -> _Side:
    """Return the rows of some sweeps together, with every factor that varies in them.

    Cells that differ only in a factor without a column cannot be told apart in the other sweep: they are left out.
    """
    factors = dict.fromkeys(by)
    for selection in selections:
        factors |= dict.fromkeys(selection.average(metric).factors)
    rows = pd.concat([selection.sweep.ok for selection in selections], ignore_index=True)
    names = [name for name in factors if name in rows and name not in (_UNNAMED, *_NO_MATTER)]
    names += [name for name in EFFECTIVE if name not in (*names, *_NO_MATTER) and _splits(rows, name, names)]
    if _UNNAMED not in factors:
        return _Side(rows, names)
    keys = [rows[name].astype("object") for name in names]
    unlike = rows[_UNNAMED].astype("object").groupby(keys, dropna=False).transform("nunique") > 1
    said = f"{unlike.sum():,} of {len(rows):,} rows of {what} are of cells that differ in a factor without a column, "
    return _Side(rows[~unlike], names, (f"{said}and enter no time from a cold start.",))


def _splits(rows: pd.DataFrame, name: str, factors: Sequence[str]) -> bool:
    return name in rows and varies_within(rows, name, factors)


def _run_of(rows: SweepRows) -> Any:
    return rows.folder and rows.folder.parent


def _lacking(counts: Matched, found: pd.DataFrame, title: str) -> Iterator[str]:
    """Yield how many configurations have a load and a generation, where some have not, and which of the two lacks."""
    every = counts.both + counts.without_load + counts.without_generation
    tokens = found["max_new_tokens"].drop_duplicates()
    of = f" with {tokens.iloc[0]:,} new tokens" if len(tokens) == 1 else ""
    kind = "load" if "warm" in title else "cold load"
    lacks = [
        f"{count:,} {'has' if count == 1 else 'have'} no {what}"
        for count, what in ((counts.without_load, kind), (counts.without_generation, f"generation{of}"))
        if count
    ]
    if lacks:
        yield f"{title}: {counts.both:,} of {every:,} configurations have both times; {listed(lacks)}."


def _named_by(found: pd.DataFrame, configuration: Sequence[str]) -> list[str]:
    """Return the factors that name a configuration: the main ones, and each other one that tells more apart."""
    names = [name for name in (*_WHERE, *_BY) if name in found]
    for name in configuration:
        if name not in names and varies_within(found, name, names):
            names.append(name)
    return names


def _title(found: pd.DataFrame) -> str:
    """Return the name of the sum. Where no load was cold, the name says so."""
    states = set(found["cache_state"].dropna()) if "cache_state" in found else set()
    return f"Time from a {'warm' if states == {'warm'} else 'cold'} start"


def _sentences(found: pd.DataFrame, scale: Scale, title: str, factors: Sequence[str]) -> Iterator[str]:
    """Yield a sentence on the fastest configuration, and one on the slowest, named by the factors."""
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


def _table(found: pd.DataFrame, scale: Scale, title: str, configuration: Sequence[str]) -> Table:
    """Return the table of all configurations, the fastest first."""
    always = (*_WHERE, *_LOAD_BY, *_BY[:1])
    names = [*always, *(name for name in _named_by(found, configuration) if name not in always and varies(found[name]))]
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
        note="Sums of two means, of the same model, revision, host, device, memory limit, quantization, dtype and "
        "cores. Loads are cold where cold ones were measured, from the fastest source.",
    )
