"""The terminal of a command, and its end where that is gone: a pipe that closed, a disk that is full."""

import contextlib
import errno
import os
import sys
from typing import Final

GONE: Final = (errno.EPIPE, errno.ENOSPC, errno.EIO, errno.EBADF)


def print_anything() -> None:
    """Have the terminal take any text: a name that is no UTF-8, or a locale that knows ASCII only, stops nothing."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, ValueError):  # a stream of somebody else's, as in tests
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]


def give_up(error: OSError) -> None:
    """Say on stderr that stdout is gone, and let nothing more be written there.

    Raises:
        OSError: `error` itself, where it is about something else.
    """
    if error.errno not in GONE or error.filename is not None:
        raise error
    with contextlib.suppress(OSError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
    with contextlib.suppress(OSError):
        print(
            f"error: cannot print any more ({error.strerror}): the run ends; rows are on disk, and the same command "
            "carries on",
            file=sys.stderr,
        )
