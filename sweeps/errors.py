"""All errors that this project raises on purpose, as one tree:

    SweepsError
    ├── UserError(ValueError)          the spec, the command or the input is wrong: exit code 2
    │   └── SpecChanged                the run directory holds rows of another spec
    ├── Unsupported(RuntimeError)      this cell cannot run here: its row says `unsupported` and why
    ├── InputChanged(RuntimeError)     a file is not what it was when the run was planned: the run stops
    ├── SinkFailed(OSError)            rows could not be written: stop, keep what is on disk
    ├── CoordinatorLost(RuntimeError)  the process that holds the queue is gone
    └── InputElsewhere(FileNotFoundError)  a worker's node cannot see the task's data: have them shipped
        └── InputUnreached             they are on a hub that is not reached from there

Each is also the standard exception that a caller would expect, and none has constructor parameters of its
own, because exceptions that cross Ray must unpickle from their message alone.
"""


class SweepsError(Exception):
    """Base of every error whose message explains it to the user."""


class UserError(SweepsError, ValueError):
    """Bad input: the message says what was seen, what is allowed, what to do, and in which file and key."""


class SpecChanged(UserError):
    """The run directory holds rows of a spec that differs by more than added cells."""


class Unsupported(SweepsError, RuntimeError):
    """A cell that cannot run on this device, build or model; becomes a row, never a crash."""


class InputChanged(SweepsError, RuntimeError):
    """A corpus or model is not what it was when the run was planned: the run stops, with the file's name."""


class SinkFailed(SweepsError, OSError):
    """A part could not be written (disk full, directory gone); rows on disk are whole."""


class CoordinatorLost(SweepsError, RuntimeError):
    """The coordinator's process died; finished rows are on disk and the same command continues."""


class InputElsewhere(SweepsError, FileNotFoundError):
    """The data that a task names are not visible on the worker's node; never leaves the worker."""


class InputUnreached(InputElsewhere):
    """The data that a task names are on a hub that is not reached from here; whether they changed is not known."""
