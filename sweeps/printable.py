"""Make names fit for a terminal and a page: no control characters, no escape sequences, no half characters."""

from typing import Final

from rich.cells import cell_len, chop_cells

ELLIPSIS: Final = "…"
_MARKS_PER_CELL: Final = 4
_JOINERS: Final = "\u200c\u200d"
"""Invisible, and part of words in several scripts."""


def printable(text: str, keep: str = "") -> str:
    """Write what has no picture of its own as an escape: `\\x1b`, `\\n`, `\\u202e`, `\\ud83d`.

    Args:
        text: a name or a message, from anywhere.
        keep: control characters to leave in, such as the line breaks of a message.
    """
    if text.isprintable():
        return text
    return "".join(
        character
        if character.isprintable() or character in _JOINERS or character in keep
        else character.encode("unicode_escape").decode()
        for character in text
    )


def middle_out(text: str, cells: int) -> str:
    """Shorten to that many terminal cells by leaving out the middle: beginnings and ends tell names apart."""
    if cells < 1:
        return ""
    most = _MARKS_PER_CELL * cells
    if len(text) > 2 * most:  # marks over letters take no cells, in any number
        text = f"{text[:most]}{ELLIPSIS}{text[-most:]}"
    if cell_len(text) <= cells:
        return text
    left = cells // 3
    right = cells - 1 - left
    head = chop_cells(text, left)[0] if left else ""
    tail = chop_cells(text[::-1], right)[0][::-1] if right else ""
    return f"{head}{ELLIPSIS}{tail}"
