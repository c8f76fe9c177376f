"""Reads from a compiled library for which GPU architectures the library has kernels.

Calling the library does not answer that: without a kernel, bitsandbytes ends the process. NVIDIA documents the tool
that lists kernels (cuobjdump, part of the toolkit), but not the format. The few fields that are read here were the same
in libraries of CUDA 11.8 to 13.2, and gave the architectures that the build script of each library names. If nothing is
recognized, the answer is empty.
"""

import struct
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final

_MAGIC: Final = struct.pack("<I", 0xBA55ED50)
_CONTAINER: Final = struct.Struct("<IHHQ")
"""Magic number, version, bytes of this header, bytes of the entries after the header."""
_ENTRY: Final = struct.Struct("<HHIQ12xI")
"""Kind, version, bytes of this header, bytes of the code after the header, 12 bytes not read, architecture number."""
_KINDS: Final = {1: "compute", 2: "sm"}
"""Names by kind: PTX, which the driver compiles for newer GPUs, and machine code."""


@cache
def architectures(library: Path) -> tuple[str, ...]:
    """Return the architectures of a shared library's kernels, sorted.

    Returns:
        Names as torch writes them: `sm_60`, `compute_90`; empty if nothing is recognized.

    Raises:
        OSError: the library cannot be read.
    """
    data = library.read_bytes()
    return tuple(sorted({name for start in _containers(data) for name in _entries(data, start)}))


def _containers(data: bytes) -> Iterator[int]:
    start = data.find(_MAGIC)
    while start >= 0:
        yield start
        start = data.find(_MAGIC, start + len(_MAGIC))


def _entries(data: bytes, start: int) -> Iterator[str]:
    """Yield the architectures of the container at `start`; bytes that only look like a container have none."""
    if start + _CONTAINER.size > len(data):
        return
    _, _, header_bytes, entries_bytes = _CONTAINER.unpack_from(data, start)
    offset = start + header_bytes
    end = offset + entries_bytes
    if end > len(data):
        return
    while offset + _ENTRY.size <= end:
        kind, _, header_bytes, code_bytes, architecture = _ENTRY.unpack_from(data, offset)
        if kind not in _KINDS:
            return
        yield f"{_KINDS[kind]}_{architecture}"
        offset += max(header_bytes + code_bytes, _ENTRY.size)
