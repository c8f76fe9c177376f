"""Settings of the scorer: those of the options, else those of the calibration, else defaults. Loads nothing."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from pydantic import ValidationError

from models.names import BUILTIN, anchored, parse
from scoring.calibration import Calibration
from scoring.calibration_tables import Binding, Quantization
from scoring.corpora.settings import CorpusSettings
from scoring.detection.inputs import TextColumns
from scoring.errors import CalibrationError, ScoringError
from scoring.results import Alignment
from scoring.scores import SCORES
from scoring.wording import did_you_mean

if TYPE_CHECKING:
    from models.resolve import ModelFiles
    from scoring.binoculars import Binoculars

Dtype = Literal["auto", "float32", "bfloat16", "float16"]
DEMO_PAIR: Final = ("builtin://tiny-base", "builtin://tiny-instruct")
MAX_TOKENS: Final = 512
"""Tokens after which the authors' code cuts a text."""
COMMIT: Final = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True)
class Options:
    """Settings of the scorer as the user gives them; None: not given."""

    observer: str | None = None
    performer: str | None = None
    alignment: Alignment | None = None
    dtype: Dtype | None = None
    quantization: Quantization | None = None
    max_tokens: int | None = None
    score: str | None = None


@dataclass(frozen=True)
class ScorerSettings:
    """Settings in effect."""

    models: tuple[str, str]
    """Observer and performer. A model of the Hub is pinned to the commit that the calibration names."""
    score: str
    """Name of the score that is shown and judged."""
    is_demo: bool = False
    """True where nobody named a pair."""
    alignment: Alignment = "reference"
    dtype: Dtype = "auto"
    quantization: Quantization = "none"
    max_tokens: int = MAX_TOKENS

    @property
    def arguments(self) -> Mapping[str, Any]:
        """Return the keyword arguments of `Binoculars`."""
        return {
            "alignment": self.alignment,
            "dtype": self.dtype,
            "quantization": self.quantization,
            "max_tokens": self.max_tokens,
            "panel": SCORES[self.score].needs_panel,
        }


def scorer_settings(options: Options, calibration: Calibration | None) -> ScorerSettings:
    """Return the settings in effect.

    Raises:
        ScoringError: one model of two is named, the score is unknown, or the calibration does not say its settings.
        ModelNameError: a model's name is not valid.
    """
    if options.score is not None and options.score not in SCORES:
        raise ScoringError(
            f"--score {options.score!r} is unknown{did_you_mean(options.score, SCORES)}; known are {', '.join(SCORES)}"
        )
    if calibration is not None:
        _refuse_unsaid(calibration.binding)
    models = _models(options, calibration)
    settings = ScorerSettings(models or DEMO_PAIR, "score", is_demo=models is None)
    names = ("alignment", "dtype", "quantization", "max_tokens", "score")
    bound = {} if calibration is None else {name: getattr(calibration.binding, name) for name in names}
    given = {name: value for name in names if (value := getattr(options, name)) is not None}
    return replace(settings, **(bound | given))


def text_columns(text: str, record_id: str | None, encoding: str | None, delimiter: str | None) -> TextColumns:
    """Return the columns and the format of records, as the options name them.

    Raises:
        ScoringError: an option has a value that is not allowed.
    """
    mark = "\t" if delimiter == "\\t" else delimiter
    try:
        settings = CorpusSettings(path=".", text=text, id=record_id, encoding=encoding, delimiter=mark)
    except ValidationError as error:
        raise ScoringError("--" + str(error.errors()[0]["msg"]).removeprefix("Value error, ")) from error
    return TextColumns(text, record_id, settings.dialect)


def settings_used(scorer: "Binoculars", settings: ScorerSettings, calibration: Calibration | None) -> dict[str, Any]:
    """Return the settings that took effect, by the keys of a calibration's binding but `direction`."""
    pair = scorer.pair
    binding = calibration.binding if calibration is not None else None
    bound = (binding.observer, binding.performer) if binding is not None else (None, None)
    revisions = (binding.observer_revision, binding.performer_revision) if binding is not None else (None, None)
    files = pair.observer.files, pair.performer.files
    names = [_name_as_bound(*each) for each in zip(files, bound, revisions, strict=True)]
    return {
        "observer": names[0],
        "performer": names[1],
        "observer_revision": files[0].revision,
        "performer_revision": files[1].revision,
        "dtype": pair.performer.dtype_name,
        "quantization": pair.performer.quantization,
        "alignment": scorer.alignment,
        "max_tokens": settings.max_tokens,
        "score": settings.score,
    }


