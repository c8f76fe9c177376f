"""Names and texts made fit for a terminal and a page."""

import unicodedata
from typing import Final

_KEPT: Final = "\n\t"


def printable(text: str) -> str:
    """Escape every character that a terminal would obey or cannot show."""
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() else _escaped(letter) for letter in text)


def for_page(text: str) -> str:
    """Escape control characters and halves of characters. Joiners and marks of direction stay, line breaks too.

    A page isolates every text, so that its marks of direction reach no further.
    """
    if text.isprintable():
        return text
    return "".join(
        _escaped(letter) if letter not in _KEPT and unicodedata.category(letter) in ("Cc", "Cs") else letter
        for letter in text
    )


def _escaped(letter: str) -> str:
    return letter.encode("unicode_escape", "surrogatepass").decode()
