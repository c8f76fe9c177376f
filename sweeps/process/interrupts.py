"""Handles Ctrl-C, SIGTERM and a terminal that closes: one line and exit code 130, at any moment of a command.

Imported before the modules that take long to import; imports none of them itself.
"""

import contextlib
import os
import signal
import stat
import sys
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Final, NoReturn, Protocol

EXIT_INTERRUPTED: Final = 130
ASKING: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Signals that ask a command to stop. SIGHUP comes when its terminal is closed."""


class Interrupted(KeyboardInterrupt):
    """KeyboardInterrupt as a class of our own, so that the process ends with 130 and not by the signal.

    Where a plain one leaves a text that `exec` runs, as dataclasses do while modules are imported, the interpreter
    notes that, and kills itself at its end although the exception was handled.
    """


class Stopped(SystemExit):
    """The end of a command that was asked to stop and has printed its last line."""

    def __init__(self) -> None:
        super().__init__(EXIT_INTERRUPTED)


class Counter(Protocol):
    """Counts the user's requests to stop."""

    count: int

    def ask(self) -> None: ...


def quit_at_once() -> None:
    """End the process at the first signal, until `guarded` runs: nothing is started yet, and no traceback of an import
    is to be seen.
    """
    _handle(_quit)


def guarded(command: Callable[[], object]) -> None:
    """Run a whole command; at a signal the command gets KeyboardInterrupt, and the process ends with a line and 130.

    A command that knows more than that it was stopped says so with `last_line`, or raises `Stopped`. After the command,
    signals are ignored: the interpreter's own end is not disturbed.
    """
    asked: list[int] = []

    def on_signal(number: int, _frame: FrameType | None) -> NoReturn:
        _leave_terminal(number)
        asked.append(number)
        raise Interrupted

    _handle(on_signal)
    try:
        command()
    except KeyboardInterrupt:
        _stop("stopped")
    except Stopped:
        raise
    except SystemExit as end:
        # The library that reads the options makes an end of KeyboardInterrupt, with 130 or 1 and without a word.
        if asked and end.code not in (0, None):
            _stop("stopped")
        raise
    finally:
        _handle(signal.SIG_IGN)


@contextlib.contextmanager
def last_line(line: str) -> Iterator[None]:
    """End the command with this line where the block is interrupted: what is true then of its files and its output.

    Raises:
        Stopped: the block was interrupted.
    """
    try:
        yield
    except KeyboardInterrupt:
        _stop(line)


@contextlib.contextmanager
def delayed() -> Iterator[None]:
    """Let signals wait until the block has ended: files that belong together are written without a stop in between.

    Where the block fails, its error ends the command, and signals that came meanwhile have nothing to stop.
    """
    came: list[int] = []
    with restored():
        _handle(lambda number, _frame: came.append(number))
        yield
    for number in came[:1]:
        signal.raise_signal(number)


@contextlib.contextmanager
def counted(interrupts: Counter) -> Iterator[None]:
    """Count signals while a run goes on: the first asks it to end in good order, the second is a KeyboardInterrupt."""

    def on_signal(number: int, _frame: FrameType | None) -> None:
        _leave_terminal(number)
        interrupts.ask()
        if interrupts.count > 1:
            raise Interrupted

    with restored():
        _handle(on_signal)
        yield


@contextlib.contextmanager
def restored() -> Iterator[None]:
    """Restore the signal handlers afterwards: Ray installs its own, which ends with another exit code."""
    before = {number: signal.getsignal(number) for number in ASKING}
    try:
        yield
    finally:
        for number, handler in before.items():
            if handler is not None:  # a handler that is not Python's
                signal.signal(number, handler)


def _handle(handler: Callable[[int, FrameType | None], object] | signal.Handlers) -> None:
    """Install a handler for every signal that is not ignored: `nohup` has a command ignore some, and so do shells for
    background jobs.
    """
    for number in ASKING:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, handler)


def _stop(line: str) -> NoReturn:
    if sys.stderr is not None:  # where it is closed, print would write into the answer on stdout
        with contextlib.suppress(OSError):
            print(line, file=sys.stderr)
    raise Stopped from None


def _quit(_number: int, _frame: FrameType | None) -> NoReturn:
    with contextlib.suppress(OSError):
        os.write(2, b"stopped before anything was started\n")
    os._exit(EXIT_INTERRUPTED)


def _leave_terminal(number: int) -> None:
    """Write to nowhere once the terminal is closed: writing there would fail, and a run must end in good order."""
    if number == signal.SIGHUP:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        for descriptor in (1, 2):
            if stat.S_ISCHR(os.fstat(descriptor).st_mode):  # a closed terminal is no longer known as one
                os.dup2(nowhere, descriptor)
        os.close(nowhere)
