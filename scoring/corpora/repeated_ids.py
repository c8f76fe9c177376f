"""Ids that several rows of a corpus have, and the new ids that later rows get."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from scoring.corpora.history import ContinuedFile
from scoring.corpora.passing import ScannedFile, ids_of
from scoring.corpora.record_ids import RowRange, id_hash, repeated_hashes, unique_ids
from scoring.corpora.records import RecordMaker
from scoring.corpora.settings import CorpusSettings


class RepeatedIds(NamedTuple):
    """Ids that several rows have."""

    ids: Mapping[int, str]
    """Ids by their hash."""
    counts: Mapping[str, int]
    """Number of rows by id."""


def find_repeated_ids(files: Iterable[ScannedFile], settings: CorpusSettings) -> RepeatedIds:
    """Find repeated hashes of ids, then read the files with such ids again for the ids themselves."""
    hashes = {file: file.ids.hashes(file.name) for file in files if file.ids is not None}
    counts = repeated_hashes(hashes.values())
    if not counts:
        return RepeatedIds({}, {})
    maker, wanted = RecordMaker(settings.columns), np.fromiter(counts, np.uint64, len(counts))
    ids: dict[int, str] = {}
    for file, own in hashes.items():
        if np.isin(own, wanted).any():
            found = ids_of(file, maker, settings.dialect, lambda record_id: id_hash(record_id) in counts)
            ids |= {id_hash(record_id): record_id for record_id in found}
    return RepeatedIds(ids, {record_id: counts[value] for value, record_id in ids.items()})


def new_record_ids(files: Sequence[ContinuedFile], repeated: RepeatedIds) -> Mapping[str, Mapping[int, str]]:
    """Return new ids by file and row. Of rows with the same id, the row that came to the corpus first keeps the id."""
    hashes = {name: file.ids.hashes(name) for file, name, _ in files if file.ids is not None}
    runs = []
    for time in range(max(len(states) for _, _, states in files)):
        for _, name, states in files:
            first = states[time - 1].rows if time else 0
            runs.append(RowRange(name, first, hashes[name][first : states[time].rows]))
    new_ids: dict[str, dict[int, str]] = {}
    for (name, row), record_id in unique_ids(runs, repeated.ids).items():
        new_ids.setdefault(name, {})[row] = record_id
    return new_ids
