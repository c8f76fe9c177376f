"""Notebook 01, § 2: how fast a model generates."""

from typing import Final

import pandas as pd

from analysis.sections.charts import chart, content
from analysis.sections.cold_start import time_from_cold_start
from analysis.sections.conclusions import Findings, extremes, findings, summary
from analysis.sections.measured_sweep import MeasuredSweep
from analysis.sections.pivot import pivot
from analysis.sections.section import Content
from analysis.sections.selection import Selection
from analysis.sections.trade_offs import SHARE, best_trade_offs

RATE: Final = "generation_rate_tokens_per_s"
TIME: Final = "inference_time_s"
PACKED: Final = ("4-bit", "8-bit")
CORES: Final = 4
TOKENS: Final = 256


def tldr(sweep: MeasuredSweep) -> Content | None:
    """Return § 2.1: the fastest configuration, the time from a cold start, and the best trade-offs."""
    return summary(sweep.once(_findings))


def rate_4_and_8_bit(sweep: MeasuredSweep) -> Content | None:
    """Return § 2.2: rate against max new tokens with 4 cores; a panel per quantization, a series per device map."""
    selection = _packed(sweep, PACKED)
    if selection is None:
        return None
    selection = selection.nearest("cpu_cores", CORES)
    drawings = chart(sweep, selection, "2.2", y=RATE, x="max_new_tokens", panel="quantization", series="device_map")
    return content(selection, drawings)


def time_4_and_8_bit(sweep: MeasuredSweep) -> Content | None:
    """Return § 2.3: time of 256 tokens with 4 cores, device map × quantization."""
    selection = _packed(sweep, PACKED)
    return _times(selection and _long(selection).nearest("cpu_cores", CORES), "quantization", "device_map")


def rate_4_bit(sweep: MeasuredSweep) -> Content | None:
    """Return § 2.4: rate with 4 bits against max new tokens; a panel per device map, a series per CPU cores."""
    selection = _packed(sweep, PACKED[:1])
    if selection is None:
        return None
    drawings = chart(sweep, selection, "2.4", y=RATE, x="max_new_tokens", panel="device_map", series="cpu_cores")
    return content(selection, drawings)


def time_4_bit(sweep: MeasuredSweep) -> Content | None:
    """Return § 2.5: time of 256 tokens with 4 bits and 4 cores, by device map."""
    selection = _packed(sweep, PACKED[:1])
    return _times(selection and _long(selection).nearest("cpu_cores", CORES), None, "device_map")


def rate_cpu(sweep: MeasuredSweep) -> Content | None:
    """Return § 2.7: rate on CPUs against max new tokens, a series per CPU cores."""
    selection = _rows(sweep).on_cpu()
    if selection is None:
        return None
    return content(selection, chart(sweep, selection, "2.7", y=RATE, x="max_new_tokens", series="cpu_cores"))


def time_cpu(sweep: MeasuredSweep) -> Content | None:
    """Return § 2.8: time of 256 tokens on CPUs, by cores."""
    selection = _rows(sweep).on_cpu()
    return _times(selection and _long(selection), "quantization", "cpu_cores")


def time_all_devices(sweep: MeasuredSweep) -> Content | None:
    """Return § 2.10: time of 256 tokens with 4 cores, every device map × quantization."""
    return _times(_long(_rows(sweep)).nearest("cpu_cores", CORES), "quantization", "device_map")


def conclusions(sweep: MeasuredSweep) -> Content | None:
    """Return § 2.6 and 2.9: the effects on the rate, the time from a cold start, and the best trade-offs."""
    return extremes(sweep.once(_findings), "Generation rates")


def _findings(sweep: MeasuredSweep) -> Findings | None:
    """Return the effects on the rate, which leave a share of the false claims to the trade-offs."""
    return findings(_rows(sweep), RATE, _beside_the_rate(sweep), share=1 - SHARE)


def _beside_the_rate(sweep: MeasuredSweep) -> tuple[Content, Content]:
    """Return the findings that are not of the rate alone: of the longest generation, and of one model."""
    longest = _long(_rows(sweep))
    selection = longest.first("model").with_peak_memory()
    tokens = selection.sweep.ok["max_new_tokens"].max()
    of = "" if pd.isna(tokens) else f"with {tokens:,} new tokens"
    return time_from_cold_start(sweep, longest), best_trade_offs(sweep, selection, RATE, of)


def _rows(sweep: MeasuredSweep) -> Selection:
    return Selection(sweep.rows).with_device_map()


def _packed(sweep: MeasuredSweep, levels: tuple[str, ...]) -> Selection | None:
    """Return the rows of some quantizations; all rows where a rehearsal of the published sweep has none of them."""
    return _rows(sweep).among("quantization", levels, else_all=sweep.is_published)


def _long(selection: Selection) -> Selection:
    """Return the rows of 256 new tokens, else of the most that were asked for."""
    return selection.largest("max_new_tokens", TOKENS)


def _times(selection: Selection | None, columns: str | None, first: str) -> Content | None:
    """Return a section of one table: means of the inference time."""
    if selection is None:
        return None
    return content(selection, tables=(pivot(selection, TIME, columns, first=(first,)),))
