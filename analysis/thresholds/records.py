"""Records that count as one: the same human text under several names, and texts that are nearly the same."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

Link = tuple[str, Any]
"""A record and something that it shares with other records."""


def counted_records(frame: pd.DataFrame, same: Mapping[str, Any] | None, whole: bool) -> "pd.Series[str]":
    """Return the name of the record that each text counts as: the smallest record id among those that are one.

    Args:
        frame: Texts with record_id and is_human, and text_sha256 where it is known.
        same: Cluster by record id: records of one cluster are one. None: not known.
        whole: The texts are whole, so equal hashes of human texts are equal texts.
    """
    links: list[Link] = [(str(record), ("same", cluster)) for record, cluster in (same or {}).items()]
    if whole and "text_sha256" in frame:
        human = frame.loc[frame["is_human"] & frame["text_sha256"].notna(), ["record_id", "text_sha256"]]
        pairs = human.drop_duplicates()
        links += [
            (record, ("sha256", sha))
            for record, sha in zip(pairs["record_id"].astype(str), pairs["text_sha256"].astype(str), strict=True)
        ]
    records = sorted(frame["record_id"].astype(str).unique())
    return frame["record_id"].astype(str).map(smallest_of_each(records, links)).astype(str)


def smallest_of_each(records: Sequence[str], links: Iterable[Link]) -> dict[str, str]:
    """Return the smallest record that each record is linked with, itself included.

    Args:
        records: Sorted, each once.
        links: Links of records; those of other records are ignored.
    """
    place = {record: number for number, record in enumerate(records)}
    keys: dict[Any, int] = {}
    ends = [(place[record], keys.setdefault(key, len(keys))) for record, key in links if record in place]
    if not ends:
        return dict(zip(records, records, strict=True))
    left, right = np.array(ends).T
    size = len(records) + len(keys)
    graph = coo_array((np.ones(len(ends), np.int8), (left, right + len(records))), shape=(size, size))
    component = connected_components(graph, directed=False)[1][: len(records)]
    _, first = np.unique(component, return_index=True)  # records are sorted: the first is the smallest
    smallest = dict(zip(component[first].tolist(), first.tolist(), strict=True))
    return {record: records[smallest[int(number)]] for record, number in zip(records, component, strict=True)}
