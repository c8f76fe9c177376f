"""Notebook 02, § 1: how much memory and time the logits of a text cost."""

from dataclasses import replace
from typing import Any, Final

from analysis.cell_factors import grouped
from analysis.column_titles import title_of
from analysis.level_labels import text_of
from analysis.sections.charts import chart, content
from analysis.sections.conclusions import extremes, summary
from analysis.sections.measured_sweep import MeasuredSweep
from analysis.sections.pivot import pivot
from analysis.sections.section import Content
from analysis.sections.selection import PEAK_MEMORY, Selection
from analysis.tables import Table

RATE: Final = "calculation_rate_tokens_per_s"
LENGTH: Final = "input_words"
_WHERE: Final = ("device_map", "model", "quantization")


def tldr(sweep: MeasuredSweep) -> Content | None:
    """Return § 1.1: the fastest configuration."""
    return summary(_rows(sweep), RATE)


def memory_4_bit(sweep: MeasuredSweep) -> Content | None:
    """Return § 1.2: peak memory with 4 bits against input length; a panel per model, a series per device map."""
    return _by_length(sweep, _packed(sweep), "1.2", PEAK_MEMORY)


def rate_4_bit(sweep: MeasuredSweep) -> Content | None:
    """Return § 1.3: rate with 4 bits against input length; a panel per model, a series per device map."""
    return _by_length(sweep, _packed(sweep), "1.3", RATE)


def rate_and_memory(sweep: MeasuredSweep) -> Content | None:
    """Return § 1.4: rate and peak memory of one model by device map and length."""
    selection = _rows(sweep).first("model")
    made = (
        pivot(selection, RATE, "device_map", first=(LENGTH,)),
        pivot(selection, PEAK_MEMORY, "device_map", first=(LENGTH,)),
    )
    return content(selection, tables=made)


def memory_cpu_and_gpu(sweep: MeasuredSweep) -> Content | None:
    """Return § 1.4b: peak memory of one model against input length, a series per device map."""
    return _by_length(sweep, _rows(sweep).first("model"), "1.4b", PEAK_MEMORY)


def rate_cpu_and_gpu(sweep: MeasuredSweep) -> Content | None:
    """Return § 1.5: rate of one model against input length, and the longest input that fitted each device."""
    selection = _rows(sweep).first("model")
    found = _by_length(sweep, selection, "1.5", RATE)
    return found and replace(found, tables=(_longest(selection),))


def conclusions(sweep: MeasuredSweep) -> Content | None:
    """Return § 1.6: the fastest configurations, and the longest input of each device."""
    selection = _rows(sweep)
    found = extremes(selection, RATE, "Calculation rates")
    return found and replace(found, tables=(*found.tables, _longest(selection)))


def _rows(sweep: MeasuredSweep) -> Selection:
    return Selection(sweep.rows).with_device_map().with_peak_memory()


def _packed(sweep: MeasuredSweep) -> Selection | None:
    """Return the rows of 4 bits; all rows where a rehearsal of the published sweep has none of them."""
    return _rows(sweep).among("quantization", ["4-bit"], else_all=sweep.is_published)


def _by_length(sweep: MeasuredSweep, selection: Selection | None, number: str, metric: str) -> Content | None:
    """Return a figure of a metric against the input length."""
    if selection is None:
        return None
    drawings = chart(sweep, selection, number, y=metric, x=LENGTH, panel="model", series="device_map")
    remark = ("Peak memory: of the CUDA allocator on GPUs, resident memory of the host on CPUs.",)
    with_remark = replace(selection, remarks=(*selection.remarks, *(remark if metric == PEAK_MEMORY else ())))
    return content(with_remark, drawings)


def _longest(selection: Selection) -> Table:
    """Return the table of the longest input that fitted, and the shortest that ran out of memory, by device map."""
    rows = selection.sweep.rows
    return Table(
        title="Longest input per device",
        headers=(
            *map(title_of, _WHERE),
            "longest that was measured (words)",
            "shortest that ran out of memory (words)",
        ),
        rows=tuple(
            (*map(text_of, key), _extreme(part, ["ok"], "max"), _extreme(part, ["oom_gpu", "oom_host"], "min"))
            for key, part in grouped(rows, _WHERE)
        ),
        names=len(_WHERE),
    )


def _extreme(rows: Any, statuses: list[str], which: str) -> str:
    """Return the greatest or the least length among rows of some statuses."""
    return text_of(rows.loc[rows["status"].isin(statuses), LENGTH].agg(which))
