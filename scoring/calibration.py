"""`calibration.json`: which scores count as machine-made, and for what pair that was measured.

Written by `analysis.thresholds`, read here. A threshold holds for the pair, dtype, quantization and alignment
that it was chosen with, and for nothing else: the paper's own numbers are off for every other pair.
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
    """What a threshold is bound to: with anything else of these, scores are other numbers."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    observer: str
    performer: str
    dtype: Literal["float32", "bfloat16", "float16"]
    """Of the computation."""
    quantization: Quantization
    alignment: Alignment


class Calibration(Binding):
    """A threshold and what it is bound to; keys beyond these are for human readers."""

    threshold: float = Field(gt=0)
    direction: Literal["score <= threshold is machine"] = "score <= threshold is machine"
    fpr_target: float = Field(gt=0, lt=1)
    """False-positive rate that the threshold was chosen for."""
    by_length: tuple[LengthThreshold, ...] = ()
    """Used where a text's length falls into one; `threshold` elsewhere."""
    created_at: datetime

    @classmethod
    def read(cls, path: Path) -> "Calibration":
        """Read and validate a file.

        Raises:
            CalibrationError: not there, no JSON, or a key is missing or wrong.
        """
        try:
            return cls.model_validate_json(path.read_bytes())
        except OSError as error:
            raise CalibrationError(
                f"calibration {path}: {error.strerror or error}; what writes one, analysis.thresholds, is still to come"
            ) from error
        except ValidationError as error:
            first = error.errors()[0]
            key = ".".join(str(part) for part in first["loc"]) or "the file"
            raise CalibrationError(f"calibration {path}: {key}: {first['msg']}") from error

    def threshold_for(self, words: int | None) -> float:
        """The threshold for a text of that many words."""
        fitting = (part for part in self.by_length if words and part.min_words <= words <= part.max_words)
        part = next(fitting, None)
        return self.threshold if part is None else part.threshold

    def verdict(self, score: float | None, words: int | None) -> Verdict | None:
        """What a score says about who wrote it; None without a score."""
        if score is None:
            return None
        return "machine" if score <= self.threshold_for(words) else "human"

    def check(self, used: Binding) -> None:
        """Refuse to judge scores that were made with anything else than the calibration was.

        Raises:
            CalibrationError: with every difference.
        """
        differences = [
            f"{key} is {value!r} here, {getattr(self, key)!r} in the calibration"
            for key, value in used
            if value != getattr(self, key)
        ]
        if differences:
            raise CalibrationError(
                f"the calibration is for something else: {'; '.join(differences)}. Score with what it was made with"
            )
