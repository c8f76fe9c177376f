"""What a user asks of a calibration, checked."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from analysis.thresholds.length_groups import ranges_between
from analysis.thresholds.settings import direction_of
from analysis.thresholds.split import check_split
from sweeps.errors import UserError

AUTO: Final = "auto"
BY: Final = ("tokens", "none")


@dataclass(frozen=True)
class Asked:
    """A promise, and how to get there. A value that cannot be is a UserError."""

    fpr: float
    confidence: float = 0.95
    score: str = "score"
    by: str = "tokens"
    bins: Sequence[float] | None = None
    split: Sequence[float] = (0, 0.6, 0.4)
    seed: int = 0

    def __post_init__(self) -> None:
        """Check every value."""
        for name in ("fpr", "confidence"):
            value = getattr(self, name)
            if not isinstance(value, int | float) or not 0 < value < 1:
                raise UserError(f"{name} is {value!r}; it must lie between 0 and 1, as 0.01 and 0.95 do")
        if self.by not in BY:
            raise UserError(f"by is {self.by!r}; choose {' or '.join(BY)}")
        if self.bins is not None:
            ranges_between(self.bins)
            if self.by == "none":
                raise UserError("by is 'none' and bins are given: leave one of the two out")
        choose, _, _ = check_split(self.split)
        if self.score != AUTO:
            direction_of(self.score)
        elif choose == 0:
            raise UserError(
                "score 'auto' is chosen on records that then calibrate nothing: give the choose part some, as with "
                "--split 0.2,0.5,0.3 (in memory: split=(0.2, 0.5, 0.3))"
            )

    @property
    def promise(self) -> str:
        """Return the promise in words."""
        return f"a false-positive rate of at most {percent(self.fpr)} with confidence {percent(self.confidence)}"


def percent(share: float) -> str:
    """Return a share as it was asked for, such as 0.1%. A confidence of 0.99999999 is never shown as 100%."""
    return f"{share * 100:.12g}%"
