"""A setting: the texts that one model pair scored, with every other factor that varies in the sweep."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
import pandas as pd

HUMAN: Final = "human"
SYNTHETIC: Final = "synthetic"
AUTHORS: Final = (HUMAN, SYNTHETIC)
FEWEST_RECORDS: Final = 20
"""Records of each class below which nothing is concluded: no test, no interval, no rank."""


@dataclass(frozen=True)
class Setting:
    """Rows of one setting that are of a human or synthetic text and have a score."""

    name: str
    """Short and unique in the sweep, as 'falcon-7b with falcon-7b-instruct'."""
    levels: dict[str, Any]
    """Level of each factor that varies in the sweep."""
    rows: pd.DataFrame
    """Columns of the rows, and is_human."""

    @cached_property
    def n_human(self) -> int:
        """Return the number of rows of human texts."""
        return int(self.rows["is_human"].sum())

    @property
    def n_synthetic(self) -> int:
        """Return the number of rows of synthetic texts."""
        return len(self.rows) - self.n_human

    @cached_property
    def fewest_records(self) -> int:
        """Return the number of records with human text, or of those with synthetic text, whichever is smaller."""
        record, human = pd.factorize(self.rows["record_id"])[0], self.rows["is_human"].to_numpy(np.bool_)
        return min(int(np.count_nonzero(np.bincount(record[inside]))) for inside in (human, ~human))

    @property
    def can_conclude(self) -> bool:
        """Tell whether there are enough records of both classes to conclude anything."""
        return self.fewest_records >= FEWEST_RECORDS

    @cached_property
    def has_prefixes(self) -> bool:
        """Tell whether texts have a row for each of their prefixes. A row without prefix_tokens is of a whole text."""
        return "prefix_tokens" in self.rows and bool(self.rows["prefix_tokens"].notna().any())
