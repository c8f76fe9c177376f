"""Unpacked bytes of a compressed file, from any byte on.

A process goes on where it stopped reading, so shards in the file's order unpack the file once. Only a byte that lies
farther back than the last blocks makes it start again. Knows nothing of lines and rows.
"""

import io
from collections.abc import Callable
from typing import BinaryIO, Final, cast

from scoring.corpora.kept_places import KeptPlaces, file_state

BLOCK_BYTES: Final = 2**20
"""Bytes that are unpacked at a time. Readers read ahead by less than that, and then go back."""


class UnpackedBytes:
    """The unpacked bytes of a file around the place that was read last: two blocks of them."""

    def __init__(self, open_packed: Callable[[], BinaryIO]) -> None:
        self._open = open_packed
        self._stream = open_packed()
        self._before = self._block = b""
        self._end = 0

    def read(self, byte: int, count: int) -> bytes:
        """Return at most `count` bytes from `byte` on; no bytes at the end."""
        if byte < self._end - len(self._block) - len(self._before):
            self._start_again()
        while byte >= self._end:
            following = self._stream.read(BLOCK_BYTES)
            if not following:
                return b""
            self._before, self._block = self._block, following
            self._end += len(following)
        first = self._end - len(self._block)
        if byte < first:
            start = byte - (first - len(self._before))
            return self._before[start : start + count]
        return self._block[byte - first : byte - first + count]

    def close(self) -> None:
        """Close the file."""
        self._stream.close()

    def _start_again(self) -> None:
        self._stream.close()
        self._stream = self._open()
        self._before = self._block = b""
        self._end = 0


UNPACKED: Final[KeptPlaces[UnpackedBytes]] = KeptPlaces()


def open_unpacked(file: str, first_byte: int, open_packed: Callable[[], BinaryIO]) -> BinaryIO:
    """Open the unpacked bytes of a file from `first_byte` on, where this process stopped reading if that is before.

    Raises:
        OSError: the file is not there.
    """
    key = file, file_state(file)
    unpacked = UNPACKED.take(key) or UnpackedBytes(open_packed)
    return cast(BinaryIO, io.BufferedReader(_Lent(unpacked, first_byte, lambda: UNPACKED.put(key, unpacked))))


class _Lent(io.RawIOBase):
    """A stream of unpacked bytes. Closing gives the bytes back, to be kept for the next shard."""

    def __init__(self, unpacked: UnpackedBytes, first_byte: int, give_back: Callable[[], None]) -> None:
        self._unpacked, self._position, self._give_back = unpacked, first_byte, give_back

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Fill the buffer with the next bytes; return their number."""
        found = self._unpacked.read(self._position, len(buffer))
        buffer[: len(found)] = found
        self._position += len(found)
        return len(found)

    def close(self) -> None:
        if not self.closed:
            self._give_back()
        super().close()
