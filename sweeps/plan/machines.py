"""The machine file: the interpreter with which workers of a device class start.

    [device."tesla-k80"]
    python = "/opt/venvs/kepler/bin/python"

No build of torch has kernels for every card, so cards of one cluster may need different builds. Only the file is read
here; whether an interpreter works is checked on the worker's node (actors/checks/interpreters.py).
"""

import difflib
import re
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from sweeps.errors import UserError

DEFAULT_FILE: Final = Path("machines.toml")
"""File that is read when `--machines` is not given, if it exists."""
EXAMPLE: Final = '[device."tesla-k80"] python = "/opt/venvs/kepler/bin/python"'
_DEVICE_CLASS: Final = re.compile(r"[a-z0-9][a-z0-9.]*(-[a-z0-9.]+)*")


@dataclass(frozen=True)
class Machines:
    """Interpreters by device name, and the file that names them."""

    file: str = str(DEFAULT_FILE)
    pythons: Mapping[str, str] = field(default_factory=dict)
    """Absolute paths on the workers' nodes, by `cpu`, a device's slug, or words in a row of it (`k80`)."""

    def python(self, device_class: str) -> str | None:
        """Return the interpreter for a device class, by the longest name that means the class; None: Ray's own."""
        names = [name for name in self.pythons if _means(name, device_class)]
        return self.pythons[max(names, key=len)] if names else None

    def unused(self, device_classes: Collection[str]) -> list[str]:
        """Return names that mean none of those classes: mostly typos."""
        return [name for name in self.pythons if not any(_means(name, known) for known in device_classes)]


def read_machines(path: Path | None) -> Machines:
    """Read and check a machine file.

    Args:
        path: of the file; None: `machines.toml` of this directory, if it exists.

    Raises:
        UserError: no such file, or a line for each mistake in it: file, key, seen and allowed.
    """
    if path is None:
        return read_machines(DEFAULT_FILE) if DEFAULT_FILE.is_file() else Machines()
    content = _content(path)
    try:
        file = _File.model_validate(content)
    except ValidationError as error:
        raise UserError("\n".join(_explained(path, detail) for detail in error.errors())) from error
    return Machines(str(path), {name: device.python for name, device in file.device.items()})


def _means(name: str, device_class: str) -> bool:
    """Tell whether a name means a class, as in a spec: `k80` means `tesla-k80`."""
    return f"-{name}-" in f"-{device_class}-"


def _is_device_class(name: str) -> str:
    if name == "gpu" or not _DEVICE_CLASS.fullmatch(name):
        raise ValueError("name one device class: cpu, or a slug such as tesla-k80 or k80 (--dry-run shows a cluster's)")
    return name


def _is_path(python: str) -> str:
    if not PurePosixPath(python).is_absolute():
        raise ValueError("write the interpreter's path from the root on: the worker's node looks for it")
    return python


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class _Device(_Strict):
    python: Annotated[str, AfterValidator(_is_path)]


class _File(_Strict):
    device: dict[Annotated[str, AfterValidator(_is_device_class)], _Device] = Field(default_factory=dict)


def _content(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"--machines {path}: cannot be read: {error.strerror}") from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UserError(f"{path}: not TOML: {error}; it should look like {EXAMPLE}") from error


def _explained(path: Path, detail: Any) -> str:
    """Explain a mistake that pydantic found, an entry of `errors()`, by the keys of the file."""
    places = [str(place) for place in detail["loc"] if place != "[key]"]
    key = ".".join(places)
    if detail["type"] == "extra_forbidden":
        model = _Device if len(places) > 1 else _File
        near = difflib.get_close_matches(places[-1], model.model_fields, n=1)
        hint = f" (did you mean {near[0]!r}?)" if near else ""
        return f"{path}, key {key!r}: unknown{hint}; allowed are {', '.join(model.model_fields)}"
    if detail["type"] == "missing":
        return f"{path}: key {key!r} is missing; write it as in {EXAMPLE}"
    reason = detail["msg"].removeprefix("Value error, ")
    return f"{path}, key {key!r}: seen {detail['input']!r}; {reason[:1].lower()}{reason[1:]}"
