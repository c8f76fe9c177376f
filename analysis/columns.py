"""Columns as people read them: titles, units, numbers, levels.

Knows columns by their names, whose suffix is the unit (see sweeps/schema.py). Does not know rows, figures or
the page.
"""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

import numpy as np
import pandas as pd

from sweeps.printable import middle_out, printable

NULL: Final = "–"
"""Text for a value that is not there."""
MAX_TEXT: Final = 200
"""Longer names lose their middle on the page; files of tables hold them whole."""
MAX_LABEL: Final = 40
"""Longer names lose their middle in figures."""
_MAX_DIGITS: Final = 18
_PATH_PARTS: Final = (1, 2, 3)
"""Last parts of a path that a figure tries, until all names differ."""
_MAX_NESTED: Final = 64
"""Text with more brackets is taken as text: nesting without end cannot be read."""
_TITLES: Final = {
    "ttft_s": "TTFT",
    "tpot_s": "TPOT",
    "generation_rate_tokens_per_s": "generation rate",
    "prefill_tokens_per_s": "prefill rate",
    "decode_tokens_per_s": "decode rate",
    "load_rate_bytes_per_s": "load rate by size",
    "peak_rss_bytes": "peak RSS (host)",
    "score": "Binoculars score",
    "log_ppl": "log-perplexity",
    "log_xppl": "log cross-perplexity",
    "cpu_cores": "CPU cores",
}
_UNITS: Final[dict[str, tuple[tuple[float, str], ...]]] = {
    "_tokens_per_s": ((1, "tokens/s"),),
    "_bytes_per_s": ((1e9, "GB/s"), (1e6, "MB/s"), (1e3, "kB/s"), (1, "B/s")),
    "_per_s": ((1, "1/s"),),
    "_s": ((1, "s"), (1e-3, "ms"), (1e-6, "µs")),
    "_bytes": ((2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB"), (1, "B")),
}
"""Column suffix to the units it may be shown in, largest first."""


@dataclass(frozen=True)
class Scale:
    """The way a column's values are shown: divided by `divisor`, in `unit` ('' where it has none)."""

    divisor: float
    unit: str


def title_of(column: str) -> str:
    """A column's name for people, without its unit."""
    suffix = next((suffix for suffix in _UNITS if column.endswith(suffix)), "")
    return _TITLES.get(column, column.removesuffix(suffix).replace("_", " "))


def scale_of(column: str, values: Iterable[float]) -> Scale:
    """The largest unit in which the median of the absolute values is at least one."""
    units = next((units for suffix, units in _UNITS.items() if column.endswith(suffix)), ((1.0, ""),))
    sizes = np.abs([value for value in values if not pd.isna(value)])
    typical = float(np.median(sizes)) if len(sizes) else 1.0
    return Scale(*next((unit for unit in units if typical >= unit[0]), units[-1 if typical else 0]))


def axis_title(column: str, scale: Scale) -> str:
    """'inference time (ms)'."""
    return f"{title_of(column)} ({scale.unit})" if scale.unit else title_of(column)


def number(value: Any, divisor: float = 1) -> str:
    """Four significant digits, thousands set apart, an exponent only for what no measurement is; '–' for null."""
    if pd.isna(value):
        return NULL
    shown = Decimal(f"{value / divisor:.3e}")
    if not shown.is_finite() or abs(shown.adjusted()) > _MAX_DIGITS:
        return f"{shown:g}"
    return f"{shown:,f}" if shown else "0"


def duration(seconds: float) -> str:
    """'3 h 12 min', '4 min 5 s', '6.2 s'."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def text_of(level: Any) -> str:
    """A level as one line of text, without what has no picture, long ones without their middle; '–' for null."""
    return NULL if pd.isna(level) else middle_out(printable(str(level)), MAX_TEXT)


def short_names(levels: Sequence[Any]) -> list[str]:
    """Levels for a figure, all different, and as short as tells them apart; '–' for null.

    A path or a model id is its last part. A JSON list is its elements, shortened; a JSON object is its path, or what
    tells it from the other objects.
    """
    values = [_value_of(level) for level in levels]
    shared = _shared([value for value in values if isinstance(value, dict)])
    for parts in _PATH_PARTS:
        for with_keys in (False, True):
            names = [printable(_short(value, parts, shared, with_keys)) for value in values]
            if len(set(names)) == len(names):
                return told_apart([middle_out(name, MAX_LABEL) for name in names])
    return told_apart([middle_out(NULL if pd.isna(level) else printable(str(level)), MAX_LABEL) for level in levels])


def _value_of(level: Any) -> Any:
    """The list or object that a level is as JSON, else its text; None for null."""
    if pd.isna(level):
        return None
    text = str(level)
    if text.startswith(("[", "{")) and text.count("[") + text.count("{") <= _MAX_NESTED:
        with suppress(ValueError):
            return json.loads(text)
    return text


def _shared(objects: Sequence[dict[str, Any]]) -> frozenset[str]:
    """Keys whose value is the same in all of several objects."""
    if len(objects) < 2:
        return frozenset()
    first, *others = objects
    return frozenset(key for key in first if all(key in other and other[key] == first[key] for other in others))


def _short(value: Any, parts: int, shared: frozenset[str], with_keys: bool) -> str:
    """A level whose paths have so many parts; `with_keys`: an object that has a path tells its other keys too."""
    if isinstance(value, list):
        return ", ".join(_inner(item, parts) for item in value) or "[]"
    if not isinstance(value, dict):
        return _inner(value, parts)
    path = [_inner(value["path"], parts)] if isinstance(value.get("path"), str) else []
    if path and not with_keys:
        return path[0]
    rest = {key: item for key, item in value.items() if not (path and key == "path")}
    pairs = {key: item for key, item in rest.items() if key not in shared} or ({} if path else rest)
    return ", ".join([*path, *_pairs(pairs, parts)]) or "{}"


def _inner(value: Any, parts: int) -> str:
    """A value within a list or an object: text by the last parts of its path."""
    if isinstance(value, str):
        kept = value.rstrip("/").split("/")[-parts:]
        return value if "://" in value and parts > 1 else "/".join(kept) or value
    if isinstance(value, list):
        return f"[{', '.join(_inner(item, parts) for item in value)}]"
    if isinstance(value, dict):
        text = ", ".join(_pairs(value, parts))
        return text if list(value) == [""] else f"{{{text}}}"
    return NULL if value is None else json.dumps(value)


def _pairs(value: dict[str, Any], parts: int) -> list[str]:
    """Each key with its value; a key without a name, as of a device map of one device, is left out."""
    return [f"{key}={_inner(item, parts)}" if key else _inner(item, parts) for key, item in value.items()]


def told_apart(names: Sequence[str]) -> list[str]:
    """The same names, with a number behind each that was there before."""
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
