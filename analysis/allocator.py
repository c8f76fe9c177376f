"""Have the allocators give memory back. Import this module before pyarrow: with millions of rows it halves the peak.

Arrow's own allocator, and glibc's after its first large blocks, keep what was freed for later. Of columns that are
read, converted and dropped, both would keep twice of what the rows need.
"""

import ctypes
import os
from contextlib import suppress
from typing import Final

_M_MMAP_THRESHOLD: Final = -3
"""glibc's name for the size from which a block is mapped on its own, and so given back when it is freed."""
_M_TRIM_THRESHOLD: Final = -1
"""glibc's name for the free memory at the end of its heap from which it is given back."""
_BLOCK_BYTES: Final = 2**18
_LARGEST_BYTES: Final = 2**22
"""Blocks from this size on are huge pages to numpy, and cost little to map."""
_KEPT_FROM_ROWS: Final = 5_000_000
"""Rows of a sweep from which blocks are kept."""

os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")


def _set(option: int, size: int) -> None:
    """Set an option of glibc's allocator; nothing where there is another C library."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(option, size)


def keep_blocks(rows: int) -> None:
    """Have glibc keep smaller blocks that are freed, where there are many rows.

    To map them again, thousands of times, takes as long as to compute with them. What is kept is small beside the rows;
    beside fewer rows it would not be.
    """
    if rows >= _KEPT_FROM_ROWS:
        _set(_M_MMAP_THRESHOLD, _LARGEST_BYTES)
        _set(_M_TRIM_THRESHOLD, 16 * _LARGEST_BYTES)


_set(_M_MMAP_THRESHOLD, _BLOCK_BYTES)
