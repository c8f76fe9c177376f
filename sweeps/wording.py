"""Numbers of things in sentences, as '1 task' and '2,000 tasks', and a sentence for terminals and the report alike."""

from typing import Final

UNKNOWN_WRITER: Final = "nobody can tell whether a run writes there now: its file .lock cannot be read or locked"


def counted(count: int, name: str) -> str:
    """Return a number of things, as '1 text' or '2,000 texts'."""
    return f"{count:,} {name}" if count == 1 else f"{count:,} {name}s"


def tasks_done(done: int, planned: int) -> str:
    """Return how many of the planned tasks are done, as '0 of 1 task is done' or '7 of 11 tasks are done'."""
    return f"{done:,} of {counted(planned, 'task')} {'is' if planned == 1 else 'are'} done"
