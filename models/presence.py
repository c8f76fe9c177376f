"""Look on the disk whether a model is where its name says, before anything starts; it costs nothing.

Imports no torch, and asks no Hub.
"""

import difflib
import os
from pathlib import Path
from typing import Final

from models.names import GGUF, parse

NO_WEIGHTS: Final = "no *.safetensors in {} (pickled weights are not loaded: they run code)"


def missing_model(text: str) -> str | None:
    """Reason why the directory or file of an absolute name holds no model; None: it holds one, or the name is no path.

    What is in the files is not looked at.

    Raises:
        ModelNameError: it is no name.
    """
    name = parse(text)
    path = Path(name.directory)
    if not path.is_absolute():
        return None
    if name.gguf_file is not None:
        file = path / name.gguf_file
        return None if os.path.isfile(file) else _absent(file, "file")  # noqa: PTH113 - raises for no name
    if os.path.isfile(path):  # noqa: PTH113
        is_gguf = path.name.lower().endswith(GGUF)
        return f"{path} is a file{f'; write {path.parent}#{path.name}' if is_gguf else ', not a directory'}"
    if not os.path.isdir(path):  # noqa: PTH112
        return _absent(path, "directory")
    try:
        entries = os.listdir(path)  # noqa: PTH208 - names are all that is needed
    except OSError as error:
        return f"{path} cannot be read: {error.strerror or error}"
    return _incomplete(path, entries)


def _incomplete(directory: Path, entries: list[str]) -> str | None:
    if any(entry.endswith(".safetensors") for entry in entries):
        return None if "config.json" in entries else f"no config.json in {directory}; put it there"
    if files := sorted(entry for entry in entries if entry.lower().endswith(GGUF)):
        return f"no *.safetensors in {directory}; for one of its {GGUF} files write {directory}#{files[0]}"
    return NO_WEIGHTS.format(directory)


def _absent(path: Path, what: str) -> str:
    """No such file or directory, with what is there instead."""
    parent = path.parent
    if not os.path.isdir(parent):  # noqa: PTH112
        found = next(up for up in parent.parents if os.path.isdir(up))  # noqa: PTH112
        missing = parent.relative_to(found).parts[0]
        return f"no {what} {path} on this machine: no directory {missing!r} in {found}{_meant(found, missing)}"
    return f"no {what} {path} on this machine{_meant(parent, path.name)}"


def _meant(directory: Path, name: str) -> str:
    try:
        near = difflib.get_close_matches(name, os.listdir(directory), n=1)  # noqa: PTH208
    except OSError:
        near = []
    return f" (did you mean {str(directory / near[0])!r}?)" if near else ""
