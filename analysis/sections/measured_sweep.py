"""A sweep whose rows are on the page, with its averages and what else several sections share, computed once.

Knows rows. Does not know sections or HTML.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeVar

from analysis.cell_averages import Averages, average
from analysis.load import SweepRows
from sweeps.run_layout import REHEARSAL

Result = TypeVar("Result")


@dataclass(frozen=True)
class MeasuredSweep:
    """One sweep on the page."""

    rows: SweepRows
    name: str
    """Name on the page: the sweep's, with its run's in front where the page is of several runs."""
    file_name: str
    """Begins the names of the sweep's figures and tables; unique on the page."""
    page: Sequence[SweepRows]
    """Rows of every sweep on the page, this one included."""
    _shared: dict[Callable[["MeasuredSweep"], Any], Any] = field(default_factory=dict, repr=False, compare=False)
    """Results of `once`."""

    def once(self, compute: Callable[["MeasuredSweep"], Result]) -> Result:
        """Return what a function computes from the sweep. Sections that ask for the same function share the result."""
        if compute not in self._shared:
            self._shared[compute] = compute(self)
        found: Result = self._shared[compute]
        return found

    def forget(self) -> None:
        """Give back what sections share, once the last section is made: millions of rows may be in it."""
        self._shared.clear()

    @cached_property
    def averages(self) -> Averages:
        """Return the statistics of the sweep's cells."""
        return average(self.rows)

    @property
    def is_published(self) -> bool:
        """Tell whether the sweep is of a built-in spec of the study, or a rehearsal of one.

        Its sections are shown with the levels that it has; of other sweeps, a section needs its own levels.
        """
        spec = (self.rows.description.spec_name or "").removesuffix(REHEARSAL)
        return spec in ("study", self.rows.name)

    def on_page(self, benchmark: str) -> Iterator[SweepRows]:
        """Yield the sweeps of a benchmark that are on the page."""
        return (rows for rows in self.page if rows.benchmark == benchmark)
