"""The table that a terminal shows: a row for each text, and for each of its windows."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from scoring.calibration import Verdict
from scoring.detection.judging import NO_VALUE, Judge, Judged, Piece
from scoring.detection.probability import percent_of
from scoring.detection.shown import printable

SHOWN_CHARACTERS: Final = 48
NOTHING: Final = "–"
WINDOW: Final = "  window"
COLOURS: Final[dict[Verdict, str]] = {"machine": "red"}
"""No verdict is green: a text that is not flagged is not found to be a human's."""


class TextTable:
    """A table that grows a text at a time."""

    def __init__(self, judge: Judge) -> None:
        self._judge = judge
        names = ["text", "words", "tokens", judge.score]
        if judge.calibration is not None:
            names += ["threshold", "verdict"]
        if judge.prior is not None:
            names.append("P(machine)")
        self._table = Table(*names, "begins")

    def add(self, judged: Judged) -> None:
        """Add a text and its windows."""
        row = _Row(judged.entry.name, judged.piece, judged.reason, judged.verdict, probability=judged.probability)
        if judged.windows and self._judge.judges_windows:
            row = replace(row, counted=f" ({judged.flagged_windows} of {len(judged.windows)} windows)")
        self._add(replace(row, text=judged.entry.text or ""))
        words = (judged.entry.text or "").split() if judged.windows else []
        for window in judged.windows or ():
            first = window.row.start_word or 0
            text = " ".join(words[first : first + SHOWN_CHARACTERS])
            reason = window.row.null_reason or NO_VALUE
            self._add(_Row(WINDOW, window, reason, window.verdict, text=text))

    def render(self, notes: Iterable[str]) -> str:
        """Return the table, with the notes under it."""
        console = Console()
        with console.capture() as captured:
            console.print(self._table)
            for note in notes:
                console.print(Text(printable(note)), soft_wrap=True)
        return captured.get()

    def _add(self, row: "_Row") -> None:
        piece = row.piece
        score = f"{piece.score:.4f}" if piece is not None and piece.score is not None else f"none: {row.reason}"
        cells = [Text(printable(row.name)), Text(_words(piece)), Text(_tokens(piece)), Text(printable(score))]
        if self._judge.calibration is not None:
            threshold = None if piece is None else piece.threshold
            cells.append(Text(NOTHING if threshold is None else f"{threshold:.4f}"))
            verdict = NOTHING if row.verdict is None else row.verdict + row.counted
            cells.append(Text(verdict, style=COLOURS.get(row.verdict, "") if row.verdict is not None else ""))
        if self._judge.prior is not None:
            cells.append(Text(NOTHING if row.probability is None else percent_of(row.probability)))
        shown = " ".join(row.text[: 20 * SHOWN_CHARACTERS].split())[:SHOWN_CHARACTERS]
        self._table.add_row(*cells, Text(printable(shown)))


@dataclass(frozen=True)
class _Row:
    """A text or a window of the table."""

    name: str
    piece: Piece | None
    reason: str | None
    """Reason why there is no score."""
    verdict: Verdict | None
    counted: str = ""
    """Number of flagged windows, behind the verdict."""
    text: str = ""
    probability: float | None = None


def _words(piece: Piece | None) -> str:
    if piece is None or piece.row.length_words is None:
        return NOTHING
    first = piece.row.start_word or 0
    return f"{first}–{first + piece.row.length_words}"


def _tokens(piece: Piece | None) -> str:
    if piece is None or piece.row.length_tokens is None:
        return NOTHING
    return f"{piece.row.length_tokens}{' (cut)' if piece.row.truncated else ''}"
