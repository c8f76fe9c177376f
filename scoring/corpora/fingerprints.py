"""Fingerprints of rows, by their content: of the first n rows of a file, and of every shard."""

import hashlib
from typing import Final

NO_ROWS: Final = hashlib.sha256().hexdigest()
"""The fingerprint of no rows."""


class Fingerprint:
    """SHA-256 of the content of rows, added one after the other."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self.rows = 0

    def add(self, content: bytes) -> None:
        """Add the content of a row, after its length: the same bytes, cut into other rows, have another fingerprint."""
        self._hash.update(len(content).to_bytes(8, "big") + content)
        self.rows += 1

    def hex(self) -> str:
        """Return the fingerprint of all rows so far."""
        return self._hash.hexdigest()
