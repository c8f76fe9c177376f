"""Classification of exceptions: from an exception inside a task to the status of the task's row."""

from dataclasses import dataclass
from typing import Final

from models.errors import ModelDamaged, ModelError, ModelUnavailable
from scoring.errors import CorpusUnavailable, IncompatiblePair
from sweeps.errors import Unsupported

MAX_MESSAGE: Final = 2000
_HOST_OOM_SIGNS: Final = ("can't allocate memory", "cannot allocate memory", "not enough memory")
_GPU_OOM_SIGNS: Final = ("out of memory", "alloc_failed")
"""Words of CUDA's allocator; and of cuBLAS and cuDNN, which allocate their own workspace."""
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
    return Failure(_status(error, text.lower()), type(error).__qualname__, text[-MAX_MESSAGE:], poisons)


def _status(error: BaseException, text: str) -> str:
    if isinstance(error, ModelDamaged):  # not `unsupported`: the files can be repaired
        return "error"
    if isinstance(error, ModelUnavailable | CorpusUnavailable):  # may be available the next time
        return "unavailable"
    if isinstance(error, Unsupported | ModelError | IncompatiblePair):
        return "unsupported"
    if isinstance(error, TaskTimeout):
        return "timeout"
    if isinstance(error, MemoryError) or any(sign in text for sign in _HOST_OOM_SIGNS):
        return "oom_host"
    if type(error).__name__ == "OutOfMemoryError" or ("cuda" in text and any(s in text for s in _GPU_OOM_SIGNS)):
        return "oom_gpu"
    return "error"
