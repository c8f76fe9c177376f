"""From an exception inside a task to the status of its row."""

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
    """How a task failed, in the words of a row."""

    status: str
    error_type: str
    message: str
    poisons_device: bool = False


class KnownLoadFailure(Exception):
    """What failed to load for an earlier task, met again by the next one."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure)
        self.failure = failure


def classify(error: BaseException) -> Failure:
    """Status, type and message for a row; the message keeps its end, where the reason mostly stands.

    It can be written, whatever names of files or pieces of text the error tells.
    """
    if isinstance(error, KnownLoadFailure):
        return error.failure
    text = str(error).strip().encode("utf-8", "backslashreplace").decode() or type(error).__name__
    poisons = any(sign in text.lower() for sign in _POISON_SIGNS)
    return Failure(_status(error), type(error).__qualname__, text[-MAX_MESSAGE:], poisons)


def _status(error: BaseException) -> str:
    if isinstance(error, ModelDamaged):  # something to repair, where unsupported is how it has to be
        return "error"
    if isinstance(error, ModelUnavailable | CorpusUnavailable):  # it may be there another time
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
