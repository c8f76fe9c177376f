"""Scored texts, setting by setting: what the sections of notebook 03 are made of, and the texts that figures show.

Knows rows and columns. Does not know statistics or figures.
"""

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
import pandas as pd

from analysis.sections.measured_sweep import MeasuredSweep
from analysis.sections.scores.setting import Setting
from analysis.sections.scores.setting_rows import TEXT, setting_rows
from analysis.thresholds.randomness import places
from scoring.scores import SCORES

SETTING: Final = (
    *("pair", "observer", "performer", "revision", "dtype_effective", "quantization", "alignment", "max_tokens"),
    *("fragments", "decoding_strategy"),
)
"""Columns that say how texts were made and scored: a calibration is of one value of each."""
DIRECTED: Final = tuple(name for name, kind in SCORES.items() if kind.direction)
"""Scores with a side on which synthetic text lies."""
_MOST_HASHED: Final = 50_000
"""Rows of a class that a draw looks at. Of more, so many are drawn by their place first: millions take seconds."""


def settings_of(sweep: MeasuredSweep, columns: Sequence[str] = (), *, longest: bool = False) -> list[Setting]:
    """Return the settings of a sweep, see `each_setting`."""
    return list(each_setting(sweep, columns, longest=longest))


def each_setting(sweep: MeasuredSweep, columns: Sequence[str] = (), *, longest: bool = False) -> Iterator[Setting]:
    """Yield the settings in the order of the spec, each with its rows that have a Binoculars score.

    Args:
        sweep: of the benchmark binoculars.
        columns: that are needed beside the score, the length in tokens, and what tells texts apart. Millions of rows
            with all columns would not fit into memory twice.
        longest: of the prefixes of a text, only the longest with a score.
    """
    for part in setting_rows(sweep):
        yield part.setting(columns, longest=longest)


def fragment_run(sweep: MeasuredSweep, columns: Sequence[str] = (), *, longest: bool = False) -> list[Setting]:
    """Return the settings for a section of the fragment run, § 2.2, which is of one pair.

    A sweep of several pairs has such sections only where no sweep on the page is of one pair: their figures are large.
    """
    return settings_of(sweep, columns, longest=longest) if is_fragment_run(sweep) else []


def is_fragment_run(sweep: MeasuredSweep) -> bool:
    """Tell whether a sweep is of one pair, or no sweep on the page is."""
    pairs = [(rows, rows.ok["pair"].nunique()) for rows in sweep.on_page("binoculars") if "pair" in rows.ok]
    of_one = [rows for rows, count in pairs if count == 1]
    return not of_one or any(rows is sweep.rows for rows in of_one)


def thinned(rows: pd.DataFrame, most: int, seed: int = 0) -> pd.DataFrame:
    """Return at most so many rows of each class, drawn with the seed."""
    is_human = rows["is_human"].to_numpy(np.bool_)
    told_apart = [name for name in (*TEXT, "prefix_tokens") if name in rows]
    parts = []
    for inside in (is_human, ~is_human):
        chosen = np.flatnonzero(inside)
        if len(chosen) > _MOST_HASHED:
            drawn = np.random.default_rng(seed).choice(len(chosen), _MOST_HASHED, replace=False)
            chosen = chosen[np.sort(drawn)]
        if len(chosen) > most:
            place = pd.Series(places(rows.iloc[chosen][told_apart], seed, "thinned"))
            chosen = chosen[place.nsmallest(most).index.sort_values()]
        parts.append(rows.iloc[chosen])
    return pd.concat(parts)


def thinned_note(shown: int, total: int) -> str:
    """Return a sentence on the number of points that a figure shows."""
    if shown == total:
        return f"Each point is a text: {total:,} in all."
    return f"{shown:,} of {total:,} texts are shown as points, drawn at random with a fixed seed."
