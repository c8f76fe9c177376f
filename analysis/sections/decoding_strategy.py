"""Notebook 01, § 3: what the decoding strategy costs."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from analysis.column_titles import capital, title_of
from analysis.sections.charts import chart, content
from analysis.sections.conclusions import extremes, findings, summary
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
    found = findings(selection, RATE)
    whole, short = extremes(found, "Generation rates"), summary(found)
    return whole and short and replace(whole, in_short=_in_short(short.sentences, selection.remarks))


def _in_short(sentences: Sequence[str], remarks: Sequence[str]) -> tuple[str, ...]:
    """Return the sentences of a summary with that on groups of strategies first, the rows that they are of before it.

    Args:
        sentences: the remarks, then what was found.
        remarks: on the rows; they would be out of sight if they stood behind the first sentence.
    """
    said = [sentence for sentence in sentences if sentence not in remarks]
    first, *others = sorted(said, key=lambda sentence: not sentence.startswith(f"{capital(title_of(STRATEGY))}, from "))
    return (" ".join([*remarks, first]), *others)


def _rows(sweep: MeasuredSweep) -> Selection:
    return Selection(sweep.rows).with_device_map()


def _by_model(sweep: MeasuredSweep, selection: Selection | None, number: str) -> Content | None:
    """Return a figure with a panel per model."""
    if selection is None:
        return None
    drawings = chart(sweep, selection, number, y=RATE, x="max_new_tokens", panel="model", series=STRATEGY)
    return content(selection, drawings)
