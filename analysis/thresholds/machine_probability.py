"""P(machine | score): isotonic regression on the choose part, its Brier score and reliability on the report part.

Isotonic: Zadrozny and Elkan 2002. One text a record and class counts, drawn with the seed.
"""

from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from analysis.thresholds.randomness import one_of_each
from scoring.calibration_tables import Probability
from scoring.scores import SCORES

FEWEST: Final = 50
"""Records of each class without which no curve is fitted."""
BINS: Final = 10


def fit_probability(choose: pd.DataFrame, report: pd.DataFrame, score: str, seed: int) -> Probability | None:
    """Return the curve; None where the choose part has too few records of a class."""
    from sklearn.isotonic import IsotonicRegression

    drawn = one_of_each(choose, ("record", "is_human"), seed)
    machine = ~drawn["is_human"].to_numpy(np.bool_)
    if min(machine.sum(), (~machine).sum()) < FEWEST:
        return None
    least = 1 / (len(drawn) + 2)  # so many texts cannot show that there is no other: never 0, never 1
    curve = IsotonicRegression(
        y_min=least, y_max=1 - least, increasing=SCORES[score].direction == "higher", out_of_bounds="clip"
    ).fit(drawn[score].to_numpy(np.float64), machine.astype(np.float64))
    share = float(machine.mean())
    fitted = Probability(
        share=share,
        scores=tuple(map(float, curve.X_thresholds_)),
        machine=tuple(map(float, curve.y_thresholds_)),
        records=drawn["record"].nunique(),
    )
    return fitted.model_copy(update={"brier": _brier(fitted, report, score, seed)})


def probability_of(curve: Probability, scores: Any) -> npt.NDArray[np.float64]:
    """Return P(machine) at the curve's own prior."""
    return np.interp(np.asarray(scores, np.float64), curve.scores, curve.machine)


def reliability(curve: Probability, texts: pd.DataFrame, score: str, seed: int = 0) -> pd.DataFrame:
    """Return how often texts of about one probability are machine's, at the curve's prior.

    Returns:
        Columns: low, high (of the probability), predicted (mean), observed, n_human, n_synthetic. observed weighs the
        classes so that a share `curve.share` of all texts is machine's.
    """
    drawn = one_of_each(texts, ("record", "is_human"), seed)
    machine = ~drawn["is_human"].to_numpy(np.bool_)
    predicted = probability_of(curve, drawn[score])
    weight = _weights(machine, curve.share)
    number = np.minimum((predicted * BINS).astype(int), BINS - 1)
    rows = []
    for place in range(BINS):
        inside = number == place
        total = weight[inside].sum()
        rows.append(
            {
                "low": place / BINS,
                "high": (place + 1) / BINS,
                "predicted": float((weight * predicted)[inside].sum() / total) if total else None,
                "observed": float((weight * machine)[inside].sum() / total) if total else None,
                "n_human": int((inside & ~machine).sum()),
                "n_synthetic": int((inside & machine).sum()),
            }
        )
    return pd.DataFrame(rows)


def _brier(curve: Probability, report: pd.DataFrame, score: str, seed: int) -> float | None:
    """Return the Brier score at the curve's prior; None where a class is missing."""
    drawn = one_of_each(report, ("record", "is_human"), seed)
    machine = ~drawn["is_human"].to_numpy(np.bool_)
    if not 0 < machine.sum() < len(machine):
        return None
    errors = (probability_of(curve, drawn[score]) - machine) ** 2
    return float((_weights(machine, curve.share) * errors).sum())


def _weights(machine: npt.NDArray[np.bool_], share: float) -> npt.NDArray[np.float64]:
    """Return a weight for each text, so that the classes weigh 1 − share and share in all."""
    n_machine, n_human = max(int(machine.sum()), 1), max(int((~machine).sum()), 1)
    return np.where(machine, share / n_machine, (1 - share) / n_human)
