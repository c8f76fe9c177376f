"""Ray's errors: those that mean an actor's death, and the line of an error that gives the reason."""

import re
from typing import Final

from ray.exceptions import OutOfMemoryError, RayActorError

ACTOR_DEATH_ERRORS: Final = (RayActorError, OutOfMemoryError)
"""Errors that report an actor's death; the second means that Ray's memory monitor killed the actor."""


_ARGUMENTS_LOST: Final = "input arguments for this task could not be computed"
_NO_MODULE: Final = re.compile(r"No module named '([^']+)'")


def missing_module(error: BaseException) -> str | None:
    """Return a message on a module that a node lacks and a benchmark needs; None for another cause of death."""
    match = _NO_MODULE.search(str(error)) if _ARGUMENTS_LOST in str(error) else None
    return match and (
        f"the node has no module named {match[1]!r}, which a benchmark of the spec needs; install the package "
        "of that benchmark there too (docs/extending.md)"
    )


def death_reason(error: BaseException) -> str:
    """Return the cause of an actor's death, in a line; in Ray's message it follows a preamble of ids."""
    if problem := missing_module(error):
        return problem
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    telling = [line for line in lines if "unexpectedly" in line or "Error" in line or "exit" in line.lower()]
    return (telling or lines or [type(error).__name__])[-1][:500]


def first_line(error: BaseException) -> str:
    """Return the first line of an error's message; without a message, the error's type."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


def one_line(error: BaseException) -> str:
    """Return the whole message in one line, for errors whose first line does not give the reason."""
    return " ".join(str(error).split())[:500].rstrip(". ") or type(error).__name__
