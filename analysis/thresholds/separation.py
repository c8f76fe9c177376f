"""How well each score tells human from machine text: AUROC, and the true-positive rate at fixed false-positive rates.

Frames in, frames out. A frame of texts has record, is_human, the scores, and the columns of `views.DIMENSIONS`. Nothing
is turned round: an AUROC below 0.5 is shown as it is, with a note.
"""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import pandas as pd

from analysis.thresholds.clustered_auroc import auroc_by_record, numbered
from analysis.thresholds.delong import delong, interval
from analysis.thresholds.intervals import exact_share
from analysis.thresholds.randomness import one_of_each
from analysis.thresholds.roc import at_fpr, machine_like
from analysis.thresholds.views import Cell, cells, dimensions_of
from scoring.scores import SCORES

OTHER_WAY: Final = "here this score points the other way"
FPRS: Final = (0.05, 0.01, 0.001)


def auroc_table(texts: pd.DataFrame, scores: Sequence[str], dimensions: Sequence[str] | None = None) -> pd.DataFrame:
    """Return the AUROC of each score in each cell, over all its texts.

    The interval (95%) is DeLong's, with the record as the unit: a record may have several texts, and of both classes.

    Returns:
        Columns: view, the dimensions, score, direction, auroc, auroc_low, auroc_high, method, n_human, n_synthetic,
        records, note. auroc is null where a class is missing.
    """
    wanted = dimensions_of(texts) if dimensions is None else dimensions
    rows = [row for cell in cells(texts, wanted) for row in _auroc_rows(cell, scores)]
    names = ("direction", "auroc", "auroc_low", "auroc_high", "method", "n_human", "n_synthetic", "records", "note")
    return pd.DataFrame(rows, columns=["view", *wanted, "score", *names])


def tpr_table(
    texts: pd.DataFrame,
    scores: Sequence[str],
    dimensions: Sequence[str] | None = None,
    seed: int = 0,
    fprs: Sequence[float] = FPRS,
) -> pd.DataFrame:
    """Return the true-positive rate of each score in each cell at false-positive rates of at most 5, 1 and 0.1%.

    Points of the step ROC, on one text a record and class, drawn with the seed. The thresholds are chosen on the same
    texts, so the rates say what a score can do, and promise nothing.

    Returns:
        Columns: view, the dimensions, score, fpr_asked, fpr, false_positives, n_human, tpr, tpr_low, tpr_high,
        n_synthetic. fpr is what is achieved; intervals are exact, 95%.
    """
    wanted = dimensions_of(texts) if dimensions is None else dimensions
    rows: list[dict[str, Any]] = []
    for cell in cells(texts, wanted):
        several = _has_several(numbered(cell.texts["record"]), cell.texts["is_human"].to_numpy(np.bool_))
        drawn = one_of_each(cell.texts, ("record", "is_human"), seed) if several else cell.texts
        for score in scores:
            rows += _tpr_rows(cell, drawn, score, fprs)
    names = ("fpr_asked", "fpr", "false_positives", "n_human", "tpr", "tpr_low", "tpr_high", "n_synthetic")
    return pd.DataFrame(rows, columns=["view", *wanted, "score", *names])


def auroc_of(texts: pd.DataFrame, score: str) -> float | None:
    """Return the AUROC of a score on some texts; None where a class is missing."""
    human = texts["is_human"].to_numpy(np.bool_)
    values = machine_like(texts[score], score)
    return float(delong(values[human], values[~human]).values_S[0]) if 0 < human.sum() < len(human) else None


def _auroc_rows(cell: Cell, scores: Sequence[str]) -> list[dict[str, Any]]:
    human = cell.texts["is_human"].to_numpy(np.bool_)
    record = numbered(cell.texts["record"])
    n_human, n_synthetic = int(human.sum()), int((~human).sum())
    counts = {"n_human": n_human, "n_synthetic": n_synthetic, "records": cell.texts["record"].nunique()}
    method = "DeLong by record" if _has_several(record, human) else "DeLong"
    rows: list[dict[str, Any]] = []
    for score in scores:
        row = {"view": cell.view, **cell.levels, "score": score, "direction": SCORES[score].direction, **counts}
        if not min(n_human, n_synthetic):
            rows.append(row | {"auroc": None, "note": "one of the classes is missing"})
            continue
        auroc, error = auroc_by_record(machine_like(cell.texts[score], score), human, record)
        low, high = interval(auroc, error) or (None, None)
        own = {"auroc": auroc, "auroc_low": low, "auroc_high": high, "note": OTHER_WAY if auroc < 0.5 else ""}
        rows.append(row | own | {"method": "no interval: nothing varies" if low is None else method})
    return rows


def _has_several(record: Any, human: Any) -> bool:
    """Tell whether a record has several texts of one class."""
    return len(record) > 0 and int(np.bincount(2 * record + human).max()) > 1


def _tpr_rows(cell: Cell, drawn: pd.DataFrame, score: str, fprs: Sequence[float]) -> list[dict[str, Any]]:
    human = drawn["is_human"].to_numpy(np.bool_)
    values = machine_like(drawn[score], score)
    n_human, n_synthetic = int(human.sum()), int((~human).sum())
    rows: list[dict[str, Any]] = []
    for fpr in fprs:
        row: dict[str, Any] = {"view": cell.view, **cell.levels, "score": score, "fpr_asked": fpr}
        row |= {"n_human": n_human, "n_synthetic": n_synthetic}
        if n_human:
            point = at_fpr(values[human], values[~human], fpr)
            found = exact_share(point.true_positives, n_synthetic)
            row |= {"fpr": point.false_positives / n_human, "false_positives": point.false_positives}
            row |= {"tpr": found.value, "tpr_low": found.low, "tpr_high": found.high}
        rows.append(row)
    return rows
