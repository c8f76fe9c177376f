"""Sweeps whose rows are on the page, each with its averages, which are computed once.

Knows runs and sweeps. Does not know sections or HTML.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from analysis.averages import Averages, average
from analysis.load import SweepRows


@dataclass(frozen=True)
class MeasuredSweep:
    """One sweep on the page."""

    rows: SweepRows
    name: str
    """Name on the page: the sweep's, with its run's in front where several runs hold a sweep of that name."""
    file_name: str
    """Begins the names of the sweep's figures and tables; unique on the page."""

    @cached_property
    def averages(self) -> Averages:
        """Return the statistics of the sweep's cells."""
        return average(self.rows)


@dataclass(frozen=True)
class Evidence:
    """All sweeps on the page, in the order of the runs and of their sweeps."""

    sweeps: tuple[MeasuredSweep, ...]

    def of(self, benchmark: str) -> Iterator[MeasuredSweep]:
        """Yield the sweeps of a benchmark."""
        return (sweep for sweep in self.sweeps if sweep.rows.benchmark == benchmark)
