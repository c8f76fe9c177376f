"""From a model's name to the files that hold it: Hub id, directory, `dir#file.gguf` or `builtin://…`.

Knows nothing of devices or of how weights get into memory. Everything resolves to a local directory before
any clock starts, so that a download never hides in a timing. Only safetensors and GGUF count as weights:
pickles execute code. Python files are fetched only for a name that lets them run (names.py).
"""

from dataclasses import dataclass, replace
from pathlib import Path

from huggingface_hub import snapshot_download
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

from models import embedded
from models.errors import ModelUnavailable
from models.names import BUILTIN, ModelName, parse

HUB_PATTERNS = ["*.json", "*.safetensors", "*.model", "*.txt", "*.jinja"]
CODE_PATTERN = "*.py"


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
    runs_code: bool = False
    """Whether code that lies there may run: the name says so, and `revision` is the commit that it pins."""

    @property
    def weights(self) -> tuple[Path, ...]:
        """The weight files, sorted."""
        if self.gguf_file is not None:
            return (self.directory / self.gguf_file,)
        return tuple(sorted(self.directory.glob("*.safetensors")))


def resolve(text: str) -> ModelFiles:
    """Find (for a Hub id: fetch, for `builtin://`: build) the files of a name.

    Raises:
        ModelNameError: it is no name.
        ModelUnavailable: nothing of that name can be had here; the message says where was looked.
    """
    name = parse(text)
    if name.place.startswith(BUILTIN):
        return _builtin(name)
    directory = Path(name.directory).expanduser()
    if name.gguf_file or (directory.is_dir() and not name.runs_code):
        return _local(text, directory, name.gguf_file)
    if name.is_path:
        raise ModelUnavailable(f"model {text!r}: no such directory on this machine")
    return _hub(name)


def _builtin(name: ModelName) -> ModelFiles:
    directory = embedded.model_directory(name.place.removeprefix(BUILTIN))
    return ModelFiles(name.text, directory, None, embedded.BUILD_ID)


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


def _hub(name: ModelName) -> ModelFiles:
    patterns = [*HUB_PATTERNS, CODE_PATTERN] if name.runs_code else HUB_PATTERNS
    try:
        directory = Path(snapshot_download(name.place, revision=name.revision, allow_patterns=patterns))
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ModelUnavailable(
            f"model {name.text!r}: not a directory here, not in the Hub cache, and not to be fetched ({reason})"
        ) from error
    return replace(_local(name.text, directory, None), revision=directory.name, runs_code=name.runs_code)
