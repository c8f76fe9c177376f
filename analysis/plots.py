"""Averages in, figures out: which factor goes where, then mean and 95% interval per cell.

Every factor that varies is visible in a figure (x, panel, series, or a figure of its own per level), so no
figure averages over unlike things. Knows no files: a figure is its SVG and PNG bytes.
"""

import io
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.container import ErrorbarContainer
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator, StrMethodFormatter

from analysis.averages import Averages, grouped
from analysis.load import Sweep

PALETTE: Final = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Okabe and Ito (2008), told apart by colour-blind readers; their yellow is too pale for lines on white."""
_MARKERS: Final = ("o", "s", "^", "D", "v", "P", "X", "*")
_STYLES: Final = ("-", "--", ":")
MAX_COMBINED_SERIES: Final = 8
MAX_FIGURES: Final = 24
_COLUMNS: Final = 3
_LOG_Y_RATIO: Final = 50
_PNG_DPI: Final = 160
_LEVEL_TICKS: Final = 10

_TITLES: Final = {
    "ttft_s": "TTFT",
    "tpot_s": "TPOT",
    "generation_rate_tokens_per_s": "generation rate",
    "prefill_tokens_per_s": "prefill rate",
    "decode_tokens_per_s": "decode rate",
    "load_rate_bytes_per_s": "load rate by size",
    "peak_rss_bytes": "peak RSS (host)",
    "score": "Binoculars score",
    "log_ppl": "log-perplexity",
    "log_xppl": "log cross-perplexity",
    "cpu_cores": "CPU cores",
}
_UNITS: Final[dict[str, tuple[tuple[float, str], ...]]] = {
    "_tokens_per_s": ((1, "tokens/s"),),
    "_bytes_per_s": ((1e9, "GB/s"), (1e6, "MB/s"), (1e3, "kB/s"), (1, "B/s")),
    "_per_s": ((1, "1/s"),),
    "_s": ((1, "s"), (1e-3, "ms"), (1e-6, "µs")),
    "_bytes": ((2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB"), (1, "B")),
}
"""Column suffix to the units it may be shown in, largest first."""


@dataclass(frozen=True)
class Scale:
    """How a column's values are shown: divided by `divisor`, in `unit` ('' where it has none)."""

    divisor: float
    unit: str


@dataclass(frozen=True)
class Choice:
    """Which column goes where; `split` are factors that get a figure per combination of their levels."""

    y: str
    x: str
    panel: str | None = None
    series: tuple[str, ...] = ()
    split: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Drawing:
    """One figure."""

    name: str
    caption: str
    svg: bytes
    png: bytes


def title_of(column: str) -> str:
    """A column's name for people, without its unit."""
    suffix = next((suffix for suffix in _UNITS if column.endswith(suffix)), "")
    return _TITLES.get(column, column.removesuffix(suffix).replace("_", " "))


def scale_of(column: str, values: Iterable[float]) -> Scale:
    """The largest unit in which the median of the absolute values is at least one."""
    units = next((units for suffix, units in _UNITS.items() if column.endswith(suffix)), ((1.0, ""),))
    sizes = np.abs([value for value in values if not pd.isna(value)])
    typical = float(np.median(sizes)) if len(sizes) else 1.0
    return Scale(*next((unit for unit in units if typical >= unit[0]), units[-1 if typical else 0]))


def axis_title(column: str, scale: Scale) -> str:
    """'inference time (ms)'."""
    return f"{title_of(column)} ({scale.unit})" if scale.unit else title_of(column)


def choose(averages: Averages, wanted: Mapping[str, str | None] | None) -> Choice | None:
    """What to draw: the spec's `figure` where it holds, the rest by rule; None where nothing was measured.

    The rule: y is the headline metric; x the numeric factor with most levels, else the factor with most; then
    series has more levels than panel; what is left joins the series where that stays readable, else it gets a
    figure per level.
    """
    if not averages.metrics:
        return None
    named, notes = _usable(averages, wanted or {})
    x = named.get("x") or _choose_x(averages, set(named.values()))
    series, panel = named.get("series"), named.get("panel")
    rest = [name for name in averages.factors if name not in (x, series, panel)]
    rest.sort(key=lambda name: len(averages.levels[name]), reverse=True)
    series = series or (rest.pop(0) if rest else None)
    panel = panel or (rest.pop(0) if rest else None)
    combined = (series, *rest) if series else ()
    y = named.get("y", averages.metrics[0])
    choice = Choice(y, x, panel, combined, notes=tuple(notes))
    if rest and _count(averages, choice) > MAX_COMBINED_SERIES:
        return _with_split(averages, replace(choice, series=combined[:1], split=tuple(rest)))
    return choice


