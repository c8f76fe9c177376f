"""Replaces files whole: a reader sees the old content or the new one, never half.

Several files are all written before the first of them takes its name, so that a full disk leaves all as they were.
"""

import contextlib
import errno
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

from sweeps.errors import SinkFailed


def write_atomically(path: Path, text: str) -> None:
    """Replace a text file.

    Raises:
        SinkFailed: as `replace_file`.
    """
    replace_file(path, lambda file: file.write(_encoded(text)))


def write_all_atomically(texts: Mapping[Path, str]) -> None:
    """Replace text files, all or none of them; the last one takes its name last.

    A process that is killed while files take their names leaves each whole, and some of them old.

    Raises:
        SinkFailed: the disk is full or a directory gone; every file is as before.
    """
    with contextlib.ExitStack() as stack:
        for path in texts:
            with _as_sink_failed(path):
                if path.is_dir():  # a file cannot take its name, and the others would have theirs by then
                    raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
        written = [(stack.enter_context(_temporary_text(path, _encoded(text))), path) for path, text in texts.items()]
        for temporary, path in written:
            _rename(temporary, path)


def replace_file(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Write beside the file, sync, rename.

    Args:
        path: of the file, which need not exist.
        write: writes the new content.

    Raises:
        SinkFailed: the disk is full or the directory gone; nothing is left behind.
    """
    with _temporary_file(path, write) as temporary:
        _rename(temporary, path)


def _temporary_text(path: Path, content: bytes) -> contextlib.AbstractContextManager[Path]:
    return _temporary_file(path, lambda file: file.write(content))


@contextlib.contextmanager
def _temporary_file(path: Path, write: Callable[[BinaryIO], object]) -> Iterator[Path]:
    """Write a temporary file beside the path, and delete it afterwards unless it was renamed."""
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        with _as_sink_failed(path), temporary.open("wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        yield temporary
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def _rename(temporary: Path, path: Path) -> None:
    with _as_sink_failed(path):
        temporary.replace(path)
        _sync_directory(path.parent)


@contextlib.contextmanager
def _as_sink_failed(path: Path) -> Iterator[None]:
    """Raise SinkFailed, with the file's name, for what goes wrong with it."""
    try:
        yield
    except OSError as error:
        raise SinkFailed(f"{path}: cannot be written: {error.strerror or error}") from error


def _encoded(text: str) -> bytes:
    return text.encode(errors="backslashreplace")


def _sync_directory(directory: Path) -> None:
    """Make a rename in it last through a power cut."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
