"""Fingerprint of a model directory's content: the revision of a model that has no commit.

A copy or a move of the directory keeps the fingerprint. Another configuration, tokenizer or checkpoint changes it.
Paths and dates do not enter it. Small files are read whole. Of a large weight file, three things are read: its size,
its beginning (which in safetensors holds names and shapes), and blocks spread over the rest. Training changes weights
everywhere, so such blocks differ between checkpoints. A fingerprint takes milliseconds, where hashing the whole file
would take minutes. It tells models apart, and is no defence against forgery.

Imports no torch. Fingerprints are not cached: a directory can be replaced while this process runs.
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
"""Weight files up to this size are read whole. Of a larger file, so many bytes are read from its beginning."""
LONGEST_HEADER_BYTES: Final = 100 * 2**20
"""Longest header that safetensors accepts. A file with a longer one is damaged: loading it gives the message."""


def fingerprint(files: "ModelFiles") -> str:
    """Return a hash of the content of a model's files, as `sha256:` and 16 hex digits.

    Raises:
        ModelUnavailable: a file cannot be read.
    """
    digest, weights = hashlib.sha256(), set(files.weights)
    try:
        for path in sorted({*_small_files(files), *weights}):
            name = os.fsencode(path.name)
            # With lengths, so that the content of one file cannot look like two files.
            digest.update(b"%d %s %d " % (len(name), name, path.stat().st_size))
            for piece in _sample(path) if path in weights else (path.read_bytes(),):
                digest.update(piece)
    except OSError as error:
        raise ModelUnavailable(
            f"model {files.name!r}: {error.filename or files.directory} cannot be read: {error.strerror or error}"
        ) from error
    return PREFIX + digest.hexdigest()[:DIGITS]


def _small_files(files: "ModelFiles") -> Iterator[Path]:
    """Yield the files beside the weights that decide what the model computes."""
    for path in files.directory.iterdir():
        if path.is_file() and any(fnmatch(path.name, pattern) for pattern in READ_WHOLE):
            yield path


def _sample(path: Path) -> Iterator[bytes]:
    """Yield the bytes of a weight file that enter the fingerprint."""
    with path.open("rb", buffering=0) as file:
        size = os.fstat(file.fileno()).st_size
        if hasattr(os, "posix_fadvise"):  # reading ahead would bring much of the file into the page cache
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
    """Return the length of a safetensors header from the first 8 bytes of the file; 0 for a file of another kind."""
    length = 8 + int.from_bytes(first, "little")
    return length if length <= LONGEST_HEADER_BYTES else 0


def _read(descriptor: int, start: int, length: int) -> Iterator[bytes]:
    """Yield `length` bytes from `start`, in pieces; fewer where the file ends."""
    while length > 0 and (piece := os.pread(descriptor, min(length, SMALL_BYTES), start)):
        yield piece
        start, length = start + len(piece), length - len(piece)