def draw(averages: Averages, choice: Choice, sweep_name: str) -> list[Drawing]:
    """Error-bar figures of one choice: one, or one per combination of the levels of `split`."""
    cells = averages.cells[averages.cells["metric"] == choice.y]
    scale = scale_of(choice.y, cells["mean"])
    drawings = []
    for number, (key, part) in enumerate(grouped(cells, choice.split)[:MAX_FIGURES], start=1):
        where = _named(averages, choice.split, key, ", ")
        figure = _draw_panels(part, averages, choice, scale)
        if where:
            figure.suptitle(where, fontsize=11)
        name = f"{sweep_name}-{choice.y}" + (f"-{number}" if where else "")
        drawings.append(_finish(figure, name, _caption(part, choice.y, where)))
    return drawings


def draw_scores(sweep: Sweep, averages: Averages) -> list[Drawing]:
    """Histogram of the Binoculars score by author, a panel per cell without its author."""
    scored = sweep.ok[sweep.ok["score"].notna()]
    factors = [name for name in averages.factors if name != "author"]
    every = grouped(scored, factors)
    groups = every[:MAX_FIGURES]
    if not groups:
        return []
    figure, axes = _panels(len(groups), 1)
    bins = np.histogram_bin_edges(scored["score"], bins=min(60, max(10, int(math.sqrt(len(scored))))))
    authors = sorted(scored["author"].dropna().unique())
    for axis, (key, group) in zip(axes, groups, strict=True):
        axis.set_title(_named(averages, factors, key, "\n"), fontsize=10)
        for index, author in enumerate(authors):
            score = group.loc[group["author"] == author, "score"]
            color, style = PALETTE[index % len(PALETTE)], _STYLES[index % len(_STYLES)]
            axis.hist(score, bins=bins, histtype="stepfilled", alpha=0.25, color=color)
            axis.hist(score, bins=bins, histtype="step", linewidth=1.6, label=author, color=color, ls=style)
    _label_outer(figure, axes, "Binoculars score", "fragments")
    _legend(figure, axes, "author")
    caption = f"Scores of {sum(len(group) for _, group in groups):,} fragments by author."
    if len(every) > len(groups):
        caption += f" {len(groups)} of {len(every)} panels are drawn; the tables hold all cells."
    return [_finish(figure, f"{sweep.name}-score", caption)]


def _usable(averages: Averages, wanted: Mapping[str, str | None]) -> tuple[dict[str, str], list[str]]:
    """The spec's wishes that can be met, a note on each that cannot; a constant factor needs no place."""
    named: dict[str, str] = {}
    notes = []
    for place, column in wanted.items():
        known = averages.metrics if place == "y" else averages.factors
        if column in known and column not in named.values():
            named[place] = str(column)
        elif column is not None and (place == "y" or column not in averages.constants):
            notes.append(f"figure.{place} = {column!r} has no values to show here; chosen by rule instead.")
    return named, notes


def _with_split(averages: Averages, choice: Choice) -> Choice:
    """Say so where there would be more figures than anybody looks at."""
    cells = averages.cells[averages.cells["metric"] == choice.y]
    count = len(grouped(cells, choice.split))
    if count <= MAX_FIGURES:
        return choice
    hint = f"{MAX_FIGURES} of {count} figures are drawn; the tables hold all cells."
    return replace(choice, notes=(*choice.notes, hint))


def _choose_x(averages: Averages, taken: set[str]) -> str:
    free = [name for name in averages.factors if name not in taken]
    numeric = [name for name in free if _is_numeric(averages.levels[name])]
    by_levels = sorted(numeric or free, key=lambda name: len(averages.levels[name]), reverse=True)
    return by_levels[0] if by_levels else next(iter(averages.constants), "metric")


def _is_numeric(levels: Sequence[Any]) -> bool:
    return all(isinstance(level, int | float) and not isinstance(level, bool) for level in levels)


