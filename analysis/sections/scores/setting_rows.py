"""The rows of each setting of a sweep: found once, and taken column by column for the section that needs them.

Several sections read the same millions of rows. What all of them need (what tells texts apart, lengths, score) is taken
once a sweep; a section takes only what it needs beside that.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from analysis.cell_factors import grouped_places, varies_within
from analysis.level_labels import LevelLabels, short_names
from analysis.row_codes import numbered_codes
from analysis.sections.measured_sweep import MeasuredSweep
from analysis.sections.scores.setting import AUTHORS, HUMAN, Setting
from sweeps.printable import middle_out

Places = npt.NDArray[np.intp] | slice
_NO_SETTING: Final = frozenset({"author", "dataset", "generator", "group", "prefix_tokens"})
"""Columns that tell texts apart, and not how the texts were scored."""
TEXT: Final = ("dataset", "record_id", "author", "generator", "fragment_index", "start_word")
"""Columns that tell texts apart within a setting. Prefixes of one text are one text."""
_SHARED: Final = (*TEXT, "length_tokens", "prefix_tokens", "score")
"""Columns that every section needs."""
_MAX_NAME: Final = 90


@dataclass(frozen=True)
class SettingRows:
    """The rows of one setting in its sweep."""

    name: str
    levels: dict[str, Any]
    ok: pd.DataFrame
    """Rows of the sweep with status ok."""
    places: Places
    """Places of the setting's rows among them."""

    def setting(self, columns: Sequence[str], *, longest: bool) -> Setting:
        """Return the setting with these columns beside the shared ones.

        Args:
            columns: names; those that the sweep lacks are left out.
            longest: of the prefixes of a text, only the longest with a score.
        """
        is_shorter = longest and self._every.has_prefixes
        found = self._of_longest if is_shorter else self._every
        more = [name for name in dict.fromkeys((*columns, *self.levels)) if name in self.ok and name not in found.rows]
        if not more:
            return found
        places = np.arange(len(self.ok))[self.places][self._longest] if is_shorter else self.places
        taken = {name: _taken(self.ok[name], places) for name in more}
        return Setting(self.name, self.levels, found.rows.assign(**taken))

    @cached_property
    def _every(self) -> Setting:
        """Return the setting with the shared columns of all of its rows."""
        columns = {name: _taken(self.ok[name], self.places) for name in _SHARED if name in self.ok}
        rows = pd.DataFrame(columns, copy=False)
        return Setting(self.name, self.levels, rows.assign(is_human=(rows["author"] == HUMAN).to_numpy(np.bool_)))

    @cached_property
    def _longest(self) -> npt.NDArray[np.intp]:
        """Return the place of the longest prefix of each text among the setting's rows; a whole text is the longest."""
        rows = self._every.rows
        codes, count = numbered_codes(rows, [name for name in TEXT if name in rows])
        tokens = rows["prefix_tokens"].to_numpy(np.float64, na_value=np.inf)
        ascending = np.argsort(tokens, kind="stable")
        last = np.zeros(count, np.intp)
        last[codes[ascending]] = ascending  # of several values for one place, the last stays
        return np.sort(last)

    @cached_property
    def _of_longest(self) -> Setting:
        """Return the setting with the longest prefix of each text."""
        rows = self._every.rows.iloc[self._longest].drop(columns="prefix_tokens").reset_index(drop=True)
        return Setting(self.name, self.levels, rows)


def setting_rows(sweep: MeasuredSweep) -> list[SettingRows]:
    """Return the settings of a sweep in the order of the spec, each with its rows that have a Binoculars score."""
    return sweep.once(_split)


def _split(sweep: MeasuredSweep) -> list[SettingRows]:
    ok = sweep.rows.ok
    if not {"author", "record_id", "score"} <= set(ok):
        return []
    chosen = np.flatnonzero(ok["author"].isin(AUTHORS) & ok["record_id"].notna() & ok["score"].notna())
    if not len(chosen):
        return []
    varying = [name for name in sweep.averages.factors if name not in _NO_SETTING]
    levels = pd.DataFrame({name: _taken(ok[name], _as_slice(chosen)) for name in varying}, index=range(len(chosen)))
    factors = _factors(levels, varying)
    labels = LevelLabels({name: sweep.averages.levels[name] for name in factors})
    groups = grouped_places(levels, factors)
    return [
        SettingRows(
            _name(sweep, labels, factors, key),
            dict(zip(factors, key, strict=True)),
            ok,
            _as_slice(chosen[places]),
        )
        for key, places in sorted(groups, key=lambda group: labels.order(factors, group[0]))
    ]


def _as_slice(places: npt.NDArray[np.intp]) -> Places:
    """Return places without gaps as a slice, which takes rows without copying them."""
    is_whole = int(places[-1]) - int(places[0]) + 1 == len(places)
    return slice(int(places[0]), int(places[-1]) + 1) if is_whole else places


def _taken(column: "pd.Series[Any]", places: Places) -> Any:
    """Return the values of a column at some places."""
    return column.array[places] if isinstance(places, slice) else column.array.take(places)


def _name(sweep: MeasuredSweep, labels: LevelLabels, factors: Sequence[str], key: Sequence[Any]) -> str:
    """Return the name of a setting; the pair alone where nothing varies."""
    if not factors:
        pair = sweep.averages.constants.get("pair")
        return pair_name(short_names([pair])[0]) if pair is not None else "all texts"
    names = [labels.short(factor, level) for factor, level in zip(factors, key, strict=True)]
    shown = [pair_name(name) if factor == "pair" else name for factor, name in zip(factors, names, strict=True)]
    return middle_out(" · ".join(shown), _MAX_NAME)


def pair_name(short: str) -> str:
    """Return the name of a pair, as 'falcon-7b with falcon-7b-instruct'."""
    return short.replace(", ", " with ", 1)


def _factors(rows: pd.DataFrame, varying: Sequence[str]) -> list[str]:
    """Return the factors that tell settings apart, the pair first: without those that follow from the others."""
    factors: list[str] = []
    for name in sorted(varying, key=lambda name: name != "pair"):
        if varies_within(rows, name, factors):
            factors.append(name)
    return factors
