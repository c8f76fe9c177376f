"""Handles Ctrl-C at any moment of a command: one line and exit code 130, where Python would print a traceback.

Imported before the modules that take long to import; imports none of them itself.
"""

import contextlib
import os
import signal
import sys
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Final, NoReturn

EXIT_INTERRUPTED: Final = 130


class Interrupted(KeyboardInterrupt):
    """KeyboardInterrupt as a class of our own, so that the process ends with 130 and not by the signal.

    Where a plain one leaves a text that `exec` runs, as dataclasses do while modules are imported, the interpreter
    notes that, and kills itself at its end although the exception was handled.
    """


class Stopped(SystemExit):
    """The end of a command that Ctrl-C has stopped, after its last line."""

    def __init__(self) -> None:
        super().__init__(EXIT_INTERRUPTED)


def quit_at_once() -> None:
    """End the process at Ctrl-C, until `guarded` runs. A signal that the caller ignores stays ignored."""
    _handle(_quit)


def guarded(command: Callable[[], object]) -> None:
    """Run a whole command; Ctrl-C is a KeyboardInterrupt in it, and the process ends with a line and 130.

    After the command, Ctrl-C is ignored: the interpreter's own end is not disturbed.
    """
    try:
        _handle(_interrupt)
        command()
    except KeyboardInterrupt:
        _stop("stopped")
    except Stopped:
        raise
    except SystemExit as end:
        if end.code == EXIT_INTERRUPTED:  # the library that reads the options ends so, without a word
            _stop("stopped")
        raise
    finally:
        _handle(signal.SIG_IGN)


@contextlib.contextmanager
def last_line(line: str) -> Iterator[None]:
    """End the command with this line where the block is interrupted: what is true then of its answer.

    Raises:
        Stopped: the block was interrupted.
    """
    try:
        yield
    except KeyboardInterrupt:
        _stop(line)


def _handle(handler: Callable[[int, FrameType | None], object] | signal.Handlers) -> None:
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, handler)


def _interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
    raise Interrupted


def _stop(line: str) -> NoReturn:
    if sys.stderr is not None:  # where it is closed, print would write into the answer on stdout
        with contextlib.suppress(OSError):
            print(line, file=sys.stderr)
    raise Stopped from None


def _quit(_number: int, _frame: FrameType | None) -> NoReturn:
    with contextlib.suppress(OSError):
        os.write(2, b"stopped before anything was started\n")
    os._exit(EXIT_INTERRUPTED)
