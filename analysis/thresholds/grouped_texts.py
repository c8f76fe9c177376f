"""Texts in their length groups, and the threshold of each group."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from analysis.thresholds.asked import Asked
from analysis.thresholds.length_groups import (
    Range,
    check_records,
    common_prefixes,
    group_of_each,
    merged_ranges,
    ranges_between,
)
from analysis.thresholds.order_statistic import largest_k, order_statistic, records_needed
from analysis.thresholds.randomness import one_of_each
from analysis.thresholds.refused import refuse
from analysis.thresholds.settings import direction_of
from analysis.thresholds.texts import Kind, Texts
from scoring.calibration_tables import LengthGroup


class Grouped(NamedTuple):
    """Texts in groups."""

    frame: pd.DataFrame
    """The texts, with `group_number` (of the range, −1 outside of all) and `length_group` (its name)."""
    ranges: list[Range]
    human: pd.DataFrame
    """Human texts of the calibrate part that are in a group."""
    remarks: list[str]


def grouped(texts: Texts, asked: Asked) -> Grouped:
    """Put texts into groups that can keep the promise.

    Raises:
        Refused: even one group has too few records.
    """
    frame = texts.frame
    human = frame[frame["is_human"] & (frame["part"] == "calibrate")]
    needed = records_needed(asked.fpr, asked.confidence)
    if human.empty:
        raise refuse(
            f"{asked.promise} needs {needed:,} different records with human text to calibrate on; there is none. Score "
            "human texts: the author of their rows is human",
            0,
            needed,
        )
    remarks: list[str] = []
    if asked.bins is not None:
        ranges = ranges_between(asked.bins)
    elif texts.kind == "prefixes":
        ranges = common_prefixes(human["size"], human["record"], needed)
        if left_out := sorted(set(frame["size"]) - {item.low for item in ranges}):
            remarks.append(f"prefixes of {', '.join(map(str, left_out))} tokens: too few records for the promise")
        remarks.append(
            f"every prefix length has the same texts, those of {ranges[-1].low} tokens or more; so has the promise"
        )
    elif asked.by == "none":
        ranges = [Range(int(human["size"].min()), int(human["size"].max()))]
    else:
        ranges = merged_ranges(human["size"], human["record"], needed)
    inside = in_ranges(frame, ranges, texts.kind)
    chosen = inside.loc[human.index]
    chosen = chosen[chosen["group_number"] >= 0]
    records_by_group = chosen.groupby("group_number")["record"].nunique().reindex(range(len(ranges)), fill_value=0)
    check_records(records_by_group.tolist(), ranges, needed, asked.promise)
    if outside := int((inside["group_number"] < 0).sum()):
        prefixes = texts.kind == "prefixes" and asked.bins is None
        why = "their text does not reach every prefix length" if prefixes else "shorter or longer than these cover"
        rows = "prefixes" if texts.kind == "prefixes" else "texts"
        remarks.append(f"{outside:,} of {len(inside):,} {rows} are in no group: {why}")
    return Grouped(inside, ranges, chosen, remarks)


def in_ranges(frame: pd.DataFrame, ranges: Sequence[Range], kind: Kind) -> pd.DataFrame:
    """Return texts with the number and the name of their group.

    A text that does not have all of the prefix lengths is in no group: so every group has the same texts.
    """
    number = group_of_each(frame["size"], ranges)
    if kind == "prefixes" and all(item.low == item.high for item in ranges):
        same_text = [frame[name] for name in ("record", "is_human", "generator")]
        lengths = frame["size"].where(number >= 0).groupby(same_text, dropna=False).transform("nunique")
        number = np.where(lengths == len(ranges), number, -1)
    unit = " windows" if kind == "windows" else ""
    names = [f"{item.low}–{item.high}{unit}" if item.low < item.high else f"{item.low}{unit}" for item in ranges]
    return frame.assign(group_number=number, length_group=np.array([*names, None], object)[number])


def thresholds(grouped_texts: Grouped, kind: Kind, score: str, asked: Asked) -> tuple[LengthGroup, ...]:
    """Return the threshold of each group, from one human text a record and group, drawn with the seed."""
    drawn = one_of_each(grouped_texts.human, ("record", "group_number"), asked.seed)
    direction = direction_of(score)
    found = []
    for number, item in enumerate(grouped_texts.ranges):
        own = drawn[drawn["group_number"] == number]
        k = largest_k(len(own), asked.fpr, asked.confidence)
        statistic = order_statistic(own[score], k, direction)
        windows = kind == "windows"
        every = grouped_texts.human[grouped_texts.human["group_number"] == number]
        found.append(
            LengthGroup(
                min_tokens=int(every["shortest"].min()) if windows else item.low,
                max_tokens=int(every["longest"].max()) if windows else item.high,
                threshold=statistic.threshold,
                n=statistic.n,
                k=k,
                beyond=statistic.beyond,
                equal=statistic.equal,
                expected_fpr=statistic.expected_fpr,
                min_windows=item.low if windows else None,
                max_windows=item.high if windows else None,
            )
        )
    return tuple(found)
