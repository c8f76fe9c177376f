"""Length groups: ranges of a text's size, each with enough records of human text for the promise.

Sizes are tokens, or windows of a text. Ranges are contiguous and rise. They are made from sizes alone, no score is
looked at:

1. borders at the eighths of the human texts' sizes, from the smallest size to the largest;
2. while a range has too few records, the one with the fewest is merged with that neighbour which has fewer.

A record counts once in each range where it has a text.
"""

import math
from collections.abc import Sequence
from numbers import Real
from typing import Any, Final, NamedTuple

import numpy as np
import pandas as pd

from analysis.thresholds.refused import refuse
from sweeps.errors import UserError

MOST_GROUPS: Final = 8


class Range(NamedTuple):
    """A range of sizes, both ends included."""

    low: int
    high: int


def merged_ranges(sizes: Any, records: Any, needed: int) -> list[Range]:
    """Return ranges of at least `needed` records each; one range, of however many records, where there are too few.

    Args:
        sizes: Size of each human text.
        records: Record of each.
        needed: Records that a range needs.
    """
    frame = pd.DataFrame({"size": np.asarray(sizes, np.int64), "record": np.asarray(records)}).drop_duplicates()
    inner = np.quantile(frame["size"], np.arange(1, MOST_GROUPS) / MOST_GROUPS, method="higher")
    starts = np.unique([int(frame["size"].min()), *inner.astype(int).tolist()]).tolist()
    while len(starts) > 1:
        counts = _records_in(frame, starts)
        fewest = int(np.argmin(counts))
        if counts[fewest] >= needed:
            break
        left = counts[fewest - 1] if fewest else np.inf
        right = counts[fewest + 1] if fewest + 1 < len(starts) else np.inf
        del starts[fewest if left <= right else fewest + 1]
    ends = [start - 1 for start in starts[1:]]
    return [Range(low, high) for low, high in zip(starts, [*ends, int(frame["size"].max())], strict=True)]


def ranges_between(borders: Sequence[float]) -> list[Range]:
    """Return the ranges between borders. A border begins a range; the last one ends the last range, and is in it.

    Raises:
        UserError: there are fewer than two borders, they do not rise, or one is no number.
    """
    given: list[Any] = list(borders)
    are_numbers = all(isinstance(border, Real) and math.isfinite(border) for border in given)
    whole = [int(border) for border in given] if are_numbers else []
    if len(whole) < 2 or whole != sorted(set(whole)) or whole[0] < 0 or whole != list(borders):
        raise UserError(f"bins {list(borders)}: two or more whole numbers are needed, and they must rise")
    ends = [start - 1 for start in whole[1:-1]] + [whole[-1]]
    return [Range(max(1, low), high) for low, high in zip(whole, ends, strict=False)]


def common_prefixes(sizes: Any, records: Any, needed: int) -> list[Range]:
    """Return the prefix lengths, a range each, of which at least `needed` records have all.

    The longest prefixes are left out as long as too few records reach them.
    """
    frame = pd.DataFrame({"size": np.asarray(sizes, np.int64), "record": np.asarray(records)}).drop_duplicates()
    lengths = sorted(frame["size"].unique().tolist())
    while True:
        held = frame[frame["size"].isin(lengths)].groupby("record").size()
        if int((held == len(lengths)).sum()) >= needed or len(lengths) == 1:
            return [Range(length, length) for length in lengths]
        lengths.pop()


def group_of_each(sizes: Any, ranges: Sequence[Range]) -> Any:
    """Return the number of the range that each size is in; −1 outside of all."""
    values = np.asarray(sizes, np.int64)
    number = np.searchsorted([item.low for item in ranges], values, side="right") - 1
    highs = np.array([item.high for item in ranges])
    return np.where((number >= 0) & (values <= highs[np.maximum(number, 0)]), number, -1)


def check_records(counts: Sequence[int], ranges: Sequence[Range], needed: int, asked: str) -> None:
    """Refuse ranges with too few records.

    Args:
        counts: Records by range.
        ranges: The ranges.
        needed: Records that each needs.
        asked: The promise in words.

    Raises:
        Refused: a range has too few.
    """
    if (n := min(counts)) < needed:
        low, high = ranges[list(counts).index(n)]
        place = f" in the group of sizes {low} to {high}" if len(ranges) > 1 else ""
        raise refuse(
            f"{asked} needs {needed:,} different records with human text to calibrate on{place}; there are {n:,}. "
            "Score more records, give more of them to the calibrate part (split), or ask for a higher fpr or a "
            "lower confidence",
            n,
            needed,
        )


def _records_in(frame: pd.DataFrame, starts: Sequence[int]) -> list[int]:
    number = np.searchsorted(starts, frame["size"], side="right") - 1
    counts = pd.DataFrame({"number": number, "record": frame["record"]}).groupby("number")["record"].nunique()
    return counts.reindex(range(len(starts)), fill_value=0).tolist()
