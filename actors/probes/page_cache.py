"""Pages of files that the kernel keeps in memory: drop them, read them in, count them.

Knows no models. Pages are counted by `mincore`, which reads no page, so that counting does not change the count.
"""

import contextlib
import ctypes
import mmap
import os
import re
import sys
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np

from sweeps.errors import Unsupported

READ_BYTES: Final = 2**20
WINDOW_BYTES: Final = 2**30
"""Bytes of a file that are mapped at a time: a file may be larger than the free address space."""
PROC_STATUS: Final = Path("/proc/self/status")
_CAP_FOWNER: Final = 3


def evict(paths: Iterable[Path]) -> None:
    """Ask the kernel to drop every page of the files; `resident_fraction` tells whether the kernel did.

    Pages that a process has mapped stay. So do all pages of a tmpfs, which is its own page cache.

    Raises:
        Unsupported: the system has no call for this.
    """
    if not hasattr(os, "posix_fadvise"):
        raise Unsupported(f"files cannot be evicted from the page cache: {sys.platform} has no posix_fadvise")
    for path in paths:
        with path.open("rb") as file:
            with contextlib.suppress(OSError):  # a read-only file system has nothing to write back
                os.fsync(file.fileno())  # a page that is not on the drive yet cannot be dropped
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def read_in(paths: Iterable[Path]) -> None:
    """Read the files once from beginning to end."""
    buffer = bytearray(READ_BYTES)
    for path in paths:
        with path.open("rb", buffering=0) as file:
            while file.readinto(buffer):
                pass


def resident_fraction(paths: Iterable[Path]) -> float | None:
    """Return the fraction of the files' pages that are in the page cache.

    Returns:
        From 0 to 1. None if the kernel does not tell: the files have no page, or this user neither owns a file nor may
        write to it. For such a file `mincore` answers that all pages are resident (since Linux 5.2, against spying on
        other users' reads).
    """
    files = tuple(paths)
    if sys.platform != "linux" or not all(map(_may_count, files)):
        return None
    resident, pages = map(sum, zip(*map(_count, files), strict=True)) if files else (0, 0)
    return resident / pages if pages else None


def _count(path: Path) -> tuple[int, int]:
    """Return the number of resident pages of a file, and of all its pages."""
    resident = pages = 0
    with path.open("rb") as file:
        size_bytes = os.fstat(file.fileno()).st_size
        for offset in range(0, size_bytes, WINDOW_BYTES):
            length = min(WINDOW_BYTES, size_bytes - offset)
            with mmap.mmap(file.fileno(), length, mmap.MAP_SHARED, mmap.PROT_READ, offset=offset) as window:
                states = _states(window)
            resident += int(np.count_nonzero(states & 1))  # the other bits are undefined
            pages += len(states)
    return resident, pages


def _states(window: mmap.mmap) -> "np.ndarray[Any, np.dtype[np.uint8]]":
    """Return mincore's answer for each page; the last page may be a part of the file only."""
    mapped = np.frombuffer(window, np.uint8)  # numpy gives the address, which a read-only mmap does not
    states = np.zeros(-(-mapped.nbytes // mmap.PAGESIZE), np.uint8)
    if _libc().mincore(mapped.ctypes.data, mapped.nbytes, states.ctypes.data) != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"mincore: {os.strerror(code)}")
    return states


@cache
def _libc() -> ctypes.CDLL:
    libc = ctypes.CDLL(None, use_errno=True)
    # Without these types addresses would be cut to 32 bits.
    libc.mincore.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_void_p)
    libc.mincore.restype = ctypes.c_int
    return libc


def _may_count(path: Path) -> bool:
    """Tell whether the kernel shows a file's pages to this user: owner, privileged user, or user who may write."""
    return path.stat().st_uid == os.geteuid() or _has_owner_capability() or os.access(path, os.W_OK, effective_ids=True)


def _has_owner_capability() -> bool:
    capabilities = re.search(r"^CapEff:\s*([0-9a-f]+)$", PROC_STATUS.read_text(), re.MULTILINE)
    return capabilities is not None and bool(int(capabilities[1], 16) >> _CAP_FOWNER & 1)
