"""What a model's name says: where it is, at which revision, which file of it, and whether code of its own may run.

    org/name    org/name@revision    org/name@commit?trust_remote_code
    directory    directory#file.gguf    builtin://name

Pure: looks at no file. The permission is part of the name, so that it is given for one model at one commit and
stands in every row that it had a part in.
"""

import difflib
import re
from dataclasses import dataclass
from typing import Final

from models.errors import ModelNameError

BUILTIN: Final = "builtin://"
BUILT_IN: Final = ("tiny-base", "tiny-instruct")
TRUST: Final = "?trust_remote_code"
_PATHS: Final = ("/", ".", "~")
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
        return self.text.partition("#")[0]

    @property
    def is_path(self) -> bool:
        """Whether it can be nothing but a path."""
        return self.place.startswith(_PATHS)


def parse(text: str) -> ModelName:
    """Take a name apart.

    Raises:
        ModelNameError: empty, not built in, or code is to run that no commit pins.
    """
    whole, trust, rest = text.partition(TRUST)
    place, _, gguf_file = whole.partition("#")
    revision = ""
    if not place.startswith((BUILTIN, *_PATHS)):
        place, _, revision = place.partition("@")
    if not place or rest:
        raise ModelNameError(f"{text!r} is no model: write org/name, org/name@revision, a directory or {BUILTIN}…")
    name = ModelName(text, place, revision or None, gguf_file or None, bool(trust))
    if name.runs_code and (gguf_file or not _COMMIT.fullmatch(revision)):
        raise ModelNameError(
            f"{text!r} would run whatever code is in that place on the day of the run; pin the commit that you have "
            f"read, as org/name@<its 40 hex digits>{TRUST} (a directory or a file has none: use the Hub's id)"
        )
    model = place.removeprefix(BUILTIN)
    if place.startswith(BUILTIN) and model not in BUILT_IN:
        near = difflib.get_close_matches(model, BUILT_IN, n=1)
        hint = f" (did you mean {BUILTIN + near[0]!r}?)" if near else ""
        known = ", ".join(BUILTIN + name for name in BUILT_IN)
        raise ModelNameError(f"model {text!r} is not built in{hint}; built in are {known}")
    return name


def check(text: str) -> str:
    """The name itself, if it is one; raises as `parse` does."""
    return parse(text).text
