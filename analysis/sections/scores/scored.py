"""Rows of scored texts, setting by setting: what the sections of notebook 03 are made of.

A setting is a model pair, with every other factor that varies in the sweep. Knows rows and factors. Does not know
statistics or figures.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd

from analysis.cell_factors import grouped, varies_within
from analysis.level_labels import LevelLabels, short_names
from analysis.sections.measured_sweep import MeasuredSweep
from analysis.thresholds.randomness import places
from scoring.scores import SCORES
from sweeps.printable import middle_out

HUMAN: Final = "human"
SYNTHETIC: Final = "synthetic"
AUTHORS: Final = (HUMAN, SYNTHETIC)
FEWEST_RECORDS: Final = 20
"""Records of each class below which nothing is concluded: no test, no interval, no rank."""
_NO_SETTING: Final = frozenset({"author", "dataset", "generator", "group", "prefix_tokens"})
"""Columns that tell texts apart, and not how the texts were scored."""
_TEXT: Final = ("dataset", "record_id", "author", "generator", "fragment_index", "start_word")
"""Columns that tell texts apart within a setting. Prefixes of one text are one text."""
SETTING: Final = (
    *("pair", "observer", "performer", "revision", "dtype_effective", "quantization", "alignment", "max_tokens"),
    *("fragments", "decoding_strategy"),
)
"""Columns that say how texts were made and scored: a calibration is of one value of each."""
_LENGTHS: Final = ("length_tokens", "prefix_tokens")
DIRECTED: Final = tuple(name for name, kind in SCORES.items() if kind.direction)
"""Scores with a side on which machine text lies."""
_MAX_NAME: Final = 90
_MOST_HASHED: Final = 50_000
"""Rows of a class that a draw looks at. Of more, so many are drawn by their place first: millions take seconds."""


@dataclass(frozen=True)
class Setting:
    """Rows of one setting that are of a human or machine text and have a score."""

    name: str
    """Short and unique in the sweep, as 'falcon-7b with falcon-7b-instruct'."""
    levels: dict[str, Any]
    """Level of each factor that varies in the sweep."""
    rows: pd.DataFrame
    """Columns of the rows, and is_human."""

    @property
    def n_human(self) -> int:
        """Return the number of rows of human texts."""
        return int(self.rows["is_human"].sum())

    @property
    def n_synthetic(self) -> int:
        """Return the number of rows of machine texts."""
        return len(self.rows) - self.n_human

    @property
    def fewest_records(self) -> int:
        """Return the number of records with human text, or of those with machine text, whichever is smaller."""
        records = self.rows.groupby("is_human")["record_id"].nunique()
        return int(records.reindex([True, False], fill_value=0).min())

    @property
    def can_conclude(self) -> bool:
        """Tell whether there are enough records of both classes to conclude anything."""
        return self.fewest_records >= FEWEST_RECORDS

    @property
    def has_prefixes(self) -> bool:
        """Tell whether a text has a row for each of its prefixes."""
        return "prefix_tokens" in self.rows and bool(self.rows["prefix_tokens"].notna().all())


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
    ok = sweep.rows.ok
    if not {"author", "record_id", "score"} <= set(ok):
        return
    varying = [name for name in sweep.averages.factors if name not in _NO_SETTING]
    chosen = ok["author"].isin(AUTHORS) & ok["record_id"].notna() & ok["score"].notna()
    levels = ok.loc[chosen, varying]
    factors = _factors(levels, varying)
    labels = LevelLabels({name: sweep.averages.levels[name] for name in factors})
    found = grouped(levels[factors], factors) if factors else [((), levels)]
    parts = sorted(found, key=lambda part: labels.order(factors, part[0]))
    wanted = [name for name in dict.fromkeys((*_TEXT, *_LENGTHS, "score", *columns, *factors)) if name in ok]
    for key, part in parts if chosen.any() else ():
        rows = ok.loc[part.index, wanted]
        rows["is_human"] = (rows["author"] == HUMAN).to_numpy(bool)
        setting = Setting(_name(sweep, labels, factors, key), dict(zip(factors, key, strict=True)), rows)
        yield _of_longest(setting) if longest else setting


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


def pair_name(short: str) -> str:
    """Return the name of a pair, as 'falcon-7b with falcon-7b-instruct'."""
    return short.replace(", ", " with ", 1)


def thinned(rows: pd.DataFrame, most: int, seed: int = 0) -> pd.DataFrame:
    """Return at most so many rows of each class, drawn with the seed."""
    parts = []
    for is_human in (True, False):
        of_class = rows[rows["is_human"] == is_human]
        if len(of_class) > _MOST_HASHED:
            chosen = np.random.default_rng(seed).choice(len(of_class), _MOST_HASHED, replace=False)
            of_class = of_class.iloc[np.sort(chosen)]
        if len(of_class) > most:
            told_apart = [name for name in (*_TEXT, "prefix_tokens") if name in rows]
            place = pd.Series(places(of_class[told_apart], seed, "thinned"), of_class.index)
            of_class = of_class.loc[place.nsmallest(most).index.sort_values()]
        parts.append(of_class)
    return pd.concat(parts)


def thinned_note(shown: int, total: int) -> str:
    """Return a sentence on the number of points that a figure shows."""
    if shown == total:
        return f"Each point is a text: {total:,} in all."
    return f"{shown:,} of {total:,} texts are shown as points, drawn at random with a fixed seed."


def _name(sweep: MeasuredSweep, labels: LevelLabels, factors: Sequence[str], key: Sequence[Any]) -> str:
    """Return the name of a setting; the pair alone where nothing varies."""
    if not factors:
        pair = sweep.averages.constants.get("pair")
        return pair_name(short_names([pair])[0]) if pair is not None else "all texts"
    names = [labels.short(factor, level) for factor, level in zip(factors, key, strict=True)]
    shown = [pair_name(name) if factor == "pair" else name for factor, name in zip(factors, names, strict=True)]
    return middle_out(" · ".join(shown), _MAX_NAME)


def _of_longest(setting: Setting) -> Setting:
    """Return the longest prefix of each text."""
    if not setting.has_prefixes:
        return setting
    text = [name for name in _TEXT if name in setting.rows]
    ordered = setting.rows.sort_values("prefix_tokens", kind="stable")
    longest = ordered.drop_duplicates(text, keep="last").sort_index()
    return Setting(setting.name, setting.levels, longest.drop(columns="prefix_tokens"))


def _factors(rows: pd.DataFrame, varying: Sequence[str]) -> list[str]:
    """Return the factors that tell settings apart, the pair first: without those that follow from the others."""
    factors: list[str] = []
    for name in sorted(varying, key=lambda name: name != "pair"):
        if varies_within(rows, name, factors):
            factors.append(name)
    return factors
