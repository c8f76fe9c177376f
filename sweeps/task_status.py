"""The status of a row; a task has the status of its last row."""

from collections.abc import Container
from enum import StrEnum
from typing import Final


class TaskStatus(StrEnum):
    """Status of a row; the value is what stands in the column `status`."""

    OK = "ok"
    OOM_GPU = "oom_gpu"
    OOM_HOST = "oom_host"
    SKIPPED_OOM = "skipped_oom"
    UNSUPPORTED = "unsupported"
    UNAVAILABLE = "unavailable"
    TIMEOUT = "timeout"
    ERROR = "error"
    WORKER_LOST = "worker_lost"

    @property
    def is_oom(self) -> bool:
        """True where the task was tried and ran out of memory, on the device or on the host."""
        return self in (TaskStatus.OOM_GPU, TaskStatus.OOM_HOST)

    @property
    def is_failure(self) -> bool:
        """True where the task was not measured and could be another time: the run then ends with exit code 1."""
        return self in (TaskStatus.ERROR, TaskStatus.TIMEOUT, TaskStatus.WORKER_LOST, TaskStatus.UNAVAILABLE)

    @property
    def meaning(self) -> str:
        """Meaning of the status, in a sentence for people."""
        return _MEANINGS[self]


OOM: Final = (TaskStatus.OOM_GPU, TaskStatus.OOM_HOST, TaskStatus.SKIPPED_OOM)
"""Statuses that `--retry oom` stands for: tasks that ran out of memory, and larger ones that were skipped for that."""
RETRIED: Final[dict[str, tuple[TaskStatus, ...]]] = {
    "error": (TaskStatus.ERROR,),
    "timeout": (TaskStatus.TIMEOUT,),
    "worker_lost": (TaskStatus.WORKER_LOST,),
    "oom": OOM,
}
"""Words of `--retry`, each with its statuses: tasks that ended so run again only when `--retry` names them."""


def retry_command(command: str, statuses: Container[str]) -> str:
    """Return the command that runs failed tasks again; '' where there are none, or the command of the run is not known.

    Args:
        command: that continues the run; '' where no file says.
        statuses: that tasks of the run have.
    """
    failed = [word for word, named in RETRIED.items() if any(status in statuses for status in named)]
    return " ".join([command, *(f"--retry {word}" for word in failed)]) if command and failed else ""


FAILURES: Final = frozenset(status.value for status in TaskStatus if status.is_failure)
"""Statuses that are failures, to compare with text from files, which may be of another version."""

_MEANINGS: Final[dict[TaskStatus, str]] = {
    TaskStatus.OK: "measured",
    TaskStatus.OOM_GPU: "ran out of GPU memory",
    TaskStatus.OOM_HOST: "ran out of the host's memory",
    TaskStatus.SKIPPED_OOM: "not tried: something smaller had run out of memory there",
    TaskStatus.UNSUPPORTED: "cannot run on this device, build or model; tried again in another environment",
    TaskStatus.UNAVAILABLE: (
        "could not be had here and now (no such node, model, or hub); the same command tries it again"
    ),
    TaskStatus.TIMEOUT: "took longer than a task may",
    TaskStatus.ERROR: "failed with an exception",
    TaskStatus.WORKER_LOST: "its worker died, several times",
}
