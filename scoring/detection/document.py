"""The JSON document of `--json`: settings and promise first, then a result for each text, in the order of the texts."""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from scoring.detection.judging import Judge, Judged, Piece
from scoring.detection.sentences import cut_in_words, held_out_in_words, promise_in_words, windows_in_words

COLUMNS: Final = ("start_word", "length_words", "length_tokens", "score", "log_ppl", "log_xppl")


def parts_of(
    judged: Iterable[Judged], judge: Judge, used: Mapping[str, Any], calibration_name: str | None
) -> Iterator[str]:
    """Yield the document in parts, as the texts are judged."""
    head = json.dumps(_head(judge, used, calibration_name), indent=2).removesuffix("\n}")
    yield f'{head},\n  "results": ['
    for index, text in enumerate(judged):
        yield f"{',' if index else ''}\n    {json.dumps(result_of(text, judge))}"
    yield "\n  ]\n}\n"


def result_of(judged: Judged, judge: Judge) -> dict[str, Any]:
    """Return the entry of a text."""
    entry = judged.entry
    return {
        "file": entry.file,
        "record": entry.record,
        "row": entry.row,
        "verdict": judged.verdict,
        **_piece(judged.piece, judge),
        "probability": judged.probability,
        "null_reason": entry.null_reason if judged.piece is None else judged.piece.row.null_reason,
        "error": entry.error,
        "unlike": list(judged.unlike),
        "flagged_windows": judged.flagged_windows if judged.windows is not None and judge.judges_windows else None,
        "windows": None if judged.windows is None else [_window(window, judge) for window in judged.windows],
    }


def _head(judge: Judge, used: Mapping[str, Any], calibration_name: str | None) -> dict[str, Any]:
    head: dict[str, Any] = {**used, "prior": judge.prior, "calibration": None}
    if (calibration := judge.calibration) is not None:
        dumped = calibration.model_dump(mode="json", include={"promise", "published", "population", "held_out"})
        words = [promise_in_words(calibration), *held_out_in_words(calibration)]
        words += filter(None, [cut_in_words(calibration)])
        head["calibration"] = {"file": calibration_name, "in_words": words, **dumped}
    if judge.windows is not None:
        calibrated = {"calibrated": judge.judges_windows, "in_words": list(windows_in_words(judge))}
        other_unit = {"words"} if judge.windows.in_tokens else {"tokens"}
        head["windows"] = judge.windows.model_dump(exclude={"mode", *other_unit}) | calibrated
    return head


def _piece(piece: Piece | None, judge: Judge) -> dict[str, Any]:
    row = None if piece is None else piece.row
    columns = (*COLUMNS, judge.score) if judge.score not in COLUMNS else COLUMNS
    numbers = {name: getattr(row, name, None) for name in columns}
    return {
        **numbers,
        "threshold": None if piece is None else piece.threshold,
        "prefix_tokens": None if row is None else row.prefix_tokens,
        "truncated": None if row is None else row.truncated,
    }


def _window(window: Piece, judge: Judge) -> dict[str, Any]:
    return _piece(window, judge) | {"verdict": window.verdict, "null_reason": window.row.null_reason}
