"""Texts to compare scores on, of any pairs and settings, where no threshold is asked for."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from analysis.thresholds.records import counted_records
from analysis.thresholds.settings import Settings
from analysis.thresholds.texts import HUMAN, scores_in, texts_of
from sweeps.errors import UserError


def scored_texts(rows: pd.DataFrame, same: Mapping[str, Any] | None = None) -> pd.DataFrame:
    """Return the texts that have every score of these rows: what `auroc_table`, `tpr_table` and others read.

    Rows of several pairs stay apart by their column `pair`. Texts in windows are not put together.

    Args:
        rows: Rows of the binoculars benchmark.
        same: Cluster by record id, of records that count as one.

    Raises:
        UserError: no row has a score.
    """
    scores = scores_in(rows)
    if not scores:
        raise UserError("the rows have no score with a direction; score a corpus first")
    texts = texts_of(rows, scores, Settings({})).frame
    whole = "fragments" in texts and bool(texts["fragments"].eq('{"mode": "whole"}').all())
    texts = texts.assign(is_human=texts["author"] == HUMAN)
    return texts.assign(record=counted_records(texts, same, whole))
