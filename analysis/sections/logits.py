"""Notebook 02, § 1: how much memory and time the logits of a text cost."""

from dataclasses import replace
from typing import Final

from analysis.sections.charts import chart, content
from analysis.sections.conclusions import Findings, extremes, findings, summary
from analysis.sections.longest_inputs import longest
from analysis.sections.measured_sweep import MeasuredSweep
from analysis.sections.pivot import pivot
from analysis.sections.section import Content
from analysis.sections.selection import PEAK_MEMORY, Selection
from analysis.sections.trade_offs import SHARE, best_trade_offs

RATE: Final = "calculation_rate_tokens_per_s"
LENGTH: Final = "input_words"


def tldr(sweep: MeasuredSweep) -> Content | None:
    """Return § 1.1: the fastest configuration, the longest input of each device, and the best trade-offs."""
    return summary(sweep.once(_findings))


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
    return found and _with_findings(found, longest(selection, LENGTH))


def conclusions(sweep: MeasuredSweep) -> Content | None:
    """Return § 1.6: the effects on the rate, the longest input of each device, and the best trade-offs."""
    return extremes(sweep.once(_findings), "Calculation rates")


def _with_findings(content: Content, also: Content) -> Content:
    """Return a figure's content with sentences and tables of other findings."""
    return replace(content, sentences=(*content.sentences, *also.sentences), tables=also.tables)


def _findings(sweep: MeasuredSweep) -> Findings | None:
    """Return the effects on the rate, which leave a share of the false claims to the trade-offs."""
    return findings(_rows(sweep), RATE, _beside_the_rate(sweep), share=1 - SHARE)


def _beside_the_rate(sweep: MeasuredSweep) -> tuple[Content, Content]:
    """Return the findings that are not of the rate alone."""
    selection = _rows(sweep)
    one_model = selection.first("model")
    length = _commonest_length(one_model)
    if length is None:
        return longest(selection, LENGTH), Content(sentences=("Best trade-offs: no row says its input length.",))
    found = best_trade_offs(sweep, one_model.largest(LENGTH, length), RATE, f"with {length:,} input words")
    return longest(selection, LENGTH), found


def _commonest_length(selection: Selection) -> int | None:
    """Return the input length that most configurations have measured, of several the longest; None where none says."""
    ok = selection.sweep.ok
    cells = ok[list(dict.fromkeys((LENGTH, *selection.average(RATE).factors)))].drop_duplicates()
    counts = cells[LENGTH].value_counts()
    return None if counts.empty else int(counts.index[counts == counts.max()].max())


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
