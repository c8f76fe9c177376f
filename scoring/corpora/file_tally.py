"""Counts of the rows of one file, and the flaws and encodings of these rows."""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from scoring.corpora.raw_rows import ParsedRow

EXAMPLES: Final = 3
CONTROLS: Final = re.compile("[\x80-\x9f]")
"""C1 control characters. No text has them: in Windows' code pages these bytes are quotes, dashes and the euro sign."""


@dataclass
class FileTally:
    """Counts of a file's rows."""

    file: str
    name: str
    reads_from_start: bool
    """True where a process must pass the rows before a row, unless its last shard ended there."""
    rows: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    """Rows that are no records, by null reason."""
    missing: Counter[str] = field(default_factory=Counter)
    """Rows that lack a column of the mapping, by its key."""
    matched: Counter[str] = field(default_factory=Counter)
    """Rows by the human and the synthetic column that were taken."""
    ambiguous: Counter[str] = field(default_factory=Counter)
    """Rows by the columns that the pattern of `synthetic` matches, where it matches several."""
    columns: dict[str, None] = field(default_factory=dict)
    """Names of the columns seen, in order (a dict as an ordered set)."""
    flaws: list[str] = field(default_factory=list)
    """Flaws of the first rows that could not be decoded."""
    bad_rows: int = 0
    not_text_rows: int = 0
    """Rows whose text column holds a value that is no text."""
    not_text: Counter[str] = field(default_factory=Counter)
    """Rows by what their text column holds, as in `column 'ai' holds lists`."""
    suspicions: list[str] = field(default_factory=list)
    suspicious_rows: int = 0
    undecodable: list[str] = field(default_factory=list)
    undecodable_rows: int = 0
    half_pair_rows: int = 0
    """Rows with half a surrogate pair in a text that does not come from a byte of another encoding."""
    utf8_rows: int = 0
    """Rows whose bytes are valid as UTF-8, although the user named another encoding."""
    control_rows: int = 0
    """Rows with C1 control characters, where the user named an encoding."""

    @property
    def records(self) -> int:
        """Number of rows that have texts."""
        return self.rows - self.reasons.total()


def note_flaw(tally: FileTally, raw: ParsedRow) -> None:
    """Count a row with a flaw, and keep the first flaws as examples."""
    flaw = raw.flaw or ""
    kinds = []
    if raw.undecodable:
        tally.undecodable_rows += 1
        kinds.append(tally.undecodable)
    if raw.values is None:
        tally.bad_rows += 1
        kinds.append(tally.flaws)
    elif not raw.undecodable:
        tally.suspicious_rows += 1
        kinds.append(tally.suspicions)
    for kind in kinds:
        if len(kind) < EXAMPLES:
            kind.append(flaw)


def add_encoding(tally: FileTally, values: Mapping[str, object], encoding: str) -> None:
    """Count a row that looks as if it had another encoding than the user named."""
    text = "".join(value for value in values.values() if isinstance(value, str) and not value.isascii())
    if text and _is_utf8(text, encoding):
        tally.utf8_rows += 1
    elif CONTROLS.search(text):
        tally.control_rows += 1


def _is_utf8(text: str, encoding: str) -> bool:
    """Return True where the bytes of this text are valid as UTF-8, of fewer characters."""
    try:
        return len(text.encode(encoding, "surrogateescape").decode()) < len(text)
    except ValueError:
        return False