def _count(averages: Averages, choice: Choice) -> int:
    cells = averages.cells[averages.cells["metric"] == choice.y]
    return len(cells[list(choice.series)].drop_duplicates())


def _draw_panels(cells: pd.DataFrame, averages: Averages, choice: Choice, scale: Scale) -> Any:
    series = _series_of(cells, averages, choice.series)
    panel = (choice.panel,) if choice.panel else ()
    parts = grouped(cells, panel)
    parts.sort(key=lambda part: [_index(averages, name, level) for name, level in zip(panel, part[0], strict=True)])
    figure, axes = _panels(len(parts), len(series))
    for axis, (key, part) in zip(axes, parts, strict=True):
        axis.set_title(_named(averages, panel, key, ""), fontsize=10)
        for number, (levels, label) in enumerate(series.items()):
            aside = (number - (len(series) - 1) / 2) * min(0.12, 0.7 / len(series))
            rows = part[_has(part, choice.series, levels)]
            _draw_series(axis, rows, _places(rows, averages, choice.x, aside), scale, (number, label))
        _set_x_axis(axis, averages, choice.x)
    _set_y_axis(axes, cells, scale)
    _label_outer(figure, axes, title_of(choice.x), axis_title(choice.y, scale))
    if choice.series:
        _legend(figure, axes, " · ".join(map(title_of, choice.series)))
    return figure


def _draw_series(axis: Any, rows: pd.DataFrame, x: Any, scale: Scale, series: tuple[int, str]) -> None:
    """Means with their intervals, joined by a line; names on the x axis are not in order, see `_set_x_axis`."""
    number, label = series
    axis.errorbar(
        x,
        rows["mean"].to_numpy() / scale.divisor,
        yerr=(rows["ci95_high"] - rows["ci95_low"]).to_numpy() / 2 / scale.divisor,
        label=label,
        color=PALETTE[number % len(PALETTE)],
        marker=_MARKERS[number % len(_MARKERS)],
        linestyle=_STYLES[number // len(PALETTE) % len(_STYLES)],
        markersize=5,
        linewidth=1.6,
        capsize=3.5,
    )


def _places(rows: pd.DataFrame, averages: Averages, name: str, aside: float) -> Any:
    """Positions on the x axis: the quantity itself; for names their index, series side by side."""
    levels = averages.levels.get(name)
    if levels is None:
        return np.full(len(rows), aside)
    if _is_numeric(levels):
        return rows[name].astype("float64").to_numpy()
    return np.array([_index(averages, name, level) + aside for level in rows[name]])


def _set_x_axis(axis: Any, averages: Averages, name: str) -> None:
    levels = averages.levels.get(name, [averages.constants.get(name, "")])
    if name not in averages.levels or not _is_numeric(levels):
        _set_names(axis, _short_names(levels))
        return
    if all(level > 0 and math.log2(level).is_integer() for level in levels):
        axis.set_xscale("log", base=2)
    if len(levels) <= _LEVEL_TICKS:
        axis.xaxis.set_major_locator(FixedLocator(levels))
        axis.xaxis.set_minor_locator(NullLocator())
    axis.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))


def _set_names(axis: Any, names: list[str]) -> None:
    """Names have no order, so no line may join them."""
    for line in axis.get_lines():
        line.set_linestyle("none")
    axis.set_xticks(range(len(names)), names)
    axis.set_xlim(-0.6, len(names) - 0.4)
    if sum(map(len, names)) > 30:
        for label in axis.get_xticklabels():
            label.set(rotation=25, ha="right", rotation_mode="anchor")


def _set_y_axis(axes: Sequence[Any], cells: pd.DataFrame, scale: Scale) -> None:
    """From zero, so that heights compare; logarithmic where the smallest would be a flat line."""
    if _is_log(cells):
        axes[0].set_yscale("log")
    elif cells["mean"].min() >= 0:
        top = float(np.nanmax(cells[["mean", "ci95_high"]].to_numpy())) / scale.divisor
        axes[0].set_ylim(0, 1.08 * top or 1)


def _is_log(cells: pd.DataFrame) -> bool:
    return bool(cells["mean"].min() > 0 and cells["mean"].max() > _LOG_Y_RATIO * cells["mean"].min())


