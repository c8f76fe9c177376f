"""`calibration.json`: the threshold below which a text counts as machine-made, and the pair it was measured with.

`analysis.thresholds` will write the file; this module reads it. A threshold holds only for the pair, dtype,
quantization and alignment that it was chosen with: the paper's own thresholds are wrong for every other pair.
"""

from datetime import datetime
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveInt, ValidationError

from scoring.errors import CalibrationError
from scoring.results import Alignment

Quantization = Literal["none", "4-bit", "8-bit"]
Verdict = Literal["machine", "human"]


class LengthThreshold(BaseModel):
    """A threshold for texts of `min_words` to `max_words` words, both included."""

    model_config = ConfigDict(frozen=True)

    min_words: PositiveInt
    max_words: PositiveInt
    threshold: float


class Binding(BaseModel):
    """The settings for which a threshold holds. With other settings the same text has another score."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    observer: str
    performer: str
    dtype: Literal["float32", "bfloat16", "float16"]
    """dtype of the computation."""
    quantization: Quantization
    alignment: Alignment


class Calibration(Binding):
    """A threshold and the settings for which it holds. Other keys of the file are for human readers."""

    threshold: float = Field(gt=0)
    direction: Literal["score <= threshold is machine"] = "score <= threshold is machine"
    fpr_target: float = Field(gt=0, lt=1)
    """False-positive rate (FPR) for which the threshold was chosen."""
    by_length: tuple[LengthThreshold, ...] = ()
    """Thresholds by length of the text. `threshold` is for lengths that none of them covers."""
    created_at: datetime

    @classmethod
    def read(cls, path: Path) -> "Calibration":
        """Read and validate a calibration file.

        Raises:
            CalibrationError: the file cannot be read, is no JSON, or lacks a key or has a wrong value.
        """
        try:
            return cls.model_validate_json(path.read_bytes())
        except OSError as error:
            raise CalibrationError(
                f"calibration {path}: {error.strerror or error}; analysis.thresholds, which writes such files, is "
                "still to come"
            ) from error
        except ValidationError as error:
            first = error.errors()[0]
            key = ".".join(str(part) for part in first["loc"]) or "the file"
            raise CalibrationError(f"calibration {path}: {key}: {first['msg']}") from error

    def threshold_for(self, words: int | None) -> float:
        """Return the threshold for a text of so many words."""
        fitting = (part for part in self.by_length if words and part.min_words <= words <= part.max_words)
        part = next(fitting, None)
        return self.threshold if part is None else part.threshold

    def verdict(self, score: float | None, words: int | None) -> Verdict | None:
        """Return who wrote a text of this score and length; None without a score."""
        if score is None:
            return None
        return "machine" if score <= self.threshold_for(words) else "human"

    def check(self, used: Binding) -> None:
        """Refuse scores that were made with other settings than the calibration.

        Raises:
            CalibrationError: a setting differs; the message lists every difference.
        """
        differences = [
            f"{key} is {value!r} here, {getattr(self, key)!r} in the calibration"
            for key, value in used
            if value != getattr(self, key)
        ]
        if differences:
            raise CalibrationError(
                f"the calibration is for other settings: {'; '.join(differences)}. Score with those of the calibration"
            )
