"""Ctrl-C, SIGTERM and a terminal that closes: one line and exit code 130, whenever in the life of a command they come.

Imported before anything that takes long; imports nothing such itself.
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
"""What asks a command to stop. SIGHUP comes when its terminal is closed."""


class Counter(Protocol):
    """Who counts how often the user asked."""

    count: int

    def ask(self) -> None: ...


def quit_at_once() -> None:
    """Until `guarded` runs: nothing was started yet that would have to be ended, and imports are not to be traced."""
    _handle(_quit)


def guarded(command: Callable[[], object]) -> None:
    """Run a whole command; asked to stop, it gets KeyboardInterrupt, and the process ends with 130.

    What the interpreter still does when the command is over is not disturbed any more.
    """
    asked: list[int] = []

    def on_signal(number: int, _frame: FrameType | None) -> NoReturn:
        _leave_terminal(number)
        asked.append(number)
        raise KeyboardInterrupt

    _handle(on_signal)
    try:
        command()
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        sys.exit(EXIT_INTERRUPTED)
    except SystemExit as end:
        # Before and after our own code is at it, the library that reads the options ends with 1.
        if asked and end.code not in (0, None):
            sys.exit(EXIT_INTERRUPTED)
        raise
    finally:
        _handle(signal.SIG_IGN)


@contextlib.contextmanager
def counted(interrupts: Counter) -> Iterator[None]:
    """Asked once, a run is to end in good order; asked twice, it gets KeyboardInterrupt."""

    def on_signal(number: int, _frame: FrameType | None) -> None:
        _leave_terminal(number)
        interrupts.ask()
        if interrupts.count > 1:
            raise KeyboardInterrupt

    with restored():
        _handle(on_signal)
        yield


@contextlib.contextmanager
def restored() -> Iterator[None]:
    """Handlers are afterwards what they were before: Ray brings its own, which ends with another exit code."""
    before = {number: signal.getsignal(number) for number in ASKING}
    try:
        yield
    finally:
        for number, handler in before.items():
            if handler is not None:  # one that is not of Python
                signal.signal(number, handler)


def _handle(handler: Callable[[int, FrameType | None], object] | signal.Handlers) -> None:
    """Not where who started this command has it ignore a signal: `nohup` does, and shells for what runs behind."""
    for number in ASKING:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, handler)


def _quit(_number: int, _frame: FrameType | None) -> NoReturn:
    with contextlib.suppress(OSError):
        os.write(2, b"stopped before anything was started\n")
    os._exit(EXIT_INTERRUPTED)


def _leave_terminal(number: int) -> None:
    """To a terminal that is closed nothing can be written, and a run is to end in good order all the same."""
    if number == signal.SIGHUP:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        for descriptor in (1, 2):
            if stat.S_ISCHR(os.fstat(descriptor).st_mode):  # gone, it is not known as a terminal any more
                os.dup2(nowhere, descriptor)
        os.close(nowhere)
