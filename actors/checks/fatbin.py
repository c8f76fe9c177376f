"""For which GPUs a compiled library has kernels, read from the library.

A call for which there is no kernel is no way to find out: bitsandbytes ends the process. NVIDIA documents the tool that
lists them (cuobjdump, part of the toolkit), not the format; the little that is read here was the same in libraries of
CUDA 11.8 to 13.2, where it gave what their build script asks for. Where nothing is recognized, nothing is claimed.
"""

import struct
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final

_MAGIC: Final = struct.pack("<I", 0xBA55ED50)
_CONTAINER: Final = struct.Struct("<IHHQ")
"""Magic, version, bytes of this header, bytes of the entries after it."""
_ENTRY: Final = struct.Struct("<HHIQ12xI")
"""Kind, version, bytes of this header, bytes of the code after it, 12 of other use, architecture as a number."""
_KINDS: Final = {1: "compute", 2: "sm"}
"""PTX, which the driver compiles for newer GPUs, and machine code."""


@cache
def architectures(library: Path) -> tuple[str, ...]:
    """What is in a shared library, named as torch names it: `sm_60`, `compute_90`; empty: nothing recognized.

    Raises:
        OSError: it cannot be read.
    """
    data = library.read_bytes()
    return tuple(sorted({name for start in _containers(data) for name in _entries(data, start)}))


def _containers(data: bytes) -> Iterator[int]:
    start = data.find(_MAGIC)
    while start >= 0:
        yield start
        start = data.find(_MAGIC, start + len(_MAGIC))


def _entries(data: bytes, start: int) -> Iterator[str]:
    """Of the container that begins at `start`; what only looks like one has none."""
    if start + _CONTAINER.size > len(data):
        return
    _, _, header_bytes, entries_bytes = _CONTAINER.unpack_from(data, start)
    place = start + header_bytes
    end = place + entries_bytes
    if end > len(data):
        return
    while place + _ENTRY.size <= end:
        kind, _, header_bytes, code_bytes, architecture = _ENTRY.unpack_from(data, place)
        if kind not in _KINDS:
            return
        yield f"{_KINDS[kind]}_{architecture}"
        place += max(header_bytes + code_bytes, _ENTRY.size)
