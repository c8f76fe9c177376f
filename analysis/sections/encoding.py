"""Notebook 02, § 2: how fast text becomes token ids."""

from dataclasses import replace
from typing import Final

from analysis.sections.charts import chart, content
from analysis.sections.conclusions import findings, summary
from analysis.sections.measured_sweep import MeasuredSweep
from analysis.sections.section import Content
from analysis.sections.selection import Selection

RATE: Final = "encoding_rate_tokens_per_s"
IDS: Final = "token_ids_bytes"
_ID_BYTES: Final = 8
"""Bytes of one token id: the tokenizer returns int64."""


def tldr(sweep: MeasuredSweep) -> Content | None:
    """Return § 2.1: the fastest configuration."""
    return summary(findings(_rows(sweep), RATE))


def memory(sweep: MeasuredSweep) -> Content | None:
    """Return § 2.2: size of the token ids against sequence length; a series per device map."""
    selection = _rows(sweep)
    rows = selection.sweep.rows
    sized = selection.with_metric(IDS, rows.assign(**{IDS: rows["output_tokens"].astype("float64") * _ID_BYTES}))
    drawings = chart(sweep, sized, "2.2", y=IDS, x="input_words", series="device_map")
    remark = (
        f"Size of the token ids that go to the device, computed: {_ID_BYTES} bytes for each token that was counted."
    )
    return content(replace(sized, remarks=(*sized.remarks, remark)), drawings)


def rate(sweep: MeasuredSweep) -> Content | None:
    """Return § 2.3: rate against sequence length; a panel per device map."""
    selection = _rows(sweep)
    return content(selection, chart(sweep, selection, "2.3", y=RATE, x="input_words", panel="device_map"))


def _rows(sweep: MeasuredSweep) -> Selection:
    return Selection(sweep.rows).with_device_map()
