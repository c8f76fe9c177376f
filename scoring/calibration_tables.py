"""The tables of `calibration.json`, checked when they are read. `scoring.calibration` has the file. Knows no torch."""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, PositiveInt, field_validator, model_validator

from scoring.results import Alignment
from scoring.scores import SCORES, Direction

Quantization = Literal["none", "4-bit", "8-bit"]
DtypeName = Literal["float32", "bfloat16", "float16"]
Count = Annotated[int, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]
Rate = Annotated[float, Field(gt=0, lt=1)]


class CalibrationTable(BaseModel):
    """Base of the tables of the file. A key that it does not know is refused: it might change what is promised."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Binding(CalibrationTable):
    """The settings for which a threshold holds. With other settings the same text has another score.

    A setting is None where the table that was calibrated in memory did not say it. `Calibration.check` then refuses
    every scorer.
    """

    observer: str | None
    performer: str | None
    observer_revision: str | None
    """Commit of a model of the Hub, or fingerprint of a directory; None where there is neither."""
    performer_revision: str | None
    dtype: DtypeName | None
    """dtype of the computation."""
    quantization: Quantization | None
    alignment: Alignment | None
    max_tokens: PositiveInt | None
    """Tokens after which a text was cut."""
    score: str
    """Name of the score, a key of `scoring.scores.SCORES`."""
    direction: Direction
    """Side on which machine text lies."""

    @property
    def unknown(self) -> tuple[str, ...]:
        """Return the settings that are not known and without which no text can be scored."""
        needed = ("observer", "performer", "dtype", "quantization", "alignment", "max_tokens")
        return tuple(name for name in needed if getattr(self, name) is None)

    @field_validator("score")
    @classmethod
    def _known_score(cls, score: str) -> str:
        if score not in SCORES:
            raise ValueError(f"score {score!r} is unknown; known are {', '.join(SCORES)}")
        return score


class Promise(CalibrationTable):
    """At most a share `fpr` of new human texts is flagged. The share is kept with probability `confidence`."""

    fpr: Rate
    confidence: Rate


class LengthGroup(CalibrationTable):
    """The threshold for texts of `min_tokens` to `max_tokens` tokens, both included.

    A text is flagged when its score lies strictly beyond the threshold, on the side where machine text lies.
    """

    min_tokens: PositiveInt
    max_tokens: PositiveInt
    threshold: float
    n: PositiveInt | None
    """Records that calibrated it, one text each. None in a published calibration: then k and the rest are None, too."""
    k: PositiveInt | None
    """The threshold is the k-th most extreme score of the n."""
    beyond: Count | None
    """Calibration scores strictly beyond the threshold; k − 1, or fewer where scores are equal."""
    equal: PositiveInt | None
    """Calibration scores equal to the threshold."""
    expected_fpr: Share | None
    """Mean false-positive rate that is to be expected: k / (n + 1)."""
    min_windows: PositiveInt | None = None
    """Windows of a text, where windows were calibrated: the group is for texts of so many windows."""
    max_windows: PositiveInt | None = None

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.min_tokens > self.max_tokens:
            raise ValueError(f"min_tokens {self.min_tokens} is above max_tokens {self.max_tokens}")
        if (self.min_windows is None) != (self.max_windows is None):
            raise ValueError("min_windows and max_windows go together")
        if self.k is not None and not (self.n or 0) >= self.k > (self.beyond or 0):
            raise ValueError(f"k {self.k} must be above beyond {self.beyond}, and at most n {self.n}")
        return self

    def holds(self, windows: int | None) -> bool:
        """Return whether the group is for texts of so many windows; None: for texts that are no windows."""
        if windows is None or self.min_windows is None or self.max_windows is None:
            return windows is None and self.min_windows is None
        return self.min_windows <= windows <= self.max_windows


class HeldOut(CalibrationTable):
    """Rates of a length group on the report part: on records to which nothing was fitted. Intervals are exact, 95%."""

    min_tokens: PositiveInt
    max_tokens: PositiveInt
    n_human: Count
    false_positives: Count
    fpr: Share | None
    """None where there is no human text."""
    fpr_low: Share | None
    fpr_high: Share | None
    n_synthetic: Count
    true_positives: Count
    tpr: Share | None
    tpr_low: Share | None
    tpr_high: Share | None
    min_windows: PositiveInt | None = None
    max_windows: PositiveInt | None = None


class Population(CalibrationTable):
    """The texts that the thresholds were calibrated on. The promise is about texts like these."""

    datasets: tuple[str, ...]
    generators: tuple[str, ...]
    records: Count
    """Different records with human text in the calibrate part."""
    near_duplicates: Count | None
    """Records that were counted as one with another record. None: the texts were not there to compare."""
    length_tokens: tuple[int, int]
    """Shortest and longest human text of the calibrate part."""
    scripts: tuple[str, ...] | None = None
    """Scripts of the human texts, as `scoring.corpora.scripts` names them. None: the texts were not there to look."""


class Probability(CalibrationTable):
    """P(machine | score), fitted by isotonic regression on the choose part, where `share` of the texts were machine's.

    It is a step-free curve: linear between the points, constant outside. Another prior moves it by the odds.
    """

    share: Rate
    scores: tuple[float, ...] = Field(min_length=1)
    machine: tuple[Share, ...]
    """Probability at each of `scores`, at a prior of `share`."""
    brier: Share | None = None
    """Brier score on the report part, at a prior of `share`; 0.25 is what a coin gives."""
    records: PositiveInt

    @model_validator(mode="after")
    def _one_each(self) -> Self:
        if len(self.scores) != len(self.machine) or list(self.scores) != sorted(set(self.scores)):
            raise ValueError("scores must rise, with one value of machine each")
        return self
