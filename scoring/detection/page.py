"""The page of `--html`: one file that loads nothing, with every text shaded by the verdicts of its windows.

The sections of the texts are written to a file beside the page as they come; the counts at the top of the page are
known only after the last. The page is there whole or not at all.
"""

import os
import re
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final

from scoring.calibration import Verdict
from scoring.detection.judging import Judge, Judged, Piece
from scoring.detection.probability import percent_of
from scoring.detection.sentences import Tally, held_out_in_words, promise_in_words, windows_in_words
from scoring.detection.shown import for_page
from scoring.errors import ScoringError
from scoring.fragments import WORD

if TYPE_CHECKING:
    from jinja2 import Environment

TEMPLATES: Final = Path(__file__).parent / "templates"
MEANINGS: Final[dict[Verdict, str]] = {
    "machine": "flagged: the score is beyond the threshold",
    "not flagged": "not beyond the threshold; that says nothing about who wrote the text",
    "too short to say": "fewer tokens than any text that was calibrated",
    "longer than calibrated": "more tokens or windows than any text that was calibrated",
    "no score": "cannot be scored",
}


@dataclass(frozen=True)
class Segment:
    """A part of a text that is shown as one window's: no two segments overlap."""

    text: str
    window: Piece | None
    """None: the part is shown plain."""


def write_page(
    path: Path, judged: Iterable[Judged], judge: Judge, tally: Tally, notes: Callable[[], Iterable[str]]
) -> None:
    """Write the page of all texts.

    Args:
        path: Where the page goes. A file that is there is replaced when the page is whole.
        judged: The texts; `tally` counts them as they pass.
        judge: How they were judged.
        tally: Counts, complete after the last text.
        notes: Returns the sentences under the promise; called after the last text.

    Raises:
        OSError: the page cannot be written; nothing is left of it.
    """
    environment = _environment()
    section = environment.get_template("section.html")
    path = path.resolve()
    with _removed_at_end(path, "sections") as sections, _removed_at_end(path, "page") as page:
        with sections.open("w", encoding="utf-8") as stream:
            for text in judged:
                stream.write(section.render(judged=text, judge=judge, segments=segments(text, judge)))
        with page.open("w", encoding="utf-8") as whole:
            _write_whole(whole, sections, environment, _head(judge, tally, notes()))
            whole.flush()
            os.fsync(whole.fileno())
        page.replace(path)


def refuse_page(path: Path, as_json: bool) -> None:
    """Refuse a page that cannot be written, before models are loaded.

    Raises:
        ScoringError: JSON is asked for, too; there is no such folder, the path is a folder, or the folder cannot be
            written.
    """
    if as_json:
        raise ScoringError("--json and --html are two answers; give the command once for each")
    path = path.resolve()
    if path.is_dir():
        raise ScoringError(f"--html {path}: is a folder; name a file")
    if not path.parent.is_dir():
        raise ScoringError(f"--html {path}: there is no folder {path.parent}; make it first")
    if not os.access(path.parent, os.W_OK):
        raise ScoringError(f"--html {path}: the folder {path.parent} cannot be written")


def segments(judged: Judged, judge: Judge) -> list[Segment]:
    """Return the text in parts that do not overlap, each shaded as one window: that whose middle is nearest."""
    text = judged.entry.text or ""
    windows = [window for window in judged.windows or () if window.row.start_word is not None]
    if not windows or not judge.judges_windows:
        return [Segment(text, None)]
    starts = [match.start() for match in WORD.finditer(text)]
    doubled = [2 * (window.row.start_word or 0) + (window.row.length_words or 0) for window in windows]
    first_words = [(one + next_one) // 4 for one, next_one in pairwise(doubled)]
    cuts = [0, *(starts[word] for word in first_words), len(text)]
    return [Segment(text[cuts[i] : cuts[i + 1]], window) for i, window in enumerate(windows)]


def _head(judge: Judge, tally: Tally, notes: Iterable[str]) -> Mapping[str, Any]:
    calibration = judge.calibration
    shown = [verdict for verdict in MEANINGS if tally.verdicts[verdict]]
    return {
        "tally": tally,
        "promise": None if calibration is None else promise_in_words(calibration),
        "held_out": [] if calibration is None else list(held_out_in_words(calibration)),
        "windows": list(windows_in_words(judge)),
        "notes": list(notes),
        "legend": [(verdict, MEANINGS[verdict]) for verdict in shown],
        "shaded": judge.judges_windows,
    }


def _write_whole(whole: IO[str], sections: Path, environment: "Environment", head: Mapping[str, Any]) -> None:
    """Write the page around the sections that are in a file already."""
    before, after = environment.get_template("page.html").render(head).split("<!-- sections -->")
    whole.write(before)
    with sections.open(encoding="utf-8") as written:
        shutil.copyfileobj(written, whole)
    whole.write(after)


@contextmanager
def _removed_at_end(path: Path, part: str) -> Iterator[Path]:
    """Yield the name of a hidden file beside the page; no such file is left at the end."""
    temporary = path.with_name(f".{path.name}.{part}.{os.getpid()}.tmp")
    try:
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)


def _environment() -> "Environment":
    import jinja2  # slow, and needed only for a page

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_finalize,
    )
    environment.filters |= {"slug": _slug, "percent": percent_of}
    return environment


def _finalize(value: Any) -> Any:
    """Escape the control characters of a text; jinja2 then escapes its markup."""
    return for_page(value) if type(value) is str else value


def _slug(verdict: str | None) -> str:
    """Return a verdict as a class of the style sheet."""
    return re.sub(r"\W+", "-", verdict or "none")
