"""From a model's name to the files that hold it: Hub id, directory, `dir#file.gguf` or `builtin://…`.

Knows nothing of devices or of how weights get into memory. Everything resolves to a local directory before
any clock starts, so that a download never hides in a timing. Only safetensors and GGUF count as weights:
pickles execute code.
"""

from dataclasses import dataclass
from pathlib import Path

from huggingface_hub import snapshot_download
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

from models import embedded
from models.errors import ModelUnavailable

BUILTIN = "builtin://"
HUB_PATTERNS = ["*.json", "*.safetensors", "*.model", "*.txt", "*.jinja"]


@dataclass(frozen=True)
class ModelFiles:
    """Where a model's files lie on this machine."""

    name: str
    """As the spec says it."""
    directory: Path
    gguf_file: str | None
    """File name inside `directory`, or None for safetensors."""
    revision: str | None
    """Hub commit or build id; None for a directory, which has none."""

    @property
    def weights(self) -> tuple[Path, ...]:
        """The weight files, sorted."""
        if self.gguf_file is not None:
            return (self.directory / self.gguf_file,)
        return tuple(sorted(self.directory.glob("*.safetensors")))


def resolve(name: str) -> ModelFiles:
    """Find (for a Hub id: fetch, for `builtin://`: build) the files of `name`.

    Raises:
        ModelUnavailable: nothing of that name can be had here; the message says where was looked.
    """
    if name.startswith(BUILTIN):
        return _builtin(name)
    path, _, gguf_file = name.partition("#")
    if gguf_file or Path(path).expanduser().is_dir():
        return _local(name, Path(path).expanduser(), gguf_file or None)
    if name.startswith(("/", ".", "~")):
        raise ModelUnavailable(f"model {name!r}: no such directory on this machine")
    return _hub(name)


def _builtin(name: str) -> ModelFiles:
    key = name.removeprefix(BUILTIN)
    if key not in embedded.MODELS:
        known = ", ".join(BUILTIN + model for model in embedded.MODELS)
        raise ModelUnavailable(f"model {name!r} is not built in; built in are {known}")
    return ModelFiles(name, embedded.model_directory(key), None, embedded.BUILD_ID)


def _local(name: str, directory: Path, gguf_file: str | None) -> ModelFiles:
    files = ModelFiles(name, directory, gguf_file, None)
    if gguf_file is not None and not gguf_file.endswith(".gguf"):
        raise ModelUnavailable(f"model {name!r}: what follows '#' must be a .gguf file, not {gguf_file!r}")
    missing = [weight for weight in files.weights if not weight.is_file()]
    if missing:
        raise ModelUnavailable(f"model {name!r}: no file {missing[0]}")
    if not files.weights:
        raise ModelUnavailable(
            f"model {name!r}: no *.safetensors in {directory} (pickled weights are not loaded: they run code)"
        )
    return files


def _hub(name: str) -> ModelFiles:
    repository, _, revision = name.partition("@")
    try:
        directory = Path(snapshot_download(repository, revision=revision or None, allow_patterns=HUB_PATTERNS))
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ModelUnavailable(
            f"model {name!r}: not a directory here, not in the Hub cache, and not to be fetched ({reason})"
        ) from error
    return _local_snapshot(name, directory)


def _local_snapshot(name: str, directory: Path) -> ModelFiles:
    files = _local(name, directory, None)
    return ModelFiles(name, files.directory, None, directory.name)
