"""Fingerprints: what rows are, by their content. The first n rows of a file have one, and so has every shard."""

import hashlib
from typing import Final

NO_ROWS: Final = hashlib.sha256().hexdigest()
"""The fingerprint of no rows."""


class Fingerprint:
    """Takes the content of one row after the other."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self.rows = 0

    def add(self, content: bytes) -> None:
        """Take one more row; its length goes first, so that rows cannot be cut elsewhere and be the same."""
        self._hash.update(len(content).to_bytes(8, "big") + content)
        self.rows += 1

    def hex(self) -> str:
        """Fingerprint of all rows so far."""
        return self._hash.hexdigest()
