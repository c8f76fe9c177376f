"""Architectures are read from compiled libraries: from those of bitsandbytes, and from a made-up one."""

import platform
import struct
from pathlib import Path

import bitsandbytes
import pytest

from actors.checks import fatbin
from actors.checks.preflight import has_kernels

K80, GTX_1070, V100, H200, RTX_5070 = (3, 7), (6, 1), (7, 0), (9, 0), (12, 0)
CUDA_LIBRARIES = sorted(Path(bitsandbytes.__file__).parent.glob("libbitsandbytes_cuda*.so"))


@pytest.mark.skipif(not CUDA_LIBRARIES, reason="this build of bitsandbytes has no CUDA libraries")
def test_libraries_tell_for_which_cards_they_are() -> None:
    by_version = {path.stem.removeprefix("libbitsandbytes_cuda"): fatbin.architectures(path) for path in CUDA_LIBRARIES}
    assert all(has_kernels(names, H200) and has_kernels(names, RTX_5070) for names in by_version.values())
    assert not any(has_kernels(names, K80) for names in by_version.values()), "the package's page says 6.0 and newer"
    if platform.machine() == "x86_64":  # builds for other machines begin at 7.5
        assert has_kernels(by_version["126"], GTX_1070)
        assert not has_kernels(by_version["130"], V100)


def fat_binary(*entries: tuple[int, int]) -> bytes:
    """Return a container as nvcc writes it, with entries of kind (1: PTX, 2: machine code) and architecture."""
    code = b"\x7f" * 24
    body = b"".join(struct.pack("<HHIQ12xI32x", kind, 257, 64, len(code), number) + code for kind, number in entries)
    return struct.pack("<IHHQ", 0xBA55ED50, 1, 16, len(body)) + body


def test_every_container_of_a_library_is_read_and_lookalikes_are_not(tmp_path: Path) -> None:
    library = tmp_path / "library.so"
    lookalike = struct.pack("<IHHQ", 0xBA55ED50, 1, 16, 2**60)
    library.write_bytes(
        b"code" + fat_binary((2, 37), (2, 90)) + lookalike + fat_binary((1, 90)) + fat_binary((7, 50)) + lookalike[:9]
    )
    assert fatbin.architectures(library) == ("compute_90", "sm_37", "sm_90")
    (tmp_path / "plain.so").write_bytes(b"nothing for GPUs")
    assert fatbin.architectures(tmp_path / "plain.so") == ()
