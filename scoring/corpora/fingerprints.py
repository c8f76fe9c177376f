"""Fingerprints of rows, by their content: of the first n rows of a file, and of every shard.

A fingerprint is the SHA-256 of the rows' contents, each after its length: the same bytes, cut into other rows, have
another fingerprint.
"""

import hashlib
from array import array
from collections.abc import Collection
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

NO_ROWS: Final = hashlib.sha256().hexdigest()
"""The fingerprint of no rows."""
DIGEST_BYTES: Final = 16
"""Bytes of a shard's fingerprint: 128 bits."""
BLOCK_ROWS: Final = 64
"""Rows whose content is held until it is hashed at once, at most."""
UNKNOWN: Final = -1


class ShardCuts(NamedTuple):
    """Fingerprints and places of the shards of a file, as arrays: a file may have a million shards."""

    digests: bytes
    """`DIGEST_BYTES` a shard."""
    first_bytes: npt.NDArray[np.int64] | None
    """Byte at which each shard starts; None where reading cannot begin at a byte."""

    def __len__(self) -> int:
        return len(self.digests) // DIGEST_BYTES

    def digest(self, index: int) -> str:
        """Return the fingerprint of a shard, as hex."""
        return self.digests[index * DIGEST_BYTES : (index + 1) * DIGEST_BYTES].hex()

    def first_byte(self, index: int) -> int | None:
        """Return the byte at which a shard starts; None where that is not known."""
        return None if self.first_bytes is None else int(self.first_bytes[index])


class _Cutter:
    """Fingerprints of shards while their rows are read."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self._digests, self._first_bytes = bytearray(), array("q")

    def start(self, byte: int | None) -> None:
        """Begin a shard, behind the end of another."""
        if self._first_bytes:
            self._digests += self._hash.digest()[:DIGEST_BYTES]
        self._hash = hashlib.sha256()
        self._first_bytes.append(UNKNOWN if byte is None else byte)

    def add(self, block: bytes) -> None:
        """Add rows to the shard."""
        self._hash.update(block)

    def cuts(self) -> ShardCuts:
        """End the last shard."""
        digests = bytes(self._digests) + (self._hash.digest()[:DIGEST_BYTES] if self._first_bytes else b"")
        first_bytes = np.array(self._first_bytes, np.int64)
        return ShardCuts(digests, None if (first_bytes == UNKNOWN).any() else first_bytes)


class RowFingerprints:
    """Fingerprints of a file, of its first n rows at some counts, and of shards, in one pass over its rows."""

    def __init__(
        self, stops: Collection[int] = (), shard_sizes: Collection[int] = (), growths: Collection[int] = ()
    ) -> None:
        """
        Args:
            stops: Row counts at which fingerprints of all rows so far are kept.
            shard_sizes: Rows of a shard; for each size the file is cut into shards.
            growths: Row counts at which a shard ends, whatever its size.
        """
        self.rows = 0
        self.digests = {0: NO_ROWS}
        """Fingerprints of the first n rows by n."""
        self._hash = hashlib.sha256()
        self._stops = sorted({*stops, *growths}, reverse=True)
        self._growths = frozenset(growths)
        self._last_growth = 0
        self._cutters = {size: _Cutter() for size in shard_sizes}
        self._pieces: list[bytes] = []
        self._next_stop = 0

    def add(self, byte: int | None, content: bytes) -> None:
        """Add the next row, and the byte at which it starts."""
        if self.rows == self._next_stop:
            self._stop()
            for size, cutter in self._cutters.items():
                if (self.rows - self._last_growth) % size == 0:
                    cutter.start(byte)
        self._pieces += (len(content).to_bytes(8, "big"), content)
        self.rows += 1

    def cuts(self) -> dict[int, ShardCuts]:
        """End after the last row. Return the shards by their size."""
        self._stop()
        self.digests[self.rows] = self._hash.hexdigest()
        return {size: cutter.cuts() for size, cutter in self._cutters.items()}

    def _stop(self) -> None:
        """Hash what was added, and find the row before which to stop again."""
        block = b"".join(self._pieces)
        self._pieces.clear()
        self._hash.update(block)
        for cutter in self._cutters.values():
            cutter.add(block)
        while self._stops and self._stops[-1] <= self.rows:
            if self._stops.pop() == self.rows:
                self.digests[self.rows] = self._hash.hexdigest()
        if self.rows in self._growths:
            self._last_growth = self.rows
        ends = [self.rows + size - (self.rows - self._last_growth) % size for size in self._cutters]
        self._next_stop = min([self.rows + BLOCK_ROWS, *self._stops[-1:], *ends])
