"""How columns read for people: titles, units, numbers, levels.

Knows columns by their names, whose suffix is the unit (see sweeps/schema.py). Does not know rows, figures or
the page.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

import numpy as np
import pandas as pd

from sweeps.printable import middle_out, printable

NULL: Final = "–"
"""What stands where there is no value."""
MAX_TEXT: Final = 200
"""Longer names lose their middle on the page; files of tables hold them whole."""
MAX_LABEL: Final = 40
"""The same in figures."""
_MAX_DIGITS: Final = 18
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
    """How a column's values are shown: divided by `divisor`, in `unit` ('' where it has none)."""

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
    """Levels for a figure, all different: the last part of a path or model id where that is unique; '–' for null."""
    names = [NULL if pd.isna(level) else printable(str(level)) for level in levels]
    tails = [name.rstrip("/").rpartition("/")[2] or name for name in names]
    chosen = tails if len(set(tails)) == len(tails) else names
    return told_apart([middle_out(name, MAX_LABEL) for name in chosen])


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
