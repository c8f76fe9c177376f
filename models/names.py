"""What a model's name says: where it is, at which revision, which file of it, and whether code of its own may run.

    org/name    org/name@revision    org/name@commit?trust_remote_code
    /directory   ./directory   ~/directory   directory#file.gguf    builtin://name

A name means one thing wherever it is read: `org/name` is always a Hub id, and a directory is a name that begins with
`/`, `.` or `~`, or that ends in `#file.gguf`. What a user writes relative to a place is made absolute once, by
`anchored`, which alone looks at the disk. The permission to run code is part of the name, so that it is given for one
model at one commit and stands in every row that it had a part in.
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
"""Characters of a name: what Linux takes as a path."""
_PATHS: Final = ("/", ".", "~")
_SHOWN: Final = 80
_COMMIT: Final = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True)
class ModelName:
    """A name, taken apart."""

    text: str
    """As the spec says it."""
    place: str
    """Hub id, directory or `builtin://name`."""
    revision: str | None
    """Branch, tag or commit, of a Hub id only."""
    gguf_file: str | None
    runs_code: bool
    """Whether code that comes with the model may run here, with all rights of the user."""

    @property
    def directory(self) -> str:
        """What it would be as a directory, an `@` in its path included."""
        return self.text if self.gguf_file is None else self.text[: -len(self.gguf_file) - 1]

    @property
    def is_path(self) -> bool:
        """Whether it can be nothing but a path."""
        return self.place.startswith(_PATHS)


def parse(text: str) -> ModelName:
    """Take a name apart; looks at no file.

    Raises:
        ModelNameError: empty, too long, not text that can be written to a file, not built in, or code is to run that
            no commit pins.
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
            f"{text!r} would run whatever code is in that place on the day of the run; pin the commit that you have "
            f"read, as org/name@<its 40 hex digits>{TRUST} (a directory or a file has none: use the Hub's id)"
        )
    if not name.is_path and "#" in place + revision:
        raise ModelNameError(
            f"{text!r} is no model: what follows '#' must be a {GGUF} file, as in ./directory#q4{GGUF}"
        )
    if place.startswith(BUILTIN):
        _refuse_not_built_in(name)
    return name


def check(text: str) -> str:
    """The name itself, if it is one; raises as `parse` does."""
    return parse(text).text


def anchored(text: str, base: Path) -> str:
    """The same name, wherever it is read: a directory as an absolute path, anything else as it is.

    A directory is what can be nothing else (`./m`, `../m`, `~/m`, `m#q4.gguf`), and a plain name (`m`, `org/name`) of
    which there is a directory in `base`. Symbolic links stay as they are. `#file.gguf` is kept.

    Args:
        text: as the user wrote it.
        base: what relative paths are relative to: the spec's directory, or that of the command's caller.

    Raises:
        ModelNameError: it is no name, or begins with the `~` of a user that this machine does not know.
    """
    name = parse(text)
    if name.place.startswith(BUILTIN) or name.runs_code:
        return text
    path = os.path.expanduser(name.directory)  # noqa: PTH111 - of a user without a home pathlib makes a RuntimeError
    if path.startswith("~"):
        raise ModelNameError(f"model {text!r}: this machine knows no home directory for {path.split('/')[0]!r}")
    path = "/" + os.path.normpath(base.absolute() / path).lstrip("/")  # POSIX lets two slashes stand
    if name.gguf_file is not None:
        return f"{path}#{name.gguf_file}"
    return path if name.is_path or os.path.isdir(path) else text  # noqa: PTH112 - raises for no name, however long


def _without_file(whole: str) -> tuple[str, str | None]:
    """Place and GGUF file: a `#` may be part of a directory's name, too."""
    place, mark, file = whole.rpartition("#")
    return (place, file) if mark and len(file) > len(GGUF) and file.lower().endswith(GGUF) else (whole, None)


def _refuse_odd(text: str) -> None:
    shown = f"{text[:_SHOWN]!r}{'…' if len(text) > _SHOWN else ''}"
    if len(text) > LONGEST:
        raise ModelNameError(f"{shown} is no model: {len(text)} characters, and a name has {LONGEST} at most")
    if "\0" in text or any("\ud800" <= character <= "\udfff" for character in text):
        raise ModelNameError(f"{shown} is no model: it holds a character that is no text; rename the directory")


def _refuse_not_built_in(name: ModelName) -> None:
    model = name.place.removeprefix(BUILTIN)
    if name.gguf_file is not None:
        raise ModelNameError(f"model {name.text!r}: a built-in model has no {GGUF} files; write {name.place!r}")
    if model not in BUILT_IN:
        near = difflib.get_close_matches(model, BUILT_IN, n=1)
        hint = f" (did you mean {BUILTIN + near[0]!r}?)" if near else ""
        known = ", ".join(BUILTIN + name for name in BUILT_IN)
        raise ModelNameError(f"model {name.text!r} is not built in{hint}; built in are {known}")
