"""Elements of a JSON list, one at a time, with the byte at which each starts."""

from collections.abc import Iterator
from typing import IO, Final

from scoring.corpora.json_lines import ObjectDecoder
from scoring.corpora.streams import LONGEST_LINE

CHUNK_CHARACTERS: Final = 2**16
BLANKS: Final = " \t\r\n"


def elements(window: "ElementBuffer", decoder: ObjectDecoder, is_inside: bool) -> Iterator[object]:
    """Yield the elements of the outermost list, and hold a single element at a time.

    Args:
        window: The file's text; with `is_inside` from an element on.
        decoder: Decodes the elements.
        is_inside: False where the list's bracket is still to come.

    Raises:
        ValueError: the stream is no list, or breaks off.
    """
    if not is_inside:
        if not window.next_is("["):
            if window.peek():
                raise ValueError("a list of objects, or an object of lists, is needed")
            return
        window.position += 1
    if not is_inside and window.next_is("]"):
        window.position += 1
    else:
        while True:
            yield window.element(decoder)
            mark = window.peek()
            window.position += 1
            if mark == "]":
                break
            if mark != ",":
                raise ValueError(f"the list breaks off, or a comma is missing, at {mark!r}")
    if window.peek():
        raise ValueError("the file goes on after the list's end")


class ElementBuffer:
    """The part of a stream that is being decoded."""

    def __init__(self, stream: IO[str], first_byte: int, is_utf8: bool) -> None:
        self._stream, self._text, self._is_utf8 = stream, "", is_utf8
        self.position = 0
        self.element_byte = 0
        """Byte at which the last element starts, in UTF-8 or where a character is a byte."""
        self._counted, self._counted_bytes = 0, first_byte

    def peek(self) -> str:
        """Return the next character that is not blank; empty at the end."""
        while True:
            while self.position < len(self._text):
                if self._text[self.position] not in BLANKS:
                    return self._text[self.position]
                self.position += 1
            if not self._read_more(CHUNK_CHARACTERS):
                return ""

    def next_is(self, mark: str) -> bool:
        """Return True where the next character that is not blank is `mark`."""
        return self.peek() == mark

    def element(self, decoder: ObjectDecoder) -> object:
        """Decode the next value.

        Raises:
            ValueError: there is no JSON value, or it is nested too deeply or too long.
        """
        self.peek()
        self._count_bytes()
        self.element_byte = self._counted_bytes
        while True:
            try:
                value, end = decoder.raw_decode(self._text, self.position)
                is_whole = end < len(self._text)  # a number at the end may go on
            except RecursionError:
                raise ValueError("an element is nested too deeply") from None
            except ValueError:
                is_whole = False
                if not self._read_more(len(self._text)):
                    raise
                continue
            if is_whole or not self._read_more(CHUNK_CHARACTERS):
                self.position = end
                return value

    def _read_more(self, characters: int) -> bool:
        """Drop the text before `position`, and read at least `characters` more; False at the end of the stream."""
        self._count_bytes()
        self._text, self.position, self._counted = self._text[self.position :], 0, 0
        if len(self._text) > LONGEST_LINE:
            raise ValueError(f"an element is longer than {LONGEST_LINE >> 20} MiB")
        more = self._stream.read(max(characters, CHUNK_CHARACTERS))
        self._text += more
        return bool(more)

    def _count_bytes(self) -> None:
        """Count the bytes of the text up to `position`."""
        passed = self._text[self._counted : self.position]
        is_bytes = not self._is_utf8 or passed.isascii()
        self._counted_bytes += len(passed) if is_bytes else len(passed.encode("utf-8", "surrogateescape"))
        self._counted = self.position
