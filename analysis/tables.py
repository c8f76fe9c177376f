"""Tables as the page shows them: every cell is text, and long tables are cut.

Knows the content and order of each table, and the name of the CSV file that holds the whole table. Does not know rows,
HTML, or how that file is written.
"""

import re
from dataclasses import dataclass
from typing import Final

import pandas as pd

from analysis.column_titles import number, title_of
from analysis.level_labels import level_text
from sweeps.printable import middle_out
from sweeps.wording import counted

MAX_TABLE_ROWS: Final = 200
"""Rows of a table on the page. The page says how many more the CSV file holds."""
FULL_BOX: Final = 15
"""Rows of a table that fit the box on the page (34rem in report.css); the heading of a longer table counts its rows."""
_NUMBER: Final = re.compile(r"[<>≤≥+\-−–(]?\s*[\d.]")
MAX_REASON: Final = 2_000
"""Characters of a reason on the page. Longer reasons lose their middle; the CSV file holds them whole."""


@dataclass(frozen=True)
class Table:
    """A table of the page. Every cell is text."""

    title: str
    headers: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    names: int = 0
    """Number of columns, from the left, that hold names and not numbers."""
    csv: str | None = None
    """Path of the CSV file, relative to the page."""
    left_out: int = 0
    """Number of rows that only the CSV file holds."""
    on_demand: int = 0
    """Number of columns, from the right, that the page shows when the reader asks for them."""
    note: str = ""
    """Sentence below the table."""
    columns: tuple[str, ...] = ()
    """Column of the rows behind each header, where the page links to its meaning; '' for none."""

    @property
    def size(self) -> str:
        """Return the number of rows, as '24 rows' or '200 of 1,300 rows'; '' where all of them fit their box."""
        if len(self.rows) + self.left_out <= FULL_BOX:
            return ""
        every = counted(len(self.rows) + self.left_out, "row")
        return f"{len(self.rows):,} of {every}" if self.left_out else every

    @property
    def texts(self) -> tuple[int, ...]:
        """Return the places, from 1, of the columns behind the names in which no cell begins with a number."""
        behind = range(self.names, len(self.headers))
        return tuple(
            place + 1 for place in behind if not any(_NUMBER.match(row[place]) for row in self.rows if len(row) > place)
        )


def auc_table(table: pd.DataFrame, file_name: str) -> Table:
    """Return the table of AUROCs (see auc.auc_by_cell), a row per combination of the factors other than author."""
    factors = [name for name in table.columns if name not in ("auc", "n_human", "n_synthetic")]
    return Table(
        title="AUROC: how often a human text scores above a synthetic one",
        headers=(*map(title_of, factors), "AUROC", "n human", "n synthetic"),
        rows=tuple(
            (
                *(level_text(name, cell[name]) for name in factors),
                number(cell["auc"]),
                f"{cell['n_human']:,}",
                f"{cell['n_synthetic']:,}",
            )
            for cell in table.head(MAX_TABLE_ROWS).to_dict("records")
        ),
        names=len(factors),
        csv=f"tables/{file_name}-separation.csv",
        left_out=max(0, len(table) - MAX_TABLE_ROWS),
    )


def failure_table(table: pd.DataFrame, file_name: str) -> Table | None:
    """Return the table of failures (see failures.failures); None if every row is ok."""
    if table.empty:
        return None
    shown = table.head(MAX_TABLE_ROWS)[["status", "where", "reason", "rows", "cells"]].astype(str)
    return Table(
        title="Rows without a measurement",
        headers=("status", "where", "reason", "rows", "cells"),
        rows=tuple(
            (*row[:2], middle_out(row[2], MAX_REASON), *row[3:]) for row in shown.itertuples(index=False, name=None)
        ),
        names=3,
        csv=f"tables/{file_name}-not-ok.csv",
        left_out=max(0, len(table) - MAX_TABLE_ROWS),
    )