def _series_of(cells: pd.DataFrame, averages: Averages, names: Sequence[str]) -> dict[tuple[Any, ...], str]:
    """Combinations of levels that occur, in the order of the levels, with their labels."""
    keys = [key for key, _ in grouped(cells, names)]
    keys.sort(key=lambda key: [_index(averages, name, level) for name, level in zip(names, key, strict=True)])
    return {
        key: " · ".join(_short(averages, name, level) for name, level in zip(names, key, strict=True)) for key in keys
    }


def _has(cells: pd.DataFrame, names: Sequence[str], key: Sequence[Any]) -> Any:
    """Mask of the cells of these levels; null equals null."""
    mask = pd.Series(True, index=cells.index)
    for name, level in zip(names, key, strict=True):
        mask &= cells[name].isna() if pd.isna(level) else (cells[name] == level).fillna(False).astype(bool)
    return mask


def _index(averages: Averages, name: str, level: Any) -> int:
    levels = averages.levels[name]
    return len(levels) - 1 if pd.isna(level) else levels.index(level)


def _short_names(levels: Sequence[Any]) -> list[str]:
    """Levels for people: the last part of a path or model id where that is unique; '–' for null."""
    names = ["–" if pd.isna(level) else str(level) for level in levels]
    tails = [name.rstrip("/").rpartition("/")[2] for name in names]
    return tails if len(set(tails)) == len(tails) else names


def _short(averages: Averages, name: str, level: Any) -> str:
    return _short_names(averages.levels[name])[_index(averages, name, level)]


def _named(averages: Averages, names: Sequence[str], key: Sequence[Any], between: str) -> str:
    """'quantization: 4-bit', several joined by `between`."""
    pairs = zip(names, key, strict=True)
    return between.join(f"{title_of(name)}: {_short(averages, name, level)}" for name, level in pairs)


def _panels(count: int, legend_lines: int) -> tuple[Any, list[Any]]:
    """A figure with that many panels of one y axis, tall enough for its legend."""
    columns = min(count, _COLUMNS)
    lines = math.ceil(count / columns)
    width = 5.6 if count == 1 else 3.5 * columns
    height = max(3.3 * lines + 0.3, 0.24 * legend_lines + 0.8)
    figure = Figure(figsize=(width + 1.6, height), layout="constrained", facecolor="white")
    axes = list(figure.subplots(lines, columns, sharey=True, squeeze=False).flat)
    for axis in axes:
        axis.grid(axis="y", color="#d9d9d9", linewidth=0.8)
        axis.set_axisbelow(True)
        axis.spines[["top", "right"]].set_visible(False)
    for axis in axes[count:]:
        axis.remove()
    return figure, axes[:count]


def _label_outer(figure: Any, axes: Sequence[Any], x: str, y: str) -> None:
    if len(axes) == 1:
        axes[0].set_xlabel(x)
        axes[0].set_ylabel(y)
    else:
        figure.supxlabel(x, fontsize=10)
        figure.supylabel(y, fontsize=10)


def _legend(figure: Any, axes: Sequence[Any], title: str) -> None:
    handles, labels = axes[0].get_legend_handles_labels()
    plain = [handle[0] if isinstance(handle, ErrorbarContainer) else handle for handle in handles]
    figure.legend(plain, labels, title=title, loc="outside right upper", frameon=False, alignment="left")


def _caption(cells: pd.DataFrame, y: str, where: str) -> str:
    n = sorted(cells["n"].unique())
    count = f"n = {n[0]}" if len(n) == 1 else f"n = {n[0]} to {n[-1]}"
    bars = "bars: 95% confidence interval (Student t)" if n[-1] > 1 else "one row a cell, so no interval"
    scale = "; logarithmic axis" if _is_log(cells) else ""
    of = f" For {where}." if where else ""
    return f"Mean {title_of(y)} of {count} rows a cell; {bars}{scale}.{of}"


def _finish(figure: Any, name: str, caption: str) -> Drawing:
    """Render twice, without date or random ids, so that the same rows give the same bytes."""
    svg, png = io.BytesIO(), io.BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": name, "svg.fonttype": "path"}):
        figure.savefig(svg, format="svg", metadata={"Date": None})
        figure.savefig(png, format="png", dpi=_PNG_DPI)
    return Drawing(name, caption, svg.getvalue(), png.getvalue())
