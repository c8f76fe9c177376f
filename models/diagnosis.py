"""Find out why a model's files cannot be loaded, after a library has failed to load them.

The messages of the libraries seldom name the file. Nothing here runs when loading succeeds. An error that no file
explains (out of memory, a time limit) is raised again as it was.
"""

import json
import logging
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from safetensors import SafetensorError, safe_open
from tokenizers import Tokenizer
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

from models.errors import ModelDamaged, ModelError, ModelUnavailable, ModelUnsupported
from models.names import TRUST
from models.resolve import ModelFiles

TOKENIZER_FILES: Final = (
    "tokenizer.json",
    "tokenizer.model",
    "spiece.model",
    "tekken.json",
    "vocab.json",
    "vocab.txt",
    "tiktoken.model",
)
"""Files that a tokenizer can be made from: one of them must be there."""
WEIGHTS: Final = "model.safetensors"
INDEX: Final = "model.safetensors.index.json"
GGUF_MAGIC: Final = b"GGUF"
REMEDY: Final = "copy or download it again"
CODE_REFERENCES: Final = ("config.json", "tokenizer_config.json")
TO_TRUST: Final = f"code that comes with a model runs only where its name ends in @<commit>{TRUST}"
MAX_SHOWN: Final = 3
_REPORT_LOGGER: Final = logging.getLogger("transformers.modeling_utils")
_COLOUR: Final = re.compile(r"\x1b\[[0-9;]*m")


@contextmanager
def tokenizer_explained(files: ModelFiles) -> Iterator[None]:
    """Explain errors of the block, in which the tokenizer of `files` is loaded.

    Raises:
        ModelUnavailable: a file is missing.
        ModelDamaged: a file is damaged.
        ModelUnsupported: no installed library can read this kind of tokenizer or model.
    """
    with _explained(files, _explain_tokenizer):
        yield


@contextmanager
def weights_explained(files: ModelFiles) -> Iterator[None]:
    """Explain errors of the block, in which the weights of `files` are loaded; raises as `tokenizer_explained` does."""
    with _explained(files, _explain_weights), _with_load_report():
        yield


def refuse_foreign_code(files: ModelFiles) -> None:
    """Refuse a model that may run its code if the code lies in another repository, because no commit pins that code.

    Raises:
        ModelUnsupported: an entry leads to another repository. The message names the file and the entry.
    """
    for path in (files.directory / name for name in CODE_REFERENCES) if files.runs_code else ():
        for entry in re.findall(r'"([^"]*--[^"]*)"', _auto_map(path)):
            raise ModelUnsupported(
                f"model {files.name!r}: {path} takes code from another repository, {entry!r}, which its commit does "
                "not pin; such code is not run"
            )


def _auto_map(path: Path) -> str:
    """Return the file's `auto_map` (where the model's classes are) as JSON; '' if the file has none or is damaged."""
    try:
        return json.dumps(json.loads(path.read_bytes()).get("auto_map", ""))
    except (OSError, ValueError, AttributeError):  # loading the file gives the better message
        return ""


@contextmanager
def _explained(files: ModelFiles, explain: Callable[[ModelFiles, Exception], None]) -> Iterator[None]:
    """Look for the cause of an error in the files; raise the error again where no file explains it."""
    try:
        yield
    except ModelError:
        raise
    except Exception as error:
        if files.gguf_file is None:
            _explain_config(files, error)
            explain(files, error)
        else:
            _explain_gguf(files, error)
        if isinstance(error, ImportError):
            raise ModelUnsupported(f"model {files.name!r}: {error}") from error
        raise


@contextmanager
def _with_load_report() -> Iterator[None]:
    """Add the load report to an error: transformers logs why weights could not be converted, and raises 'see above'.

    Running out of memory while weights are quantized is in that report. The worker recognizes it by these words.
    """
    reports: list[str] = []

    def keep(record: logging.LogRecord) -> bool:
        message = _COLOUR.sub("", record.getMessage())
        is_report = "LOAD REPORT" in message
        if is_report:
            reports.append(message)
        return not is_report

    _REPORT_LOGGER.addFilter(keep)
    try:
        yield
    except RuntimeError as error:
        if not reports:
            raise
        raise RuntimeError(f"{error}\n{reports[-1]}") from error
    finally:
        _REPORT_LOGGER.removeFilter(keep)


