"""What a model directory is, by its content: the revision of a model that has no commit.

A copy or a move keeps it; another configuration, tokenizer or checkpoint changes it. Paths and dates have no part in
it. Small files are read whole. Of a large file of weights the beginning (which for safetensors holds names and shapes),
the size, and blocks spread over the rest are read: what training changes is changed everywhere. So a fingerprint takes
milliseconds where hashing the file would take minutes; it tells models apart, and is no defence against forgery.

Imports no torch. Nothing is remembered: a directory can be replaced while this process lives.
"""

import hashlib
import os
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING, Final

from models.errors import ModelUnavailable

if TYPE_CHECKING:
    from models.resolve import ModelFiles

PREFIX: Final = "sha256:"
DIGITS: Final = 16
READ_WHOLE: Final = (
    "config.json",
    "generation_config.json",
    "adapter_config.json",
    "*.index.json",
    "tokenizer*",
    "special_tokens*",
    "added_tokens*",
    "vocab*",
    "merges*",
    "*.model",
    "*.spm",
    "*.tiktoken",
    "tekken.json",
)
"""Names of the files beside the weights that decide what a model computes."""
BLOCK_BYTES: Final = 4096
BLOCKS: Final = 64
SMALL_BYTES: Final = 2**20
"""A file of weights of up to so many bytes is read whole; of a larger one that much is read from the beginning."""
LONGEST_HEADER_BYTES: Final = 100 * 2**20
"""What safetensors itself takes at most; where the length says more, the file is damaged, and its load tells."""


def fingerprint(files: "ModelFiles") -> str:
    """Hash of what is in the files of a model, as `sha256:` and 16 hex digits.

    Raises:
        ModelUnavailable: a file cannot be read.
    """
    digest, weights = hashlib.sha256(), set(files.weights)
    try:
        for path in sorted({*_small_files(files), *weights}):
            name = os.fsencode(path.name)
            digest.update(b"%d %s %d " % (len(name), name, path.stat().st_size))  # so that no file can pass for two
            for piece in _sample(path) if path in weights else (path.read_bytes(),):
                digest.update(piece)
    except OSError as error:
        raise ModelUnavailable(
            f"model {files.name!r}: {error.filename or files.directory} cannot be read: {error.strerror or error}"
        ) from error
    return PREFIX + digest.hexdigest()[:DIGITS]


def _small_files(files: "ModelFiles") -> Iterator[Path]:
    for path in files.directory.iterdir():
        if path.is_file() and any(fnmatch(path.name, pattern) for pattern in READ_WHOLE):
            yield path


def _sample(path: Path) -> Iterator[bytes]:
    with path.open("rb", buffering=0) as file:
        size = os.fstat(file.fileno()).st_size
        if hasattr(os, "posix_fadvise"):  # no reading ahead: it would bring a large part of the file into memory
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_RANDOM)
        first_bytes = min(size, max(SMALL_BYTES, _header_bytes(file.read(8))))
        yield from _read(file.fileno(), 0, first_bytes)
        rest = size - first_bytes - BLOCK_BYTES
        if rest <= 0:
            yield from _read(file.fileno(), first_bytes, size - first_bytes)
        else:
            for number in range(BLOCKS):
                yield from _read(file.fileno(), first_bytes + rest * number // (BLOCKS - 1), BLOCK_BYTES)


def _header_bytes(first: bytes) -> int:
    """End of a safetensors header; 0 for a file of another kind."""
    length = 8 + int.from_bytes(first, "little")
    return length if length <= LONGEST_HEADER_BYTES else 0


def _read(descriptor: int, start: int, length: int) -> Iterator[bytes]:
    while length > 0 and (piece := os.pread(descriptor, min(length, SMALL_BYTES), start)):
        yield piece
        start, length = start + len(piece), length - len(piece)
