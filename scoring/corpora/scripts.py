"""The script in which a text is written: `LATIN`, `CYRILLIC`, `CJK`, as Unicode names it."""

import unicodedata
from collections import Counter
from functools import lru_cache
from typing import Final

READ_CHARACTERS: Final = 4000
"""Characters of a text that are looked at. A model reads hardly more of it."""

WIDTHS: Final = ("FULLWIDTH", "HALFWIDTH")
"""Words in front of the script, for letters of another width."""


def script_of(text: str) -> str | None:
    """Return the script of most letters of the text's beginning; None where it has no letters."""
    counts = Counter(script for letter in text[:READ_CHARACTERS] if (script := _script_of_letter(letter)) is not None)
    return max(counts, key=lambda script: (counts[script], script), default=None)


@lru_cache(2**16)
def _script_of_letter(letter: str) -> str | None:
    """Return the first word of a letter's Unicode name, which is its script; None for what is no letter."""
    if not letter.isalpha():
        return None
    words = unicodedata.name(letter, "").split()
    script = next((word for word in words if word not in WIDTHS), "")
    return script.partition("-")[0] or None