def refuse_other_options(settings: ScorerSettings, calibration: Calibration) -> None:
    """Refuse options that cannot fit the calibration, before models are loaded.

    Raises:
        CalibrationError: a setting differs; the message lists every difference that is known without the models.
    """
    binding = calibration.binding
    known = {name: getattr(settings, name) for name in ("alignment", "quantization", "max_tokens", "score")}
    known |= {} if settings.dtype == "auto" else {"dtype": settings.dtype}
    revisions = {"observer": binding.observer_revision, "performer": binding.performer_revision}
    for (role, revision), model in zip(revisions.items(), settings.models, strict=True):
        bound = getattr(binding, role)
        if model not in (bound, f"{bound}@{revision}") and not (_is_path(model) and _is_path(bound)):
            known[role] = model
    calibration.check(binding.model_copy(update=known))


def refuse_other_settings(used: Mapping[str, Any], calibration: Calibration) -> None:
    """Refuse a scorer whose settings are not those of the calibration.

    Raises:
        CalibrationError: a setting differs; the message lists every difference.
    """
    calibration.check(Binding.model_validate({**used, "direction": calibration.binding.direction}))


def refuse_prior_without_curve(prior: float | None, calibration: Calibration | None) -> None:
    """Refuse a prior where no probability can be computed from it.

    Raises:
        CalibrationError: the prior is no share between 0 and 1, or there is no calibration with a curve.
    """
    if prior is None:
        return
    if not 0 < prior < 1:
        raise CalibrationError(
            f"--prior is {prior:g}; give the share of machine texts that you expect, above 0 and below 1"
        )
    if calibration is None:
        raise CalibrationError("--prior needs a --calibration: the probability comes from its curve")
    if calibration.probability is None:
        raise CalibrationError(
            "--prior: this calibration has no curve of probabilities. Leave --prior out, or calibrate again with "
            "records to fit the curve on: python -m analysis.thresholds RUN_DIR --split 0.2,0.4,0.4"
        )


def _refuse_unsaid(binding: Binding) -> None:
    """Refuse a calibration that does not say for which settings it is: one that was made of a table in memory."""
    needed = ("observer", "performer", "dtype", "quantization", "alignment", "max_tokens")
    unsaid = [name for name in needed if getattr(binding, name) is None]
    if unsaid:
        raise CalibrationError(
            f"the calibration does not say its {', '.join(unsaid)}, as the table that it was made of did not; texts "
            "scored here may have other scores. Calibrate from a run: python -m analysis.thresholds RUN_DIR"
        )


def _models(options: Options, calibration: Calibration | None) -> tuple[str, str] | None:
    """Return the pair that the options, or else the calibration, name; None where neither does."""
    here = Path.cwd()
    observer, performer = (name and anchored(name, here) for name in (options.observer, options.performer))
    if calibration is not None:
        bound = calibration.binding
        names = bound.observer or "", bound.performer or ""  # never empty: `_refuse_unsaid` came first
        return (
            _pinned(observer or names[0], names[0], bound.observer_revision),
            _pinned(performer or names[1], names[1], bound.performer_revision),
        )
    if observer and performer:
        return observer, performer
    if observer or performer:
        raise ScoringError("name both --observer and --performer, or neither")
    return None


def _pinned(name: str, bound: str, revision: str | None) -> str:
    """Return a model of the Hub at the commit of the calibration: its newest commit may be another model."""
    if name != bound or revision is None or not COMMIT.fullmatch(revision):
        return name
    parsed = parse(name)
    is_on_hub = not (parsed.is_path or parsed.gguf_file or name.startswith(BUILTIN))
    return f"{name}@{revision}" if is_on_hub and parsed.revision is None else name


def _name_as_bound(files: "ModelFiles", bound: str | None, revision: str | None) -> str:
    """Return the model's name; that of the calibration where both name the same model.

    A directory that was copied or moved is the same model: its revision is the fingerprint of its content.
    """
    if bound is None or files.name == bound:
        return files.name
    is_copy = files.revision is not None and files.revision == revision and _is_path(files.name) and _is_path(bound)
    return bound if is_copy or files.name == f"{bound}@{revision}" else files.name


def _is_path(name: str) -> bool:
    return parse(name).is_path
