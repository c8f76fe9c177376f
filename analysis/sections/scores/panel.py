"""The panel of a setting: every score on one text of each record and author, with AUROC, rates and comparisons."""

from collections.abc import Sequence
from typing import Final, NamedTuple

import pandas as pd

from analysis.sections.scores.by_record import record_numbers
from analysis.sections.scores.length_bins import bin_names, bin_of_each, edges_of
from analysis.sections.scores.scored import DIRECTED, SETTING
from analysis.sections.scores.setting import FEWEST_RECORDS, Setting
from analysis.sections.scores.setting_rows import SettingRows
from analysis.thresholds.randomness import one_of_each
from analysis.thresholds.score_comparison import compared_scores
from analysis.thresholds.separation import auroc_table, tpr_table
from analysis.thresholds.settings import Settings
from analysis.thresholds.settings import settings_of as settings_in
from analysis.thresholds.texts import scores_in, texts_of
from analysis.thresholds.views import dimensions_of
from sweeps.errors import UserError

_MOST_GROUPS: Final = 4
_TOLD_APART: Final = (
    *("record_id", "is_human", "author", "dataset", "generator", "fragment_index", "start_word"),
    *("length_tokens", "score", "log_ppl"),
)
"""Columns that a draw of texts looks at."""


class Panel(NamedTuple):
    """The panel of one setting."""

    name: str
    """Name of the setting."""
    drawn: pd.DataFrame
    """One text of each record and author: record_id, is_human, and every score."""
    auroc: pd.DataFrame
    tpr: pd.DataFrame
    pairwise: pd.DataFrame


def panel_of(rows: SettingRows) -> Panel | None:
    """Return the panel of a setting, whose other columns no other section needs; None where the rows hold no panel."""
    return _panel(rows.setting([*SETTING, *DIRECTED], longest=True))


def _panel(setting: Setting) -> Panel | None:
    """Return the panel of a setting; None where fewer than two scores have values, or a class is missing."""
    scores = scores_in(setting.rows)
    if len(scores) < 2 or not min(setting.n_human, setting.n_synthetic):
        return None
    try:
        texts = _compared_texts(setting.rows, scores)
    except UserError:  # no text has every score
        return None
    drawn = one_of_each(texts, ("record", "is_human"), 0)
    dimensions = [name for name in dimensions_of(drawn) if name != "pair"]
    needed = drawn[["record", "is_human", *scores, *dimensions]]
    auroc = auroc_table(needed, scores, dimensions)
    few = auroc[["n_human", "n_synthetic"]].min(axis=1) < FEWEST_RECORDS
    auroc.loc[few, ["auroc_low", "auroc_high"]] = None
    tpr, pairwise = _seen(tpr_table(needed, scores, dimensions)), compared_scores(drawn, scores)
    return Panel(setting.name, drawn[["record_id", "is_human", *scores]], auroc, tpr, pairwise)


def _compared_texts(rows: pd.DataFrame, scores: Sequence[str]) -> pd.DataFrame:
    """Return the texts that have every score, with the number of their record and their length group.

    Raises:
        UserError: no text has every score.
    """
    try:
        settings = settings_in(rows)
    except UserError:  # rows of several settings at once: only windows need to know them
        settings = Settings({})
    chosen = rows if settings.mode == "window" else _one_of_each_record(rows, scores)
    frame = texts_of(chosen, scores, settings).frame
    edges = edges_of(frame["length_tokens"], _MOST_GROUPS)
    names = pd.Series([*bin_names(edges), None], dtype=object)
    groups = names.to_numpy()[bin_of_each(frame["length_tokens"], edges)]
    return frame.assign(record=record_numbers(frame), length_group=groups)


def _one_of_each_record(rows: pd.DataFrame, scores: Sequence[str]) -> pd.DataFrame:
    """Return one text of each record and author that has every score, drawn with the seed.

    Drawn before anything else is done: of millions of texts, only those that are drawn are copied.
    """
    known = rows[[*scores]].notna().all(axis=1)
    names = [name for name in _TOLD_APART if name in rows]
    drawn = one_of_each(rows.loc[known, names], ("record_id", "is_human"), 0)
    return rows.loc[drawn.index]


def _seen(tpr: pd.DataFrame) -> pd.DataFrame:
    """Return the rates, null where there are too few human texts to see a rate as small as the one asked for."""
    unseen = tpr["n_human"] * tpr["fpr_asked"] < 1
    tpr.loc[unseen, ["fpr", "tpr", "tpr_low", "tpr_high"]] = None
    return tpr
