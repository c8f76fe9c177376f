"""Statistics of every setting, and the comparison of settings on the texts that all of them scored."""

from collections.abc import Sequence
from functools import partial
from typing import Any, Final, NamedTuple

import numpy as np
import pandas as pd

from analysis.in_threads import in_threads
from analysis.multiplicity import holm
from analysis.sections.scores.by_record import difference, record_numbers
from analysis.sections.scores.setting import FEWEST_RECORDS, Setting
from analysis.thresholds.clustered_auroc import clustered_aurocs, compared, separation
from analysis.thresholds.randomness import places
from analysis.thresholds.roc import machine_like

_TEXT: Final = ("dataset", "record_id", "author", "generator", "fragment_index", "start_word", "prefix_tokens")
_OTHER_TEXTS: Final = ("corpus", "fragments")
"""Factors whose levels are other texts, whatever their records are called."""
_CONCLUSIONS: Final = ("low", "high", "p_welch", "p_paired", "auroc_low", "auroc_high")
"""Columns that are null where there are too few records."""


class Keyed(NamedTuple):
    """Texts of a setting, each once."""

    keys: Any
    """Number of each text, ascending."""
    rows: Any
    """Row of each text."""


def statistics(settings: Sequence[Setting], score: str = "score") -> pd.DataFrame:
    """Return the statistics of each setting, highest AUROC first.

    Returns:
        Columns: setting, those of `by_record.Difference`, p_welch_holm and p_paired_holm (adjusted over the settings),
        auroc, auroc_low, auroc_high, fewest_records (of the class that has fewer). Tests and intervals are null where a
        class has fewer than 20 records, the paired test where fewer than 20 records have paired texts.
    """
    table = pd.DataFrame(in_threads(partial(_row, score=score), settings))
    for name in ("p_welch", "p_paired"):
        table[f"{name}_holm"] = holm(table[name].astype("float64"))
    return table.sort_values("auroc", ascending=False, na_position="last", kind="stable", ignore_index=True)


def comparisons(settings: Sequence[Setting], score: str = "score") -> tuple[pd.DataFrame, str]:
    """Return each two settings with the difference of their AUROCs on the texts that all settings scored, or why not.

    Settings of different corpora or fragments are of different texts, and are not compared with each other.

    Returns:
        The table of `clustered_auroc.compared`, with a row for each two settings; empty where nothing is compared. And
        a sentence: the number of texts that are compared, or the reason why there are none.
    """
    both = [setting for setting in settings if setting.n_human and setting.n_synthetic]
    if len(both) < 2:
        return pd.DataFrame(), "Nothing is compared: fewer than two pairs scored texts of both authors."
    of_texts: dict[tuple[str, ...], list[Setting]] = {}
    for setting in both:
        of_texts.setdefault(_other_texts(setting), []).append(setting)
    if len(of_texts) == 1:
        return _compared_with_all(both, score)
    found = [_compared_with_all(own, score)[0] for own in of_texts.values() if len(own) > 1]
    tables = [table for table in found if not table.empty]
    if not tables:
        return pd.DataFrame(), f"Nothing is compared: texts of different {' or '.join(_OTHER_TEXTS)} are not the same."
    every = pd.concat(tables, ignore_index=True)
    return every.assign(p_holm=holm(every["p"])), (
        f"Only pairs of the same {' and '.join(_OTHER_TEXTS)} are compared with each other: on the texts that all of "
        "these scored, by record, with Holm's correction over all comparisons."
    )


def _compared_with_all(both: Sequence[Setting], score: str) -> tuple[pd.DataFrame, str]:
    """Return what `comparisons` does, of settings with one corpus and one fragments setting."""
    texts = _shared(in_threads(_keyed, both))
    if not len(texts[0]):
        return pd.DataFrame(), "The pairs are not compared: no text was scored by all of them."
    first = both[0].rows.iloc[texts[0]]
    human = first["is_human"].to_numpy(np.bool_)
    records = first.groupby("is_human")["record_id"].nunique().reindex([True, False], fill_value=0)
    if records.min() < FEWEST_RECORDS:
        return pd.DataFrame(), (
            f"The pairs are not compared: texts of {records[True]:,} records with human and {records[False]:,} with "
            f"synthetic text were scored by all of them, and {FEWEST_RECORDS} of each are needed."
        )
    values = np.array(
        [machine_like(setting.rows[score].array[own], score) for setting, own in zip(both, texts, strict=True)]
    )
    aurocs = clustered_aurocs(values, human, record_numbers(first))
    return compared(aurocs, [setting.name for setting in both]), (
        f"Pairs are compared on the {len(first):,} texts of {first['record_id'].nunique():,} records that all of them "
        "scored, by record, with Holm's correction."
    )


def _other_texts(setting: Setting) -> tuple[str, ...]:
    """Return the levels of a setting that say which texts it is of.

    They are taken from the rows: where each pair scored a corpus of its own, the corpus is no level beside the pair.
    """
    return tuple(
        ", ".join(sorted(map(str, setting.rows[name].unique())))
        if name in setting.rows
        else str(setting.levels.get(name))
        for name in _OTHER_TEXTS
    )


def _row(setting: Setting, score: str) -> dict[str, Any]:
    found = difference(setting.rows, score)
    row: dict[str, Any] = {"setting": setting.name, **found._asdict()}
    row |= {"auroc": None, "auroc_low": None, "auroc_high": None, "fewest_records": setting.fewest_records}
    if found.paired_records < FEWEST_RECORDS:
        row["p_paired"] = None
    if found.n_human and found.n_synthetic:
        values = machine_like(setting.rows[score], score)
        human = setting.rows["is_human"].to_numpy(bool)
        own = separation(clustered_aurocs(values, human, record_numbers(setting.rows)))
        row |= {"auroc": own.auroc, "auroc_low": own.low, "auroc_high": own.high}
    return row if setting.can_conclude else row | dict.fromkeys(_CONCLUSIONS)


def _keyed(setting: Setting) -> Keyed:
    """Return a number for each text of a setting that is the same for the same text in every setting, in order."""
    keys = places(setting.rows[[name for name in _TEXT if name in setting.rows]], 0, "text")
    order = np.argsort(keys)
    ordered = keys[order]
    is_first = np.append(True, ordered[1:] != ordered[:-1])
    if not is_first.all():  # of equal texts, the first counts
        order = np.argsort(keys, kind="stable")
    return Keyed(ordered[is_first], order[is_first])


def _shared(keyed: Sequence[Keyed]) -> list[Any]:
    """Return the rows of each setting that hold the texts that all settings hold, in the same order."""
    shared = keyed[0].keys
    for own in keyed[1:]:
        if not np.array_equal(own.keys, shared):
            shared = np.intersect1d(shared, own.keys, assume_unique=True)
    return [own.rows[np.searchsorted(own.keys, shared)] if len(own.keys) > len(shared) else own.rows for own in keyed]
