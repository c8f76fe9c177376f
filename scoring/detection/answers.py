"""The answer of the command: a table, a JSON document, or a page. Each says what is promised."""

import errno
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from scoring.detection import interrupts
from scoring.detection.document import parts_of
from scoring.detection.judging import Judge, Judged
from scoring.detection.page import write_page
from scoring.detection.sentences import (
    UNFLAGGED,
    Tally,
    cut_in_words,
    held_out_in_words,
    probability_in_words,
    promise_in_words,
    settings_in_words,
    windows_in_words,
)
from scoring.detection.shown import printable
from scoring.detection.table import TextTable

UNWRITABLE: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF)
"""Errors after which an answer cannot be written. EPIPE is none: a reader that closes its pipe has read enough."""


@dataclass(frozen=True)
class Answer:
    """Judged texts, and how they were judged. The texts are judged as the answer is written."""

    texts: Iterable[Judged]
    judge: Judge
    used: Mapping[str, Any]
    """Settings that took effect."""
    tally: Tally
    """Counts of the texts that were written so far."""

    def print_table(self) -> None:
        """Print a table to stdout, with what is promised under it."""
        table = TextTable(self.judge)
        for text in self._counted():
            table.add(text)
        _print_parts([table.render(self._table_notes())])

    def print_document(self, calibration_name: str | None) -> None:
        """Print the JSON document to stdout, a text at a time."""
        _print_parts(parts_of(self._counted(), self.judge, self.used, calibration_name))

    def write_page(self, path: Path, notes: Iterable[str]) -> None:
        """Write the page.

        Raises:
            OSError: the page cannot be written; its number is one of `UNWRITABLE`.
        """
        try:
            write_page(path, self._counted(), self.judge, self.tally, lambda: [*notes, *self._page_notes()])
        except OSError as error:
            raise OSError(errno.EIO, f"{path}: {error.strerror or error}") from error
        _print_parts([f"{path}\n"], stopped=f"stopped: the page is {path}")

    def _counted(self) -> Iterator[Judged]:
        for text in self.texts:
            self.tally.add(text)
            yield text

    def _table_notes(self) -> Iterator[str]:
        calibration = self.judge.calibration
        if calibration is not None:
            yield promise_in_words(calibration)
            yield from held_out_in_words(calibration)
            if self.tally.verdicts["not flagged"]:
                yield UNFLAGGED
        yield from windows_in_words(self.judge)
        yield from self._page_notes()

    def _page_notes(self) -> Iterator[str]:
        cut = None if self.judge.calibration is None else cut_in_words(self.judge.calibration)
        notes = cut, probability_in_words(self.judge), self.tally.truncated_in_words(self.used["max_tokens"])
        yield from filter(None, notes)
        yield settings_in_words(self.used, self.judge.calibration)


def discard_stdout() -> None:
    """Discard the buffer of stdout: Python would write it again, and fail, when the process ends."""
    if sys.stdout is not None:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _print_parts(parts: Iterable[str], stopped: str = "stopped: the answer on stdout is not complete") -> None:
    """Print to stdout and flush. When the reader has closed its pipe, the rest is not even computed.

    Args:
        parts: of the answer.
        stopped: The last line of a command that Ctrl-C stops meanwhile.

    Raises:
        OSError: stdout is closed, or cannot be written.
    """
    if sys.stdout is None:
        raise OSError(errno.EBADF, "stdout is closed")
    try:
        with interrupts.last_line(printable(stopped)):
            for part in parts:
                sys.stdout.write(part)
            sys.stdout.flush()
    except BrokenPipeError:
        discard_stdout()