def _explain_config(files: ModelFiles, error: Exception) -> None:
    """Raise if config.json is missing or damaged, or names a model type that transformers does not have."""
    path = files.directory / "config.json"
    if not path.is_file():
        raise _unavailable(files, "config.json") from error
    model_type = _read_object(files, path, error).get("model_type")
    if model_type not in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES and not files.runs_code:
        raise ModelUnsupported(
            f"model {files.name!r}: {path} says model_type {model_type!r}; the installed transformers has no "
            f"causal language model of that type ({TO_TRUST})"
        ) from error


def _explain_tokenizer(files: ModelFiles, error: Exception) -> None:
    """Raise if the tokenizer's files are missing or damaged, or are of a kind that no library here reads."""
    if "trust_remote_code" in str(error):
        raise ModelUnsupported(
            f"model {files.name!r}: its tokenizer needs code that comes with it ({TO_TRUST})"
        ) from error
    present = [name for name in TOKENIZER_FILES if (files.directory / name).is_file()]
    if not present:
        raise _unavailable(files, f"tokenizer (one of {', '.join(TOKENIZER_FILES)})") from error
    for name in ("tokenizer_config.json", "special_tokens_map.json"):
        if (files.directory / name).is_file():
            _read_object(files, files.directory / name, error)
    if "tokenizer.json" not in present:
        raise ModelUnsupported(
            f"model {files.name!r}: no tokenizer can be made from {', '.join(present)} in {files.directory}: {error}"
        ) from error
    path = files.directory / "tokenizer.json"
    try:
        Tokenizer.from_file(str(path))
    except Exception as reason:  # noqa: BLE001 - the library raises no narrower type
        raise _damaged(files, path, reason) from error


def _explain_weights(files: ModelFiles, error: Exception) -> None:
    """Raise if a weight file is missing or damaged."""
    index = files.directory / INDEX
    names = {WEIGHTS}
    if index.is_file():
        names = set(_read_object(files, index, error).get("weight_map", {}).values())
    missing = sorted(name for name in names if not (files.directory / name).is_file())
    if missing:
        raise _unavailable(files, ", ".join(missing[:MAX_SHOWN])) from error
    for name in sorted(names):
        path = files.directory / name
        try:
            with safe_open(path, framework="pt"):
                pass  # opening checks the file's size against its header
        except SafetensorError as reason:
            raise _damaged(files, path, reason) from error


def _explain_gguf(files: ModelFiles, error: Exception) -> None:
    """Raise if the file does not begin as a GGUF file does."""
    (path,) = files.weights
    with path.open("rb") as file:
        if file.read(len(GGUF_MAGIC)) != GGUF_MAGIC:
            raise _damaged(files, path, "the file does not begin as a GGUF file does") from error


def _read_object(files: ModelFiles, path: Path, error: Exception) -> dict[str, Any]:
    """Return the object that a JSON file holds; raise ModelDamaged if there is none."""
    try:
        content = json.loads(path.read_bytes())
    except ValueError as reason:  # not JSON, or not even text
        raise _damaged(files, path, f"not JSON: {reason}") from error
    if not isinstance(content, dict):
        raise _damaged(files, path, "not a JSON object") from error
    return content


def _damaged(files: ModelFiles, path: Path, reason: object) -> ModelDamaged:
    """Return the exception for a damaged file."""
    return ModelDamaged(f"model {files.name!r}: {path} is damaged ({reason}); {REMEDY}")


def _unavailable(files: ModelFiles, what: str) -> ModelUnavailable:
    """Return the exception for a missing file."""
    return ModelUnavailable(f"model {files.name!r}: no {what} in {files.directory}; put it there")
