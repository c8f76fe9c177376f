"""Columns as people read them: titles, units and numbers.

Knows columns by their names, whose suffix is the unit (see sweeps/schema.py). Does not know levels, rows, figures or
the page.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

import numpy as np
import pandas as pd

NULL: Final = "–"
"""Text for a null."""
_MAX_DIGITS: Final = 18
"""Numbers of more digits are written with an exponent: no measurement is that large or that small."""
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
    "kl": "KL divergence",
    "kl_p99": "KL divergence, 99th percentile",
    "top1_agreement": "top-1 agreement",
    "log_ppl_reference": "log-perplexity at full precision",
    "log_ppl_quantized": "log-perplexity, quantized",
    "ppl_ratio": "perplexity ratio",
    "cpu_cores": "CPU cores",
    "peak_rss_beyond_model_bytes": "peak RSS beyond the model (host)",
    "fast_detect": "Fast-DetectGPT",
    "log_rank": "log-rank",
    "lrr": "LRR",
}
_UNITS: Final[dict[str, tuple[tuple[float, str], ...]]] = {
    "_tokens_per_s": ((1, "tokens/s"),),
    "_bytes_per_s": ((1e9, "GB/s"), (1e6, "MB/s"), (1e3, "kB/s"), (1, "B/s")),
    "_per_s": ((1, "1/s"),),
    "_s": ((1, "s"), (1e-3, "ms"), (1e-6, "µs")),
    "_bytes": ((2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB"), (1, "B")),
}
"""Units that a column of this suffix may be shown in, largest first: divisor and name."""


@dataclass(frozen=True)
class Scale:
    """Unit of a column's values as they are shown: each value is divided by `divisor`; `unit` may be ''."""

    divisor: float
    unit: str


def title_of(column: str) -> str:
    """Return a column's name for people, without its unit."""
    suffix = next((suffix for suffix in _UNITS if column.endswith(suffix)), "")
    return _TITLES.get(column, column.removesuffix(suffix).replace("_", " "))


def scale_of(column: str, values: Iterable[float]) -> Scale:
    """Return the largest unit in which the median of the absolute values is at least 1. Nulls do not count."""
    units = next((units for suffix, units in _UNITS.items() if column.endswith(suffix)), ((1.0, ""),))
    sizes = np.abs([value for value in values if not pd.isna(value)])
    typical = float(np.median(sizes)) if len(sizes) else 1.0
    return Scale(*next((unit for unit in units if typical >= unit[0]), units[-1 if typical else 0]))


def axis_title(column: str, scale: Scale) -> str:
    """Return a title with its unit, as 'inference time (ms)'."""
    return f"{title_of(column)} ({scale.unit})" if scale.unit else title_of(column)


def number(value: Any, divisor: float = 1) -> str:
    """Return a number with four significant digits and thousands set apart; '–' for null.

    An exponent is written only where a number has more than 18 digits.
    """
    if pd.isna(value):
        return NULL
    shown = Decimal(f"{value / divisor:.3e}")
    if not shown.is_finite() or abs(shown.adjusted()) > _MAX_DIGITS:
        return f"{shown:g}"
    return f"{shown:,f}" if shown else "0"


def capital(text: str) -> str:
    """Return a text with a capital first letter, to begin a sentence."""
    return text[:1].upper() + text[1:]


def duration(seconds: float) -> str:
    """Return a duration as '3 h 12 min', '4 min 5 s' or '6.2 s'."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"
