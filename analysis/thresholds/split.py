"""Three parts of the records: to choose on, to calibrate on, to report on. No record is in two of them."""

import math
from collections.abc import Sequence
from numbers import Real
from typing import Any, Final, Literal

import numpy as np
import pandas as pd

from analysis.thresholds.randomness import places
from sweeps.errors import UserError

Part = Literal["choose", "calibrate", "report"]
PARTS: Final[tuple[Part, ...]] = ("choose", "calibrate", "report")


def check_split(split: Sequence[float]) -> tuple[float, float, float]:
    """Return the three shares.

    Raises:
        UserError: they are not three shares of 1, or leave nothing to calibrate on.
    """
    given: list[Any] = list(split)
    are_shares = all(isinstance(share, Real) and math.isfinite(share) and float(share) >= 0 for share in given)
    shares = tuple(float(share) for share in given) if are_shares else ()
    if len(shares) != 3:
        raise UserError(f"split {split!r}: three shares are needed, choose, calibrate and report, as in 0,0.6,0.4")
    if abs(sum(shares) - 1) > 1e-6:
        raise UserError(f"split {split!r}: the shares sum to {sum(shares):g}; they must sum to 1, as 0,0.6,0.4 do")
    if shares[1] == 0:
        raise UserError(f"split {split!r}: nothing is left to calibrate on; raise the second share, as in 0,0.6,0.4")
    return shares[0], shares[1], shares[2]


def part_of_each(frame: pd.DataFrame, split: Sequence[float], seed: int) -> "pd.Series[str]":
    """Return the part of each text, by its record. Records with human text, and those without, are shared out apart.

    The parts depend on the records and the seed, not on the order of the rows.
    """
    choose, calibrate, _ = check_split(split)
    records = frame.groupby("record", sort=True)["is_human"].any().reset_index()
    place = places(records[["record"]], seed, "split")
    part = np.full(len(records), "report", object)
    for human in (True, False):
        members = np.flatnonzero((records["is_human"] == human).to_numpy())
        ordered = members[np.argsort(place[members], kind="stable")]
        first, second = round(choose * len(ordered)), round((choose + calibrate) * len(ordered))
        part[ordered[:first]] = "choose"
        part[ordered[first:second]] = "calibrate"
    return frame["record"].map(dict(zip(records["record"], part, strict=True))).astype(str)
