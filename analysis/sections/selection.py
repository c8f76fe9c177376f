"""Choose the rows of a section: certain levels of a factor, or the nearest ones that the rows have.

A published section is of certain levels, as '4 cores'. Where rows have other levels, the nearest is taken, and a remark
says so. Knows rows and factors. Does not know figures or tables.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Self

import pandas as pd
import pyarrow as pa

from analysis.cell_averages import Averages, average
from analysis.column_titles import title_of
from analysis.level_labels import text_of
from analysis.load import SweepRows

CPU: Final = "cpu"
STANDS_IN: Final = ("No row ", "Rows of ")
"""Beginnings of the remarks on rows that stand in for others."""
PEAK_MEMORY: Final = "peak_memory_bytes"
"""Column that `with_peak_memory` adds."""


@dataclass(frozen=True)
class Selection:
    """Rows of a sweep, and what a reader must know of their choice."""

    sweep: SweepRows
    remarks: tuple[str, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Tell whether no row holds a measurement."""
        return self.sweep.ok.empty

    def average(self, metric: str) -> Averages:
        """Return the statistics of one metric, a row per cell."""
        columns = replace(self.sweep.columns, headlines=(metric,))
        description = replace(self.sweep.description, figure={})
        return average(replace(self.sweep, columns=columns, description=description))

    def nearest(self, column: str, wanted: float) -> Self:
        """Return the rows whose level is nearest to a wanted one, with a remark where it is another one.

        Each device map has its own nearest level: a device that was measured with other levels stays in sight.
        """
        levels = self._levels(column)
        if not levels:
            return self
        places = _places(self.sweep.rows)
        taken = {place: _nearest(self._levels(column, places == place) or levels, wanted) for place in places.unique()}
        kept = self._where(lambda rows: rows[column] == places.map(taken))
        return replace(kept, remarks=(*kept.remarks, *_stand_ins(taken, f"{wanted} {title_of(column)}", wanted)))

    def largest(self, column: str, wanted: float) -> Self:
        """Return the rows of the wanted level, else of the largest one, with a remark where it is another one."""
        levels = self._levels(column)
        if not levels:
            return self
        level = wanted if wanted in levels else max(levels)
        return self._only(column, [level], "" if level == wanted else f"{wanted} {title_of(column)}")

    def first(self, column: str) -> Self:
        """Return the rows of the first level in the order of the spec, with a remark where there are others."""
        levels = self._levels(column)
        wanted = [level for level in self.sweep.description.factors.get(column, []) if level in levels]
        if len(levels) < 2:
            return self
        chosen = (wanted or levels)[0]
        kept = self._only(column, [chosen], "")
        return replace(kept, remarks=(*kept.remarks, f"Rows of {title_of(column)} {text_of(chosen)}."))

    def among(self, column: str, wanted: Sequence[Any], *, else_all: bool = False) -> Self | None:
        """Return the rows of the wanted levels. Without any: all rows with a remark if `else_all`, else None."""
        there = [level for level in wanted if level in self._levels(column)]
        if there:
            kept = self._only(column, wanted, "")
            lacking = [f"{title_of(column)} {level}" for level in wanted if level not in there]
            remark = f"No row has {' or '.join(lacking)}: only {', '.join(map(text_of, there))} is shown."
            return replace(kept, remarks=(*kept.remarks, remark)) if lacking else kept
        return self._instead(" or ".join(map(str, wanted)), column) if else_all else None

    def on_cpu(self) -> Self | None:
        """Return the rows of CPU slots; None where there are none."""
        kept = self._where(lambda rows: rows["device_class"] == CPU)
        return None if kept.is_empty else kept

    def on_gpus(self, name: str = "") -> Self:
        """Return the rows of GPU slots whose name holds `name`, else of any GPU, else all, with a remark."""
        named = self._where(lambda rows: (rows["device_class"] != CPU) & _holds(rows, name))
        if not named.is_empty:
            return named
        gpus = self._where(lambda rows: rows["device_class"] != CPU)
        return self._instead("a GPU", "device_map") if gpus.is_empty else gpus._instead(name, "device_map")

    def with_device_map(self) -> Self:
        """Return the rows with device and device map in one column, `device_map`, as the published study names them."""
        rows = self.sweep.rows
        levels = self.sweep.description.factors
        order = [
            device if device_map == "single" else f"{device} ({text_of(device_map)})"
            for device in levels.get("device", [])
            for device_map in levels.get("device_map", ["single"])
        ]
        factors = {name: known for name, known in levels.items() if name not in ("device", "device_map")}
        description = replace(self.sweep.description, factors={"device_map": order, **factors})
        named = rows.drop(columns="device").assign(device_map=_placed(rows))
        return replace(self, sweep=replace(self.sweep, rows=named, description=description))

    def with_peak_memory(self) -> Self:
        """Return the rows with the peak that fits the device: of the CUDA allocator, on a CPU of the host."""
        rows = self.sweep.rows
        peaks = rows["peak_allocated_bytes"].astype("float64")
        with_peaks = rows.assign(**{PEAK_MEMORY: peaks.fillna(rows["peak_rss_bytes"].astype("float64"))})
        return self.with_metric(PEAK_MEMORY, with_peaks)

    def with_metric(self, name: str, rows: pd.DataFrame) -> Self:
        """Return other rows, in which the column `name` is a metric too."""
        columns = replace(self.sweep.columns, metrics={**self.sweep.columns.metrics, name: pa.float64()})
        return replace(self, sweep=replace(self.sweep, rows=rows, columns=columns))

    def _levels(self, column: str, among: Any = None) -> list[Any]:
        """Return the levels that occur in ok rows, smallest first; none where the rows lack the column."""
        ok = self.sweep.ok if among is None else self.sweep.rows[among & (self.sweep.rows["status"] == "ok")]
        return sorted(ok[column].dropna().unique().tolist(), key=_order) if column in ok else []

    def _only(self, column: str, levels: Sequence[Any], instead_of: str) -> Self:
        """Return the rows of some levels. A remark names them where they stand in for others."""
        kept = self._where(lambda rows: rows[column].isin(list(levels)))
        if not instead_of:
            return kept
        shown = ", ".join(map(text_of, levels))
        return replace(kept, remarks=(*kept.remarks, f"No row has {instead_of}: {shown} is shown instead."))

    def _instead(self, wanted: str, column: str) -> Self:
        """Return the same rows with a remark on the levels that stand in for a wanted one."""
        shown = ", ".join(map(text_of, self._levels(column))) or "every row"
        return replace(self, remarks=(*self.remarks, f"No row is of {wanted}: {shown} is shown instead."))

    def _where(self, holds: Callable[[pd.DataFrame], Any]) -> Self:
        rows = self.sweep.rows
        return self._with_rows(rows[holds(rows).fillna(False).astype(bool)])

    def _with_rows(self, rows: pd.DataFrame) -> Self:
        return replace(self, sweep=replace(self.sweep, rows=rows))


