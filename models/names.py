"""Names of models: each says where the model is, its revision, its file, and whether the model's own code may run.

    org/name    org/name@revision    org/name@commit?trust_remote_code
    /directory   ./directory   ~/directory   directory#file.gguf    builtin://name

A name means the same wherever it is read. `org/name` is always a Hub id. A directory is a name that begins with `/`,
`.` or `~`, or that ends in `#file.gguf`. `anchored` makes relative names absolute, once; only this function looks at
the disk. The permission to run code is part of the name: it is given for one model at one commit, and stands in every
row of that model.
"""

import difflib
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from models.errors import ModelNameError

BUILTIN: Final = "builtin://"
BUILT_IN: Final = ("tiny-base", "tiny-instruct")
TRUST: Final = "?trust_remote_code"
GGUF: Final = ".gguf"
LONGEST: Final = 4096
"""Characters of a name: the longest path on Linux."""
_PATHS: Final = ("/", ".", "~")
_SHOWN: Final = 80
_COMMIT: Final = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True)
class ModelName:
    """Parts of a model's name."""

    text: str
    """The whole name, as the spec says it."""
    place: str
    """Hub id, directory or `builtin://name`."""
    revision: str | None
    """Branch, tag or commit, of a Hub id only."""
    gguf_file: str | None
    runs_code: bool
    """Code that comes with the model may run here, with all rights of the user."""

    @property
    def directory(self) -> str:
        """Return the name as a path, without its GGUF file; an `@` is part of the path."""
        return self.text if self.gguf_file is None else self.text[: -len(self.gguf_file) - 1]

    @property
    def is_path(self) -> bool:
        """Tell whether the name can only be a path."""
        return self.place.startswith(_PATHS)


def parse(text: str) -> ModelName:
    """Return the parts of a name. No file is looked at.

    Raises:
        ModelNameError: the name is empty, is too long, cannot be written to a file, is not built in, or would run code
            that no commit pins.
    """
    _refuse_odd(text)
    whole, trust, rest = text.partition(TRUST)
    place, gguf_file = _without_file(whole)
    revision = ""
    if not place.startswith((BUILTIN, *_PATHS)):
        place, _, revision = place.partition("@")
    if not place or rest:
        raise ModelNameError(f"{text!r} is no model: write org/name, org/name@revision, a directory or {BUILTIN}…")
    name = ModelName(text, place, revision or None, gguf_file, bool(trust))
    if name.runs_code and (gguf_file or not _COMMIT.fullmatch(revision)):
        raise ModelNameError(
            f"{text!r} would run whatever code is there on the day of the run; pin the commit that you have read, "
            f"as org/name@<its 40 hex digits>{TRUST} (a directory or a file has no commit: use the Hub id)"
        )
    if not name.is_path and "#" in place + revision:
        raise ModelNameError(
            f"{text!r} is no model: what follows '#' must be a {GGUF} file, as in ./directory#q4{GGUF}"
        )
    if place.startswith(BUILTIN):
        _refuse_not_built_in(name)
    return name


def check(text: str) -> str:
    """Return a name unchanged if it is valid; raises as `parse` does."""
    return parse(text).text


def anchored(text: str, base: Path) -> str:
    """Return a name that means the same from any directory: a directory as an absolute path, other names unchanged.

    A name is a directory if it can only be a path (`./m`, `../m`, `~/m`, `m#q4.gguf`), or if `base` holds a directory
    of that name (`m`, `org/name`). Symbolic links are not followed. `#file.gguf` is kept.

    Args:
        text: the name as the user wrote it.
        base: directory for relative paths: that of the spec, or the working directory of the command.

    Raises:
        ModelNameError: the name is not valid, or begins with `~user` of a user that this machine does not know.
    """
    name = parse(text)
    if name.place.startswith(BUILTIN) or name.runs_code:
        return text
    path = os.path.expanduser(name.directory)  # noqa: PTH111 - pathlib raises RuntimeError for an unknown user
    if path.startswith("~"):
        raise ModelNameError(f"model {text!r}: this machine knows no home directory for {path.split('/')[0]!r}")
    path = "/" + os.path.normpath(base.absolute() / path).lstrip("/")  # normpath keeps two leading slashes
    if name.gguf_file is not None:
        return f"{path}#{name.gguf_file}"
    return path if name.is_path or os.path.isdir(path) else text  # noqa: PTH112 - never raises, also for a name that is too long


def _without_file(whole: str) -> tuple[str, str | None]:
    """Return place and GGUF file of a name. A `#` may also be part of a directory's name."""
    place, mark, file = whole.rpartition("#")
    return (place, file) if mark and len(file) > len(GGUF) and file.lower().endswith(GGUF) else (whole, None)


def _refuse_odd(text: str) -> None:
    """Raise ModelNameError for a name that is too long or that cannot be written to a file."""
    shown = f"{text[:_SHOWN]!r}{'…' if len(text) > _SHOWN else ''}"
    if len(text) > LONGEST:
        raise ModelNameError(f"{shown} is no model: {len(text)} characters, and a name has {LONGEST} at most")
    if "\0" in text or any("\ud800" <= character <= "\udfff" for character in text):
        raise ModelNameError(f"{shown} is no model: it holds a null byte or half a character; rename the directory")


def _refuse_not_built_in(name: ModelName) -> None:
    """Raise ModelNameError for a `builtin://` name that is no built-in model."""
    model = name.place.removeprefix(BUILTIN)
    if name.gguf_file is not None:
        raise ModelNameError(f"model {name.text!r}: a built-in model has no {GGUF} files; write {name.place!r}")
    if model not in BUILT_IN:
        near = difflib.get_close_matches(model, BUILT_IN, n=1)
        hint = f" (did you mean {BUILTIN + near[0]!r}?)" if near else ""
        known = ", ".join(BUILTIN + name for name in BUILT_IN)
        raise ModelNameError(f"model {name.text!r} is not built in{hint}; built in are {known}")
