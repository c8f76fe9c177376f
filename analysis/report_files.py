"""The files of a report: figures, tables, page and summary. Each is there whole or not at all.

A file is written under a temporary name and then renamed, the page last, so that a killed report leaves no half file.
"""

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pandas as pd

from analysis.canvas import Drawing

FILE_NAME_BYTES: Final = 120
"""Bytes of a sweep's name in the names of its files. Longer names are cut."""


@dataclass(frozen=True)
class ReportFiles:
    """Writes into the directory of a report."""

    directory: Path

    @property
    def index(self) -> Path:
        """Path of the page."""
        return self.directory / "index.html"

    def write_tables(self, tables: Mapping[str, pd.DataFrame]) -> None:
        """Write tables/NAME.csv for each frame."""
        for name, table in tables.items():
            _write(self.directory / "tables" / f"{name}.csv", encoded(table.to_csv(index=False)))

    def write_drawing(self, drawing: Drawing) -> None:
        """Write a figure as SVG and PNG."""
        _write(self.directory / "figures" / f"{drawing.name}.svg", drawing.svg)
        _write(self.directory / "figures" / f"{drawing.name}.png", drawing.png)

    def write_comparison(self, table: pd.DataFrame) -> None:
        """Write compare.csv."""
        _write(self.directory / "compare.csv", encoded(table.to_csv(index=False)))

    def write_summary(self, markdown: str) -> None:
        """Write report.md."""
        _write(self.directory / "report.md", encoded(markdown))

    def write_page(self, html: str) -> None:
        """Write index.html."""
        _write(self.index, encoded(html))


def encoded(text: str) -> bytes:
    """Return text as UTF-8. Surrogates, which file names may hold, become escapes."""
    return text.encode("utf-8", "backslashreplace")


def file_name(name: str) -> str:
    """Return a sweep's name for its files: a name that is too long is cut, and a digest keeps it unique."""
    content = os.fsencode(name)
    if len(content) <= FILE_NAME_BYTES:
        return name
    return f"{content[:FILE_NAME_BYTES].decode(errors='ignore')}-{hashlib.sha256(content).hexdigest()[:8]}"


def _write(path: Path, content: bytes) -> None:
    """Write a file whole, under a temporary name first."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_bytes(content)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
