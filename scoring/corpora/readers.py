"""Registry of the readers, by the suffix of a file's name."""

from collections.abc import Callable
from typing import Final

from scoring.corpora.arrow_files import HubDataset, Parquet
from scoring.corpora.delimited import Delimited
from scoring.corpora.json_files import json_reader
from scoring.corpora.json_lines import JsonLines
from scoring.corpora.raw_rows import Dialect, Reader
from scoring.corpora.streams import COMPRESSIONS, suffixes
from scoring.errors import CorpusError
from scoring.wording import printable

HUB_PREFIX: Final = "hf://"
READERS: Final[dict[str, Callable[[str, Dialect], Reader]]] = {
    ".jsonl": JsonLines,
    ".ndjson": JsonLines,
    ".csv": Delimited,
    ".tsv": Delimited,
    ".json": json_reader,
    ".parquet": Parquet,
}
"""Readers by suffix."""
READABLE: Final = f"{', '.join(READERS)}, each also with {' or '.join(COMPRESSIONS)}"


def reader_of(file: str, dialect: Dialect) -> Reader:
    """Return the reader of a file, or of `hf://dataset:split`.

    Raises:
        CorpusError: there is no reader for the file's suffix, or the file is a broken `.json`.
        OSError: the file is a `.json` and not there.
    """
    if file.startswith(HUB_PREFIX):
        dataset, _, split = file.removeprefix(HUB_PREFIX).partition(":")
        return HubDataset(dataset, split)
    form, compression = suffixes(file)
    if form not in READERS:
        suffix = form + compression
        raise CorpusError(
            f"{printable(file, 500)}: cannot read {suffix or 'a file without suffix'}; can read {READABLE}"
        )
    return READERS[form](file, dialect)


def is_readable(file: str) -> bool:
    """Return True where there is a reader for a file of this name."""
    return suffixes(file)[0] in READERS
