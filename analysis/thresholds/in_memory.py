"""`calibrate`: thresholds from a frame, in memory."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from analysis.thresholds.asked import Asked
from analysis.thresholds.fitting import fit
from scoring.calibration import Calibration


def calibrate(
    rows: pd.DataFrame,
    *,
    fpr: float,
    confidence: float = 0.95,
    score: str = "score",
    by: str = "tokens",
    bins: Sequence[float] | None = None,
    split: Sequence[float] = (0, 0.6, 0.4),
    seed: int = 0,
    same: Mapping[str, Any] | None = None,
) -> Calibration:
    """Return thresholds that flag at most a share `fpr` of new human texts, with confidence `confidence`.

    Args:
        rows: Rows of the binoculars benchmark; record_id, author, dataset, generator, length_tokens and the score are
            needed. What they do not say of models and settings is None in the calibration's binding.
        fpr: Share of human texts that may be flagged.
        confidence: Probability that the share is kept.
        score: A key of `scoring.scores.SCORES` that has a direction, or `auto`: the best on the choose part.
        by: `tokens` makes length groups, `none` one group.
        bins: Borders of the groups, in tokens (windows of a text where texts were cut into windows): each begins a
            group, and the last ends the last group.
        split: Shares of the records to choose on, to calibrate on and to report on.
        seed: Of every draw. The order of the rows does not matter.
        same: Cluster by record id: records of one cluster count as one record, such as near-duplicates.

    Raises:
        Refused: there are too few records; `n` and `needed` say how many.
        UserError: an argument or the frame cannot be used.
    """
    return fit(rows, Asked(fpr, confidence, score, by, bins, split, seed), same).calibration
