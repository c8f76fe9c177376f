"""A section of the published study on the page: its title, the rows that it needs, and the function that makes it.

A section is one entry of `order.SECTIONS`. Knows no figure, no table and no HTML.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

import pandas as pd

from analysis.canvas import Drawing
from analysis.sections.measured_sweep import MeasuredSweep
from analysis.tables import Table


class Notebook(StrEnum):
    """A part of the published study; the value is its title."""

    LLAMA3 = "01 LLaMA3-8B"
    LOGITS = "02 Logit calculation"
    SCORES = "03 Perplexity ratio score"


@dataclass(frozen=True)
class Content:
    """Sentences, figures and tables of a section, made from the rows of one sweep."""

    sentences: tuple[str, ...] = ()
    """Conclusions and remarks, as plain text. A number in them comes from the rows."""
    drawings: tuple[Drawing, ...] = ()
    """Figures. Each name must be unique on the page: begin the name with `MeasuredSweep.file_name`."""
    tables: tuple[Table, ...] = ()
    in_short: tuple[str, ...] | None = None
    """Sentences at the top of the page, where the section has a `summary_title`; None: those of `sentences`."""
    files: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    """Frames that are written to `tables/NAME.csv`, by NAME: the whole of what a table shows in part."""

    @property
    def is_empty(self) -> bool:
        """Tell whether there is nothing to show."""
        return not (self.sentences or self.drawings or self.tables)


@dataclass(frozen=True)
class Section:
    """A section of the published study."""

    notebook: Notebook
    number: str
    """Number in the published outline, as '1.2'. Sections of a notebook without a number have '–'."""
    title: str
    spec: str
    """Built-in spec whose rows the section is of: `python -m sweeps.run SPEC` gives them."""
    benchmark: str
    """The section is made for every sweep on the page with this benchmark."""
    columns: tuple[str, ...]
    """Columns that must each hold a value in some ok row of the sweep."""
    make: Callable[[MeasuredSweep], Content | None]
    """Makes the content from one sweep, which knows the others of the page. None: its rows are not there."""
    summary_title: str = ""
    """Heading of the sentences (`Content.in_short`) at the top of the page, in report.md and in `--terminal`; '': none.

    It names no model: the title of the outline may name one that the rows are not of.
    """

    @property
    def heading(self) -> str:
        """Return number and title, as '§ 1.2 LLaMA3 loading rate'."""
        return self.title if self.number == "–" else f"§ {self.number} {self.title}"

    def has_rows(self, sweep: MeasuredSweep) -> bool:
        """Tell whether a sweep holds the rows that the section needs."""
        ok = sweep.rows.ok
        return sweep.rows.benchmark == self.benchmark and all(
            name in ok and bool(ok[name].notna().any()) for name in self.columns
        )
