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
_BLOCK_BYTES: Final = 2**18

os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
with suppress(OSError, AttributeError):  # another C library than glibc
    ctypes.CDLL(None).mallopt(_M_MMAP_THRESHOLD, _BLOCK_BYTES)
