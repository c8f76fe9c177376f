"""Authors of texts by their labels, which are compared without case and blanks, and as numbers.

`Human`, `HUMAN ` and `human` are one label; so are `0`, `0.0`, `false` and False.
"""

import math
import re
from collections.abc import Iterable
from decimal import Decimal
from functools import lru_cache
from numbers import Real
from typing import Final, Literal

Author = Literal["human", "synthetic"]
Label = str | int | float | bool
EVERY_OTHER: Final = "*"
"""Value of `synthetic_labels` that stands for every label that is not one of `human_labels`."""
TRUTH: Final = {"true": "1", "false": "0"}
NUMBER: Final = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d{1,3})?", re.ASCII)
MISSING: Final = frozenset({"", "na", "n/a", "nan", "none", "null", "<na>", "nat"})
"""Texts that programs write for a missing value, casefolded."""
REMEMBERED_LABELS: Final = 1000
"""Different labels whose form is remembered, at most: a corpus has few of them, and many rows."""
LONGEST_NUMBER: Final = 40
"""Characters of a label that is read as a number, at most."""


def is_missing(value: object) -> bool:
    """Return True for None, and for text that stands for a missing value: blank, `NA`, `nan`, `None`."""
    return value is None or str(value).strip().casefold() in MISSING


def label_key(value: object) -> str | None:
    """Return the form in which labels are compared; None for a value that is no label: null, blank, list or table."""
    if isinstance(value, str):
        return _key_of_text(value)
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, Real | Decimal):
        return _number(str(value).casefold())
    return None


@lru_cache(REMEMBERED_LABELS)
def _key_of_text(label: str) -> str | None:
    text = label.strip().casefold()
    return _number(TRUTH.get(text, text)) or None


def _number(text: str) -> str:
    if len(text) > LONGEST_NUMBER or not NUMBER.fullmatch(text.casefold()):
        return text
    number = float(text)
    if not math.isfinite(number):
        return text
    # from 2^53 on different whole numbers are the same float
    if number.is_integer() and abs(number) < 2**53:
        return str(int(number))
    return text if text.lstrip("+-").isdigit() else repr(number)


class Authors:
    """The authors of labels, by the lists of the settings."""

    def __init__(self, human: Iterable[Label], synthetic: Iterable[Label]) -> None:
        """Take both lists of labels.

        Raises:
            ValueError: a value is no label, or a label is in both lists.
        """
        human, synthetic = list(human), list(synthetic)
        self._human = {_key(label, "human_labels"): label for label in human}
        self._synthetic = {_key(label, "synthetic_labels"): label for label in synthetic}
        if EVERY_OTHER in self._human:
            raise ValueError("human_labels: '*' is for synthetic_labels only: every label that is not human")
        if both := self._human.keys() & self._synthetic.keys():
            label = self._human[min(both)]
            raise ValueError(
                f"label {label!r} is one of human_labels {human} and of synthetic_labels "
                f"{synthetic}; name both lists so that each label is in one"
            )

    def author(self, key: str | None) -> Author | None:
        """Return the author of texts with this label; None where neither list has the label."""
        if key is None:
            return None
        if key in self._human:
            return "human"
        if key in self._synthetic or (EVERY_OTHER in self._synthetic and not is_missing(key)):
            return "synthetic"
        return None


def _key(label: Label, setting: str) -> str:
    key = label_key(label)
    if key is None:
        raise ValueError(f"{setting}: {label!r} is no label")
    return key
