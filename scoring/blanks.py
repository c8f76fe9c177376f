"""Texts in scripts that put no blanks between words: `split()` counts their sentences or clauses, not their words."""

import re
from typing import Final

WITHOUT_BLANKS: Final = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U000323af]"
)
"""Characters of Thai, Lao, Burmese, Khmer, Japanese and Chinese, which have no blanks between words."""
LONG_WORD: Final = 10
"""Mean characters between blanks above which blanks do not separate words of these scripts."""


def script_characters(text: str) -> int:
    """Return the number of characters of scripts without blanks between words, where blanks do not divide the text.

    Blanks do not divide it if at least half of its letters are of such scripts, and there are more than `LONG_WORD`
    characters between blanks on average. Of any other text the number is 0.
    """
    if len(text) <= LONG_WORD * len(text.split()):
        return 0
    without_blanks = len(WITHOUT_BLANKS.findall(text))
    others = sum(map(str.isalpha, WITHOUT_BLANKS.sub("", text))) if without_blanks else 0
    return without_blanks if without_blanks >= others else 0
