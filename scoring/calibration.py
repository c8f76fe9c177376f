"""`calibration.json`: the thresholds beyond which a text is flagged, what they promise, and what they are bound to.

`analysis.thresholds` writes the file, `scoring.detect` reads it. A threshold holds only for the settings in `binding`:
with other models, another dtype or another token limit the same text has another score. It is a promise about human
texts: at most a share `promise.fpr` of new human texts like those of `population` is flagged, with the confidence
`promise.confidence`. About a text that is not flagged it promises nothing. Imports no torch.
"""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, PositiveInt, ValidationError, field_validator, model_validator

from scoring.errors import CalibrationError
from scoring.results import Alignment
from scoring.scores import SCORES, Direction

VERSION: Final = 2
Quantization = Literal["none", "4-bit", "8-bit"]
DtypeName = Literal["float32", "bfloat16", "float16"]
Verdict = Literal["machine", "not flagged", "too short to say", "longer than calibrated", "no score"]
Count = Annotated[int, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]
Rate = Annotated[float, Field(gt=0, lt=1)]


class _Part(BaseModel):
    """Base of the tables of the file. A key that it does not know is refused: it might change what is promised."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Binding(_Part):
    """The settings for which a threshold holds. With other settings the same text has another score."""

    observer: str
    performer: str
    observer_revision: str | None
    """Commit of a model of the Hub, or fingerprint of a directory; None where there is neither."""
    performer_revision: str | None
    dtype: DtypeName
    """dtype of the computation."""
    quantization: Quantization
    alignment: Alignment
    max_tokens: PositiveInt
    """Tokens after which a text was cut."""
    score: str
    """Name of the score, a key of `scoring.scores.SCORES`."""
    direction: Direction
    """Side on which machine text lies."""

    @field_validator("score")
    @classmethod
    def _known_score(cls, score: str) -> str:
        if score not in SCORES:
            raise ValueError(f"score {score!r} is unknown; known are {', '.join(SCORES)}")
        return score


class Promise(_Part):
    """At most a share `fpr` of new human texts is flagged. The share is kept with probability `confidence`."""

    fpr: Rate
    confidence: Rate


class LengthGroup(_Part):
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
        return self

    def holds(self, windows: int | None) -> bool:
        """Return whether the group is for texts of so many windows; None: for texts that are no windows."""
        if windows is None or self.min_windows is None or self.max_windows is None:
            return windows is None and self.min_windows is None
        return self.min_windows <= windows <= self.max_windows


class HeldOut(_Part):
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


class Population(_Part):
    """The texts that the thresholds were calibrated on. The promise is about texts like these."""

    datasets: tuple[str, ...]
    generators: tuple[str, ...]
    records: Count
    """Different records with human text in the calibrate part."""
    near_duplicates: Count | None
    """Records that were counted as one with another record. None: the texts were not there to compare."""
    length_tokens: tuple[int, int]
    """Shortest and longest human text of the calibrate part."""


class Probability(_Part):
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


class Calibration(_Part):
    """Thresholds by length, their promise, and the settings and texts for which they hold."""

    version: Literal[2]
    created_at: datetime
    binding: Binding
    promise: Promise | None
    """None in a published calibration, which promises nothing."""
    groups: tuple[LengthGroup, ...] = Field(min_length=1)
    population: Population
    held_out: tuple[HeldOut, ...] = ()
    fragments: Mapping[str, Any] | None = None
    """How the calibrated texts were cut: a level of the factor `fragments`. None: not known, or whole texts."""
    probability: Probability | None = None
    published: str | None = None
    """Where the thresholds come from and what is known of them, where they were not fitted by this project."""

    @model_validator(mode="after")
    def _promise_or_published(self) -> Self:
        if (self.promise is None) != (self.published is not None):
            raise ValueError("a calibration has a promise, or it says that and where it was published")
        return self

    @model_validator(mode="after")
    def _groups_in_order(self) -> Self:
        for shorter, longer in zip(self.groups, self.groups[1:], strict=False):
            follows = longer.min_tokens > shorter.max_tokens
            if shorter.max_windows is not None and longer.min_windows is not None:
                follows = longer.min_windows > shorter.max_windows
            if not follows:
                raise ValueError("groups must rise in length and may not overlap")
        return self

    @classmethod
    def read(cls, path: Path) -> "Calibration":
        """Read and validate a calibration file.

        Raises:
            CalibrationError: the file cannot be read, is cut off, is of another version, or has a wrong key or value.
        """
        try:
            content = path.read_bytes()
        except OSError as error:
            raise CalibrationError(
                f"calibration {path}: {error.strerror or error}; python -m analysis.thresholds RUN_DIR writes one"
            ) from error
        try:
            return cls.model_validate_json(content)
        except ValidationError as error:
            raise CalibrationError(f"calibration {path}: {_explain(error, content)}") from error

    @property
    def windows(self) -> int | None:
        """Words of a window, where the thresholds are for windows; else None."""
        fragments = self.fragments or {}
        return int(fragments.get("words", 0)) or None if fragments.get("mode") == "window" else None

    def group_for(self, length_tokens: int, windows: int | None = None) -> LengthGroup | None:
        """Return the group of a text of so many tokens; for a window, the windows of its text count, too."""
        groups = (group for group in self.groups if group.holds(windows))
        return next((group for group in groups if group.min_tokens <= length_tokens <= group.max_tokens), None)

    def verdict(self, score: float | None, length_tokens: int | None, windows: int | None = None) -> Verdict:
        """Return what can be said of a text with this score and length.

        Args:
            score: The score that `binding` names; None where the text has none.
            length_tokens: Tokens of the text as scored.
            windows: For a window of a text: how many windows of the text are looked at.
        """
        if score is None or length_tokens is None:
            return "no score"
        group = self.group_for(length_tokens, windows)
        if group is None:
            return "too short to say" if self._is_short(length_tokens, windows) else "longer than calibrated"
        beyond = score < group.threshold if self.binding.direction == "lower" else score > group.threshold
        return "machine" if beyond else "not flagged"

    def check(self, used: Binding) -> None:
        """Refuse scores that were made with other settings than the calibration.

        Raises:
            CalibrationError: a setting differs; the message lists every difference.
        """
        differences = [
            f"{key} is {value!r} here, {bound!r} in the calibration"
            for (key, value), (_, bound) in zip(used, self.binding, strict=True)
            if value != bound
        ]
        if differences:
            raise CalibrationError(
                f"the calibration is for other settings: {'; '.join(differences)}. Score with those of the calibration"
            )

    def _is_short(self, length_tokens: int, windows: int | None) -> bool:
        """Return whether a text outside all groups lies below the next longer group; a gap is below, too."""
        if windows is not None:
            return length_tokens < min(group.min_tokens for group in self.groups)
        return any(length_tokens < group.min_tokens for group in self.groups)


def _explain(error: ValidationError, content: bytes) -> str:
    first = error.errors()[0]
    key = ".".join(str(part) for part in first["loc"]) or "the file"
    if key == "version" or (b'"version"' not in content and b"fpr_target" in content):
        seen = repr(first["input"]) if first["type"] == "literal_error" else "1 or none"
        return f"version {seen} cannot be used, this program reads version {VERSION}; calibrate again from the run"
    if first["type"] == "json_invalid":
        return f"no whole JSON file ({first['msg']}); it may be cut off. Calibrate again from the run"
    return f"{key}: {first['msg'].removeprefix('Value error, ')}"
