"""Notebook 01, § 3: what the decoding strategy costs."""

from typing import Final

from analysis.sections.charts import chart, content
from analysis.sections.conclusions import extremes, findings
from analysis.sections.measured_sweep import MeasuredSweep
from analysis.sections.pivot import pivot
from analysis.sections.section import Content
from analysis.sections.selection import Selection

RATE: Final = "generation_rate_tokens_per_s"
TIME: Final = "inference_time_s"
STRATEGY: Final = "decoding_strategy"


def rate_by_device(sweep: MeasuredSweep) -> Content | None:
    """Return § 3.1: rate against max new tokens on GPUs; a panel per device, a series per strategy."""
    selection = _rows(sweep).on_gpus().first("model")
    drawings = chart(sweep, selection, "3.1", y=RATE, x="max_new_tokens", panel="device_map", series=STRATEGY)
    return content(selection, drawings)


def time_by_device(sweep: MeasuredSweep) -> Content | None:
    """Return § 3.2: time of 256 tokens on GPUs, strategy × device."""
    selection = _rows(sweep).on_gpus().first("model").largest("max_new_tokens", 256)
    table = pivot(selection, TIME, "device_map", first=(STRATEGY,))
    return content(selection, tables=(table,))


def rate_by_model(sweep: MeasuredSweep) -> Content | None:
    """Return § 3.2b: rate against max new tokens on the GTX 1070; a panel per model."""
    return _by_model(sweep, _rows(sweep).on_gpus("1070"), "3.2b")


def rate_cpu(sweep: MeasuredSweep) -> Content | None:
    """Return § 3.4: rate against max new tokens on CPUs; a series per strategy."""
    selection = _rows(sweep).on_cpu()
    if selection is None:
        return None
    selection = selection.first("model")
    return content(selection, chart(sweep, selection, "3.4", y=RATE, x="max_new_tokens", series=STRATEGY))


def rate_by_model_cpu(sweep: MeasuredSweep) -> Content | None:
    """Return § 3.5: rate against max new tokens on CPUs; a panel per model."""
    return _by_model(sweep, _rows(sweep).on_cpu(), "3.5")


def conclusion(sweep: MeasuredSweep) -> Content | None:
    """Return § 3.3: the fast and the slow strategies."""
    selection = _rows(sweep).first("model").largest("max_new_tokens", 256)
    return extremes(findings(selection, RATE), "Generation rates")


def _rows(sweep: MeasuredSweep) -> Selection:
    return Selection(sweep.rows).with_device_map()


def _by_model(sweep: MeasuredSweep, selection: Selection | None, number: str) -> Content | None:
    """Return a figure with a panel per model."""
    if selection is None:
        return None
    drawings = chart(sweep, selection, number, y=RATE, x="max_new_tokens", panel="model", series=STRATEGY)
    return content(selection, drawings)
