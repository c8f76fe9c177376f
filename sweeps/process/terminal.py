"""Prepares a command's terminal for any text, and ends the command when the terminal is gone or its disk is full."""

import contextlib
import errno
import os
import sys
from typing import Final

GONE: Final = (errno.EPIPE, errno.ENOSPC, errno.EIO, errno.EBADF)


def print_anything() -> None:
    """Let the terminal take any text: neither a name that is no UTF-8 nor an ASCII locale stops a run."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, ValueError):  # not a stream of Python's, as in tests
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]


def give_up(error: OSError) -> None:
    """Print on stderr that stdout is gone, and write nothing more to stdout.

    Raises:
        OSError: `error` itself, if it is about another file.
    """
    if error.errno not in GONE or error.filename is not None:
        raise error
    with contextlib.suppress(OSError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
    with contextlib.suppress(OSError):
        print(
            f"error: cannot print any longer ({error.strerror}): the run ends; rows are on disk, and the same command "
            "continues",
            file=sys.stderr,
        )
