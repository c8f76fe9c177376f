"""`calibration.json`: the thresholds beyond which a text is flagged, what they promise, and what they are bound to.

`analysis.thresholds` writes the file, `scoring.detect` reads it. A threshold holds only for the settings in `binding`:
with other models, another dtype or another token limit the same text has another score. It is a promise about human
texts: at most a share `promise.fpr` of new human texts like those of `population` is flagged, with the confidence
`promise.confidence`. About a text that is not flagged it promises nothing. Imports no torch.
"""

from collections.abc import Mapping
from datetime import datetime
from math import isnan
from pathlib import Path
from typing import Any, Final, Literal, Self

from pydantic import Field, ValidationError, field_validator, model_validator

from scoring.calibration_tables import (
    Binding,
    CalibrationTable,
    HeldOut,
    LengthGroup,
    Population,
    Probability,
    Promise,
)
from scoring.errors import CalibrationError
from scoring.fragment_settings import WindowFragments, fragment_settings
from scoring.scores import SCORES

VERSION: Final = 2
Verdict = Literal["machine", "not flagged", "too short to say", "longer than calibrated", "no score"]


class Calibration(CalibrationTable):
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

    @field_validator("fragments")
    @classmethod
    def _known_fragments(cls, level: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
        if level is not None:
            fragment_settings(level)
        return level

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
            CalibrationError: the file cannot be read, is cut off, is of another version, has a wrong key or value, does
                not say for which settings it holds, or turns its score round.
        """
        try:
            content = path.read_bytes()
        except OSError as error:
            raise CalibrationError(
                f"calibration {path}: {error.strerror or error}; python -m analysis.thresholds RUN_DIR writes one"
            ) from error
        try:
            calibration = cls.model_validate_json(content)
        except ValidationError as error:
            raise CalibrationError(f"calibration {path}: {_explain(error, content)}") from error
        if calibration.published is None and (unknown := calibration.binding.unknown):
            raise CalibrationError(
                f"calibration {path}: binding does not say {', '.join(unknown)}, as the table that was calibrated in "
                "memory did not; calibrate the rows of a run"
            )
        binding = calibration.binding
        if binding.direction != (side := SCORES[binding.score].direction):
            raise CalibrationError(
                f"calibration {path}: binding.direction is {binding.direction!r}; by {binding.score} machine text is "
                f"{side or 'on no side that is known'}: every verdict would be wrong. Calibrate again from the run"
            )
        return calibration

    @property
    def windows(self) -> int | None:
        """Words of a window, where the thresholds are for windows; else None."""
        return self.window_settings.words if self.window_settings is not None else None

    @property
    def window_settings(self) -> WindowFragments | None:
        """How windows were cut, where the thresholds are for windows; else None."""
        settings = None if self.fragments is None else fragment_settings(self.fragments)
        return settings if isinstance(settings, WindowFragments) else None

    def group_for(self, length_tokens: int, windows: int | None = None) -> LengthGroup | None:
        """Return the group of a text of so many tokens; for a window, the windows of its text count, too."""
        groups = (group for group in self.groups if group.holds(windows))
        return next((group for group in groups if group.min_tokens <= length_tokens <= group.max_tokens), None)

    def verdict(self, score: float | None, length_tokens: int | None, windows: int | None = None) -> Verdict:
        """Return what can be said of a text with this score and length.

        Args:
            score: The score that `binding` names; None or NaN where the text has none.
            length_tokens: Tokens of the text as scored.
            windows: For a window of a text: how many windows of the text are looked at.
        """
        if score is None or isnan(score) or length_tokens is None:
            return "no score"
        group = self.group_for(length_tokens, windows)
        if group is None:
            return "too short to say" if self._is_short(length_tokens, windows) else "longer than calibrated"
        beyond = score < group.threshold if self.binding.direction == "lower" else score > group.threshold
        return "machine" if beyond else "not flagged"

    def check(self, used: Binding) -> None:
        """Refuse scores that were made with other settings than the calibration.

        A published calibration may not say of which revision a model was; then every revision passes.

        Raises:
            CalibrationError: a setting differs; the message lists every difference.
        """
        differences = [
            f"{key} is {value!r} here, {bound!r} in the calibration"
            for (key, value), (_, bound) in zip(used, self.binding, strict=True)
            if value != bound and not (bound is None and self.published is not None)
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
