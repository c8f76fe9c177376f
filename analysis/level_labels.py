"""Levels of factors as the page and its figures write them: one line of text, or a short name.

Knows JSON, paths and model ids. Does not know columns, rows or figures.
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

import pandas as pd

from analysis.column_titles import NULL, title_of
from sweeps.printable import middle_out, printable

MAX_TEXT: Final = 200
"""Longer levels lose their middle on the page; the CSV files hold them whole."""
MAX_LABEL: Final = 40
"""Longer names lose their middle in figures."""
_PATH_PARTS: Final = (1, 2, 3)
"""Numbers of last path parts that a figure tries in this order, until all names differ."""
_ONE_DEVICE: Final = '{"":'
"""Begins the device map of one device: the module without a name is the whole model."""
_MAX_NESTED: Final = 64
"""A level with more brackets is taken as text: the JSON parser cannot read nesting without end."""


class LevelLabels:
    """Places and short names of the levels of every factor, worked out once for all cells."""

    def __init__(self, levels: Mapping[str, Sequence[Any]]) -> None:
        self._names = {factor: short_names(known) for factor, known in levels.items()}
        self._places = {factor: {level: place for place, level in enumerate(known)} for factor, known in levels.items()}

    def place(self, factor: str, level: Any) -> int:
        """Return the position of a level among those of its factor, from 0."""
        return self._places[factor][None if pd.isna(level) else level]

    def short(self, factor: str, level: Any) -> str:
        """Return a level's short name, different from all others of its factor."""
        return self._names[factor][self.place(factor, level)]

    def named(self, factors: Sequence[str], levels: Sequence[Any], between: str) -> str:
        """Return names with their factors, as 'quantization: 4-bit', joined by `between`."""
        pairs = zip(factors, levels, strict=True)
        return between.join(f"{title_of(factor)}: {self.short(factor, level)}" for factor, level in pairs)

    def joined(self, factors: Sequence[str], levels: Sequence[Any]) -> str:
        """Return names alone, as '8-bit · 4', for a legend whose title names the factors."""
        return " · ".join(self.short(factor, level) for factor, level in zip(factors, levels, strict=True))

    def order(self, factors: Sequence[str], levels: Sequence[Any]) -> list[int]:
        """Return the places of a combination of levels: a key to sort combinations by."""
        return [self.place(factor, level) for factor, level in zip(factors, levels, strict=True)]


def text_of(level: Any) -> str:
    """Return a level as one line of printable text; '–' for null. A long level loses its middle, a fraction digits.

    The device map of one device is in words, as 'all on cpu', and so are those of the two models of a pair.
    """
    if isinstance(level, float) and not pd.isna(level):
        return f"{level:.6g}"
    if pd.isna(level):
        return NULL
    text = str(level)
    if _ONE_DEVICE in text:
        text = _placed_in_words(_value_of(text)) or text
    return middle_out(printable(text), MAX_TEXT)


def level_text(factor: str, level: Any) -> str:
    """Return a level of a factor as one line of text. A pair is named by its two models, as 'org/a with org/b'."""
    value = _value_of(level) if factor == "pair" else None
    if isinstance(value, list) and len(value) == 2 and all(isinstance(model, str) for model in value):
        return text_of(" with ".join(value))
    return text_of(level)


def short_names(levels: Sequence[Any]) -> list[str]:
    """Return names of levels for a figure: all different, and as short as keeps them different; '–' for null.

    A path or a model id is named by its last part. A JSON list is named by its elements, shortened. A JSON object is
    named by its path, else by the keys whose values differ between the objects.
    """
    values = [_value_of(level) for level in levels]
    shared = _shared_keys([value for value in values if isinstance(value, dict)])
    for parts in _PATH_PARTS:
        for with_keys in (False, True):
            names = [printable(_short_name(value, parts, shared, with_keys)) for value in values]
            if len(set(names)) == len(names):
                return unique_names([middle_out(name, MAX_LABEL) for name in names])
    return unique_names([middle_out(NULL if pd.isna(level) else printable(str(level)), MAX_LABEL) for level in levels])


def _value_of(level: Any) -> Any:
    """Return the list or object that a level holds as JSON, else its text; None for null."""
    if pd.isna(level):
        return None
    text = str(level)
    if text.startswith(("[", "{")) and text.count("[") + text.count("{") <= _MAX_NESTED:
        with suppress(ValueError):
            return json.loads(text)
    return text


def _placed_in_words(value: Any) -> str:
    """Return 'all on cpu' for the device map of one device, and the same for a list of them; '' for other values."""
    if isinstance(value, list) and value:
        each = [_placed_in_words(item) for item in value if isinstance(item, dict)]
        return " and ".join(each) if len(each) == len(value) and all(each) else ""
    if not isinstance(value, dict) or list(value) != [""] or not isinstance(device := value[""], int | str):
        return ""
    return f"all on {f'device {device}' if isinstance(device, int) else device}"


def _shared_keys(objects: Sequence[dict[str, Any]]) -> frozenset[str]:
    """Return the keys whose value is the same in all objects; none for fewer than two objects."""
    if len(objects) < 2:
        return frozenset()
    first, *others = objects
    return frozenset(key for key in first if all(key in other and other[key] == first[key] for other in others))


def _short_name(value: Any, parts: int, shared: frozenset[str], with_keys: bool) -> str:
    """Return a name in which paths have so many parts. With `with_keys`, an object with a path names its other keys."""
    if isinstance(value, list):
        return ", ".join(_value_name(item, parts) for item in value) or "[]"
    if not isinstance(value, dict):
        return _value_name(value, parts)
    path = [_value_name(value["path"], parts)] if isinstance(value.get("path"), str) else []
    if path and not with_keys:
        return path[0]
    if words := _placed_in_words(value):
        return words
    rest = {key: item for key, item in value.items() if not (path and key == "path")}
    pairs = {key: item for key, item in rest.items() if key not in shared} or ({} if path else rest)
    return ", ".join([*path, *_pairs(pairs, parts)]) or "{}"


def _value_name(value: Any, parts: int) -> str:
    """Return the name of a value inside a list or an object. Text is named by the last parts of its path."""
    if isinstance(value, str):
        kept = value.rstrip("/").split("/")[-parts:]
        return value if "://" in value and parts > 1 else "/".join(kept) or value
    if isinstance(value, list):
        return f"[{', '.join(_value_name(item, parts) for item in value)}]"
    if isinstance(value, dict):
        return _placed_in_words(value) or f"{{{', '.join(_pairs(value, parts))}}}"
    return NULL if value is None else json.dumps(value)


def _pairs(value: dict[str, Any], parts: int) -> list[str]:
    """Return 'key=value' for each key. An empty key, as in a device map, is left out."""
    return [f"{key}={_value_name(item, parts)}" if key else _value_name(item, parts) for key, item in value.items()]


def unique_names(names: Sequence[str]) -> list[str]:
    """Return the same names, with a number behind each name that occurred before."""
    seen: Counter[str] = Counter()
    taken = set(names)
    apart = []
    for name in names:
        seen[name] += 1
        different = name
        while seen[name] > 1 and different in taken:
            different = f"{name} ({seen[name]})"
            seen[name] += different in taken
        taken.add(different)
        apart.append(different)
    return apart
