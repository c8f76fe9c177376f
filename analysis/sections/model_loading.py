"""Notebook 01, § 1: how fast a model loads."""

from analysis.sections.charts import chart, content
from analysis.sections.conclusions import Findings, extremes, findings, summary
from analysis.sections.measured_sweep import MeasuredSweep
from analysis.sections.pivot import pivot
from analysis.sections.section import Content
from analysis.sections.selection import Selection

RATE = "load_rate_per_s"
TIME = "load_time_s"


def tldr(sweep: MeasuredSweep) -> Content | None:
    """Return § 1.1: the fastest configuration."""
    return summary(sweep.once(_findings))


def rate(sweep: MeasuredSweep) -> Content | None:
    """Return § 1.2: load rate against CPU cores; a panel per device map, a series per source drive."""
    selection = _rows(sweep)
    drawings = chart(sweep, selection, "1.2", y=RATE, x="cpu_cores", panel="device_map", series="source")
    return content(selection, drawings)


def averages_16_cores(sweep: MeasuredSweep) -> Content | None:
    """Return § 1.3: load time by source and device map, with 16 cores."""
    selection = _rows(sweep).nearest("cpu_cores", 16)
    return content(selection, tables=(pivot(selection, TIME, "device_map", first=("source",)),))


def conclusions(sweep: MeasuredSweep) -> Content | None:
    """Return § 1.4–1.5: the fastest and the slowest configurations."""
    return extremes(sweep.once(_findings), "Load rates")


def _findings(sweep: MeasuredSweep) -> Findings | None:
    return findings(_rows(sweep), RATE)


def _rows(sweep: MeasuredSweep) -> Selection:
    return Selection(sweep.rows).with_device_map()
