"""Names and texts made fit for a terminal and a page."""

import unicodedata
from typing import Final

_KEPT: Final = "\n\t"
_TURNING: Final = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
"""Embeddings, overrides and isolates: text after them may be shown in another order than it was scored in."""


def printable(text: str) -> str:
    """Escape every character that a terminal would obey or cannot show."""
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() else _escaped(letter) for letter in text)


def for_page(text: str) -> str:
    """Escape control characters, marks that turn the direction of text, and halves of characters.

    Line breaks stay, and so do the invisible joiners that are part of words in several scripts.
    """
    if text.isprintable():
        return text
    return "".join(_escaped(letter) if _turns_or_controls(letter) else letter for letter in text)


def _turns_or_controls(letter: str) -> bool:
    return letter in _TURNING or (letter not in _KEPT and unicodedata.category(letter) in ("Cc", "Cs"))


def _escaped(letter: str) -> str:
    return letter.encode("unicode_escape", "surrogatepass").decode()
