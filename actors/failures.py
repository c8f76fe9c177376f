"""Classification of exceptions: from an exception inside a task to the status of the task's row."""

from dataclasses import dataclass
from typing import Final

from models.errors import ModelDamaged, ModelError, ModelUnavailable
from models.oom import is_gpu_oom, is_host_oom
from scoring.errors import CorpusUnavailable, IncompatiblePair
from sweeps.errors import Unsupported

MAX_MESSAGE: Final = 2000
_POISON_SIGNS: Final = (
    "device-side assert",
    "illegal memory access",
    "unspecified launch failure",
    "misaligned address",
    "uncorrectable ecc",
)


class TaskTimeout(Exception):
    """A task in this process ran over its time limit."""


@dataclass(frozen=True)
class Failure:
    """A task's failure: the values of its row's columns, and whether the device is beyond use."""

    status: str
    error_type: str
    message: str
    poisons_device: bool = False


class KnownLoadFailure(Exception):
    """A load failed for an earlier task, and would fail in the same way for this one."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure)
        self.failure = failure


def classify(error: BaseException) -> Failure:
    """Return status, type and message for a row.

    A long message keeps its end, where the reason mostly stands. Characters that cannot be encoded are escaped, so that
    every message can be written, whatever file names or texts the error quotes.
    """
    if isinstance(error, KnownLoadFailure):
        return error.failure
    text = str(error).strip().encode("utf-8", "backslashreplace").decode() or type(error).__name__
    poisons = any(sign in text.lower() for sign in _POISON_SIGNS)
    return Failure(_status(error), type(error).__qualname__, text[-MAX_MESSAGE:], poisons)


def _status(error: BaseException) -> str:
    if isinstance(error, ModelDamaged):  # not `unsupported`: the files can be repaired
        return "error"
    if isinstance(error, ModelUnavailable | CorpusUnavailable):  # may be available the next time
        return "unavailable"
    if isinstance(error, Unsupported | ModelError | IncompatiblePair):
        return "unsupported"
    if isinstance(error, TaskTimeout):
        return "timeout"
    if is_host_oom(error):
        return "oom_host"
    if is_gpu_oom(error):
        return "oom_gpu"
    return "error"
