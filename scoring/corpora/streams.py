"""Bytes and lines of a file, compressed or not, in any encoding. Knows nothing of rows.

A file that is not there, or not visible, is an OSError. A broken file is a CorpusError with the file's name.
"""

import codecs
import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache, partial
from pathlib import Path
from typing import IO, BinaryIO, Final, cast

import pyarrow

from scoring.corpora.packed_bytes import open_unpacked
from scoring.errors import CorpusError
from scoring.wording import printable

COMPRESSIONS: Final = (".gz", ".zst")
LONGEST_LINE: Final = 2**28
"""Bytes or characters of a line, at most. A longer line is no row of text."""
HEAD_BYTES: Final = 4096
BYTE_ORDER_MARKS: Final = {
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
"""Encodings by byte order mark, longer marks first: the mark of UTF-32 LE begins with that of UTF-16 LE."""
READ_ERRORS: Final[tuple[type[Exception], ...]] = (
    OSError,
    ValueError,
    EOFError,
    OverflowError,
    MemoryError,
    zlib.error,
    pyarrow.ArrowException,
)
"""Errors of libraries for a broken file. MemoryError is among them: a broken footer may name absurd sizes."""


def suffixes(file: str) -> tuple[str, str]:
    """Return format and compression by the file's name, in lower case: `('.jsonl', '.gz')`, `('.csv', '')`."""
    path = Path(file)
    last = path.suffix.lower()
    if last in COMPRESSIONS:
        return Path(path.stem).suffix.lower(), last
    return last, ""


@contextmanager
def errors_naming(file: str) -> Iterator[None]:
    """Turn every error of a broken file into a CorpusError with the file's name.

    Raises:
        CorpusError: the file's content is broken.
        OSError: the file is not there, or not visible.
    """
    try:
        yield
    except CorpusError:
        raise
    except READ_ERRORS as error:
        # errors of the operating system have a number; those of a decompressor about its input have none
        if isinstance(error, OSError) and error.errno is not None:
            raise
        reason = printable(str(error) or type(error).__name__, longest=200)
        raise CorpusError(f"{printable(file, 500)}: cannot be read: {reason}") from error


def open_bytes(file: str) -> BinaryIO:
    """Open the file's bytes, decompressed.

    Raises:
        OSError: the file is not there.
    """
    compression = suffixes(file)[1]
    if compression == ".gz":
        return cast(BinaryIO, gzip.open(file, "rb"))
    if compression == ".zst":
        return cast(BinaryIO, io.BufferedReader(pyarrow.input_stream(file, compression="zstd")))
    return Path(file).open("rb")


def open_bytes_from(file: str, first_byte: int) -> BinaryIO:
    """Open the file's bytes, decompressed, from a byte on. `first_byte` counts decompressed bytes.

    Raises:
        OSError: the file is not there.
    """
    if not suffixes(file)[1]:
        stream = open_bytes(file)
        stream.seek(first_byte)
        return stream
    if first_byte >= HEAD_BYTES:
        return open_unpacked(file, first_byte, partial(open_bytes, file))
    # the head, such as the names of columns, is read for every shard, and must not move the place of the rows
    stream = open_bytes(file)
    stream.read(first_byte)
    return stream


def open_text(file: str, encoding: str | None, first_byte: int = 0) -> IO[str]:
    """Open the file's text, from a byte on. Bytes that are not of the encoding become halves of surrogate pairs.

    Raises:
        OSError: the file is not there.
    """
    stream = open_bytes_from(file, first_byte)
    own = "utf-8" if first_byte else "utf-8-sig"
    return io.TextIOWrapper(stream, encoding or own, errors="surrogateescape", newline="")


@cache
def is_single_byte(encoding: str) -> bool:
    """Return True where each byte is one character whatever stands before it, as in Latin-1 and `cp1252`."""
    singles = [bytes([byte]) for byte in range(256)]
    try:
        characters = [byte.decode(encoding, "surrogateescape") for byte in singles]
        pairs = b"".join(first + second for first in singles for second in singles)
        together = pairs.decode(encoding, "surrogateescape")
    except ValueError:
        return False
    return together == "".join(first + second for first in characters for second in characters) and all(
        len(character) == 1 for character in characters
    )


def byte_order_mark_length(file: str) -> int:
    """Return the length of the UTF-8 byte order mark at the file's start; 0 where there is none.

    Raises:
        OSError: the file is not there.
    """
    with open_bytes(file) as stream:
        return len(codecs.BOM_UTF8) if stream.read(len(codecs.BOM_UTF8)) == codecs.BOM_UTF8 else 0


def lines(stream: IO[str]) -> Iterator[str]:
    """Yield lines with their ends.

    Raises:
        ValueError: a line is longer than `LONGEST_LINE`.
    """
    for number, line in enumerate(iter(partial(stream.readline, LONGEST_LINE), ""), start=1):
        if len(line) >= LONGEST_LINE:
            raise _line_too_long(number)
        yield line


def byte_lines(stream: BinaryIO) -> Iterator[bytes]:
    """Yield lines with their ends, as bytes.

    Raises:
        ValueError: a line is longer than `LONGEST_LINE`.
    """
    for number, line in enumerate(iter(partial(stream.readline, LONGEST_LINE), b""), start=1):
        if len(line) >= LONGEST_LINE:
            raise _line_too_long(number)
        yield line


def _line_too_long(number: int) -> ValueError:
    return ValueError(f"line {number} is longer than {LONGEST_LINE >> 20} MiB: the file is not a file of lines")


def refuse_utf16(file: str) -> None:
    """Refuse UTF-16 and UTF-32, whose lines cannot be split as bytes.

    Raises:
        CorpusError: the file is UTF-16 or UTF-32; the message has the key that reads it.
    """
    with errors_naming(file), open_bytes(file) as stream:
        head = stream.read(HEAD_BYTES)
    encoding = next((name for mark, name in BYTE_ORDER_MARKS.items() if head.startswith(mark)), None)
    encoding = encoding or _utf16_without_mark(head)
    if encoding:
        raise CorpusError(
            f"{printable(file, 500)}: is {encoding.upper()}, not UTF-8; "
            f"say encoding = '{encoding}' in the corpus settings"
        )


def _utf16_without_mark(head: bytes) -> str | None:
    """Recognize UTF-16 by its zeros: most pairs of bytes have a zero at the same side."""
    if len(head) < 16:
        return None
    zeros = [side.count(0) / len(side) for side in (head[0::2], head[1::2])]
    if max(zeros) > 0.7 and min(zeros) < 0.1:
        return "utf-16-be" if zeros[0] > zeros[1] else "utf-16-le"
    return None