def _places(rows: pd.DataFrame) -> Any:
    """Return the device with the device map of each row, as `with_device_map` names them."""
    places = _placed(rows) if "device" in rows else rows["device_map"]
    return places.astype("object").fillna("")


def _placed(rows: pd.DataFrame) -> Any:
    """Return the device of each row, with the device map in brackets where the device map is not 'single'."""
    device = rows["device"].astype("object").where(rows["device"].notna(), rows["device_class"])
    is_plain = rows["device_map"].isna() | (rows["device_map"] == "single")
    maps = rows["device_map"].astype("object")
    names = maps.map({level: text_of(level) for level in maps.dropna().unique()}).astype(str)
    return device.where(is_plain, device.astype(str) + " (" + names + ")")


def _nearest(levels: Sequence[Any], wanted: float) -> Any:
    return min(levels, key=lambda level: abs(math.log((level or 0.5) / wanted)))


def _stand_ins(taken: Mapping[str, Any], asked: str, wanted: float) -> Iterator[str]:
    """Yield a remark for each other level that stands in for the wanted one, with its places where they differ."""
    for level in sorted({level for level in taken.values() if level != wanted}):
        places = [place for place, chosen in taken.items() if chosen == level]
        of = "" if len(places) == len(taken) else f"of {', '.join(map(text_of, places))} "
        yield f"No row {of}has {asked}: {text_of(level)} is shown instead."


def _order(level: Any) -> tuple[bool, Any]:
    """Return a key that sorts numbers before texts."""
    return isinstance(level, str), level


def _holds(rows: pd.DataFrame, name: str) -> Any:
    """Tell which rows are of a device of this name: asked for by it, or found to be it."""
    columns = [
        rows[column].astype("str").fillna("") for column in ("device", "device_map", "device_class") if column in rows
    ]
    return pd.concat(columns, axis=1).agg(" ".join, axis=1).str.contains(name, regex=False)
