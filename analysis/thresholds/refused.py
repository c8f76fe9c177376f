"""Refused: the promise that was asked for cannot be made with the records that there are."""

from sweeps.errors import UserError


class Refused(UserError):
    """Raised where there are too few records for a promise. The message says what to do; nothing is promised less.

    It has no constructor parameters of its own, so it can be pickled.
    """

    n: int | None = None
    """Records that there are; None where the number of records is not the reason."""
    needed: int | None = None
    """Records that are needed."""


def refuse(message: str, n: int | None = None, needed: int | None = None) -> Refused:
    """Return the exception to raise, with its numbers."""
    refused = Refused(message)
    refused.n, refused.needed = n, needed
    return refused
