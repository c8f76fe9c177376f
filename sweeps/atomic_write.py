"""Replaces a file whole: a reader sees the old content or the new one, never half."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from sweeps.errors import SinkFailed


def write_atomically(path: Path, text: str) -> None:
    """Replace a text file.

    Raises:
        SinkFailed: as `replace_file`.
    """
    replace_file(path, lambda file: file.write(text.encode(errors="backslashreplace")))


def replace_file(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Write beside the file, sync, rename.

    Args:
        path: of the file, which need not exist.
        write: writes the new content.

    Raises:
        SinkFailed: the disk is full or the directory gone; nothing is left behind.
    """
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        with temporary.open("wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        _sync_directory(path.parent)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise SinkFailed(f"{path}: cannot be written: {error.strerror or error}") from error


def _sync_directory(directory: Path) -> None:
    """Make a rename in it last through a power cut."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
