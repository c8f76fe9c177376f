"""Who wrote a text, by its label: compared without case and blanks, and as numbers.

`Human`, `HUMAN ` and `human` are one label; so are `0`, `0.0`, `false` and False.
"""

import math
import re
from collections.abc import Iterable
from decimal import Decimal
from numbers import Real
from typing import Final, Literal

Author = Literal["human", "synthetic"]
Label = str | int | float | bool
EVERY_OTHER: Final = "*"
"""In `synthetic_labels`: every label that is not one of `human_labels`."""
TRUTH: Final = {"true": "1", "false": "0"}
NUMBER: Final = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d{1,3})?", re.ASCII)
MISSING: Final = frozenset({"", "na", "n/a", "nan", "none", "null", "<na>", "nat"})
"""What programs write for a value that is not there, casefolded."""
LONGEST_NUMBER: Final = 40
"""Characters; what is longer is text."""


def is_missing(value: object) -> bool:
    """Whether this is no value, or text that stands for none: blank, `NA`, `nan`, `None`."""
    return value is None or str(value).strip().casefold() in MISSING


def label_key(value: object) -> str | None:
    """What of a label is compared; None where it is none: null, blank, a list or a table."""
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, Real | Decimal):
        return _number(str(value).casefold())
    if not isinstance(value, str):
        return None
    text = value.strip().casefold()
    return _number(TRUTH.get(text, text)) or None


def _number(text: str) -> str:
    if len(text) > LONGEST_NUMBER or not NUMBER.fullmatch(text.casefold()):
        return text
    number = float(text)
    if not math.isfinite(number):
        return text
    # beyond 2^53 a float no longer tells whole numbers apart
    if number.is_integer() and abs(number) < 2**53:
        return str(int(number))
    return text if text.lstrip("+-").isdigit() else repr(number)


class Authors:
    """The authors of labels, as the settings say it."""

    def __init__(self, human: Iterable[Label], synthetic: Iterable[Label]) -> None:
        """Take the labels of both.

        Raises:
            ValueError: a label is none, or is one of both.
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
        """Who wrote what has this label; None where neither list has it."""
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
