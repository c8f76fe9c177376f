"""Check on the disk that a model is where its name says, before anything starts.

The check takes no noticeable time: it imports no torch, and asks no Hub.
"""

import difflib
import os
from pathlib import Path
from typing import Final

from models.names import GGUF, parse

NO_WEIGHTS: Final = "no *.safetensors in {} (pickled weights are not loaded: they run code)"


def missing_model(text: str) -> str | None:
    """Return the reason why the directory or file of an absolute name holds no model.

    None means that it holds a model, or that the name is no path. The content of the files is not read.

    Raises:
        ModelNameError: the name is not valid.
    """
    name = parse(text)
    path = Path(name.directory)
    if not path.is_absolute():
        return None
    if name.gguf_file is not None:
        file = path / name.gguf_file
        return None if os.path.isfile(file) else _absent(file, "file")  # noqa: PTH113 - never raises
    if os.path.isfile(path):  # noqa: PTH113
        is_gguf = path.name.lower().endswith(GGUF)
        return f"{path} is a file{f'; write {path.parent}#{path.name}' if is_gguf else ', not a directory'}"
    if not os.path.isdir(path):  # noqa: PTH112
        return _absent(path, "directory")
    try:
        entries = os.listdir(path)  # noqa: PTH208 - only names are needed
    except OSError as error:
        return f"{path} cannot be read: {error.strerror or error}"
    return _incomplete(path, entries)


def _incomplete(directory: Path, entries: list[str]) -> str | None:
    """Return the file that a directory lacks, in words; None where config.json and weights are there."""
    if any(entry.endswith(".safetensors") for entry in entries):
        return None if "config.json" in entries else f"no config.json in {directory}; put it there"
    if files := sorted(entry for entry in entries if entry.lower().endswith(GGUF)):
        return f"no *.safetensors in {directory}; for one of its {GGUF} files write {directory}#{files[0]}"
    return NO_WEIGHTS.format(directory)


def _absent(path: Path, what: str) -> str:
    """Return a message that says which part of a path does not exist, with a similar name that does."""
    parent = path.parent
    if not os.path.isdir(parent):  # noqa: PTH112
        found = next(up for up in parent.parents if os.path.isdir(up))  # noqa: PTH112
        missing = parent.relative_to(found).parts[0]
        return f"no {what} {path} on this machine: no directory {missing!r} in {found}{_meant(found, missing)}"
    return f"no {what} {path} on this machine{_meant(parent, path.name)}"


def _meant(directory: Path, name: str) -> str:
    """Return a hint with the most similar name in a directory; '' where there is none."""
    try:
        near = difflib.get_close_matches(name, os.listdir(directory), n=1)  # noqa: PTH208
    except OSError:
        near = []
    return f" (did you mean {str(directory / near[0])!r}?)" if near else ""
