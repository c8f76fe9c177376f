"""Handles Ctrl-C while modules are imported: one line and exit code 130, where Python would print a traceback.

Imported before the modules that take long to import; imports none of them itself.
"""

import contextlib
import os
import signal
from types import FrameType
from typing import Final, NoReturn

EXIT_INTERRUPTED: Final = 130


def quit_at_once() -> None:
    """End the process at Ctrl-C, until `interruptible` runs. A signal that the caller ignores stays ignored."""
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, _quit)


def interruptible() -> None:
    """Make Ctrl-C raise KeyboardInterrupt again: from here on, files must be closed in good order."""
    if signal.getsignal(signal.SIGINT) is _quit:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _quit(_number: int, _frame: FrameType | None) -> NoReturn:
    with contextlib.suppress(OSError):
        os.write(2, b"stopped before anything was started\n")
    os._exit(EXIT_INTERRUPTED)
