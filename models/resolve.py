"""Resolve a model's name to the files that hold it: Hub id, directory, `dir#file.gguf` or `builtin://…`.

Knows nothing of devices, or of how weights get into memory. Every name resolves to a local directory before any clock
starts, so that a download never hides in a timing. Only safetensors and GGUF count as weights, because loading a pickle
runs code. Python files are fetched only for a name that lets them run (names.py).
"""

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from models.builtin import cache
from models.errors import ModelNameError, ModelUnavailable
from models.fingerprint import fingerprint
from models.names import BUILTIN, ModelName, parse
from models.presence import NO_WEIGHTS, missing_model

HUB_PATTERNS: Final = ("*.json", "*.safetensors", "*.model", "*.txt", "*.jinja")
WEIGHT_PATTERNS: Final = ("*.safetensors",)
CODE_PATTERN: Final = "*.py"


@dataclass(frozen=True)
class ModelFiles:
    """Files of a model on this machine."""

    name: str
    """The model's name, as the spec says it."""
    directory: Path
    gguf_file: str | None
    """File name inside `directory`, or None for safetensors."""
    revision: str | None
    """Hub commit, build id, or the fingerprint of a directory or file."""
    runs_code: bool = False
    """Code in `directory` may run: the name allows it, and `revision` is the commit that the name pins."""

    @property
    def weights(self) -> tuple[Path, ...]:
        """Return the weight files, sorted."""
        if self.gguf_file is not None:
            return (self.directory / self.gguf_file,)
        return tuple(sorted(self.directory.glob("*.safetensors")))


def resolve(text: str) -> ModelFiles:
    """Find the files of a model. A Hub id is fetched, a `builtin://` model is built, if they are not here yet.

    A plain `org/name` is never searched in the working directory: there it would mean another model than elsewhere.

    Raises:
        ModelNameError: the name is not valid.
        ModelUnavailable: the model is not here and cannot be fetched. The message says where it was searched.
    """
    name = parse(text)
    if name.place.startswith(BUILTIN):
        return _builtin(name)
    if name.is_path or name.gguf_file:
        return _local(name)
    return _hub(name)


def _builtin(name: ModelName) -> ModelFiles:
    """Return the files of a built-in model, built if they are not here yet."""
    directory = cache.model_directory(name.place.removeprefix(BUILTIN))
    return ModelFiles(name.text, directory, None, cache.BUILD_ID)


def _local(name: ModelName) -> ModelFiles:
    """Return the files of a directory, with their fingerprint as revision."""
    directory = Path(os.path.expanduser(name.directory))  # noqa: PTH111 - pathlib raises for an unknown user
    file = f"#{name.gguf_file}" if name.gguf_file else ""
    if reason := missing_model(f"{directory.absolute()}{file}"):
        raise ModelUnavailable(f"model {name.text!r}: {reason}")
    files = ModelFiles(name.text, directory, name.gguf_file, None)
    return replace(files, revision=fingerprint(files))


def _hub(name: ModelName) -> ModelFiles:
    """Return the files of a Hub id from the Hub cache, fetched if they are not here yet."""
    files = _snapshot(name, list(HUB_PATTERNS))
    if not files.weights:
        raise ModelUnavailable(f"model {name.text!r}: {NO_WEIGHTS.format(files.directory)}")
    return files


def _snapshot(name: ModelName, patterns: list[str]) -> ModelFiles:
    """Return the files of a Hub id that match the patterns, and its code if that may run."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    patterns = [*patterns, CODE_PATTERN] if name.runs_code else patterns
    try:
        directory = Path(snapshot_download(name.place, revision=name.revision, allow_patterns=patterns))
    except HFValidationError as error:
        raise ModelNameError(f"model {name.text!r} is no Hub id (org/name){_hint(name)}") from error
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        raise ModelUnavailable(
            f"model {name.text!r}: not in the Hub cache, and cannot be fetched: {_reason(error)}{_hint(name)}"
        ) from error
    return ModelFiles(name.text, directory, None, directory.name, name.runs_code)


def resolve_tokenizer(text: str) -> ModelFiles:
    """Find the files of a model's tokenizer. Of a Hub id no weights are fetched.

    Raises:
        ModelNameError, ModelUnavailable: as `resolve` does.
    """
    name = parse(text)
    if name.place.startswith(BUILTIN) or name.is_path or name.gguf_file:
        return resolve(text)
    return _snapshot(name, [pattern for pattern in HUB_PATTERNS if pattern not in WEIGHT_PATTERNS])


def _hint(name: ModelName) -> str:
    """Return a hint for a Hub id that is also the name of a directory here; '' for any other."""
    if os.path.isdir(name.directory):  # noqa: PTH112 - never raises, also for a name that is too long
        return f". There is a directory of that name here: write {'./' + name.directory!r} for it"
    return ""


def _reason(error: Exception) -> str:
    """Return a line that says why the Hub did not send a model. The Hub's own first line is often an HTTP status."""
    from huggingface_hub import errors

    match error:
        case errors.GatedRepoError():
            return "its owner restricts access: accept the terms on its page, and log in with `hf auth login`"
        case errors.RepositoryNotFoundError():
            return "the Hub has no such repository, or it is private and nobody is logged in here"
        case errors.RevisionNotFoundError():
            return "that repository has no such revision"
        case errors.LocalEntryNotFoundError():
            return "the Hub cannot be reached, or HF_HUB_OFFLINE is set"
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
