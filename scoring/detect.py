"""`python -m scoring.detect`: score texts and, with a calibration, say which are flagged and what that promises.

Texts come from files, folders, records of JSONL, CSV and the like, and stdin. Exit codes: 0 at least one text was read
(a text without score, and a file or record that cannot be read, say why); 1 the answer could not be written; 2 the
command, a model or the calibration is wrong, or no text could be read; 130 interrupted.

Torch is imported only when there is a text to score: `--help` and mistakes are answered at once.
"""

import os
import sys

if __name__ == "__main__":
    # Files in the caller's directory (models.py, a folder models, torch.py) must not come before the real packages.
    _root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))  # noqa: PTH100, PTH120 - pathlib comes later
    if sys.path[0] != _root and not sys.flags.safe_path:
        sys.path.append(sys.path.pop(0))
    if _root not in sys.path:  # an editable install is found last otherwise
        sys.path.insert(0, _root)

from scoring.detection import interrupts

if __name__ == "__main__":
    interrupts.quit_at_once()

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer
from rich.console import Console

from models.errors import ModelError
from scoring.calibration import Calibration
from scoring.calibration_tables import Quantization
from scoring.detection.answers import UNWRITABLE, Answer, discard_stdout
from scoring.detection.inputs import STDIN, Entry, FoundPaths, TextColumns, count_texts, entries_of, find_files
from scoring.detection.judging import Judge, judge, windows_of
from scoring.detection.page import refuse_page
from scoring.detection.progress import loading, print_message, scoring
from scoring.detection.sentences import Tally, unsaid_in_words
from scoring.detection.settings import (
    DEMO_PAIR,
    Dtype,
    Options,
    ScorerSettings,
    refuse_other_options,
    refuse_other_settings,
    refuse_prior_without_curve,
    scorer_settings,
    settings_used,
    text_columns,
)
from scoring.errors import ScoringError
from scoring.fragment_settings import WindowFragments
from scoring.published import read_calibration
from scoring.results import Alignment

if TYPE_CHECKING:
    from scoring.binoculars import Binoculars
    from scoring.fragments import TokenSpans

DEMO_WARNING: Final = (
    f"no models named: using the demo pair {' and '.join(DEMO_PAIR)}. It is tiny and was trained on docstrings: it "
    "shows how this works, not who wrote your text."
)
SHOWN_ERRORS: Final = 20
"""Files and records that are named, at most, where none can be read."""
APP = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)


@dataclass(frozen=True)
class Request:
    """A command, with its calibration read and its options checked."""

    paths: list[str]
    columns: TextColumns
    settings: ScorerSettings
    calibration: Calibration | None
    calibration_name: str | None
    words: int | None
    prior: float | None
    as_json: bool
    page: Path | None


@APP.command()
def detect(
    paths: Annotated[
        list[str], typer.Argument(metavar="PATH...", help="Text files, JSONL or CSV files, folders; - is stdin.")
    ],
    calibration: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="A calibration file, published:falcon-accuracy, or published:falcon-low-fpr. It sets every option of "
            "the scorer that is not given.",
        ),
    ] = None,
    observer: Annotated[str | None, typer.Option(metavar="MODEL", help="Base model.")] = None,
    performer: Annotated[str | None, typer.Option(metavar="MODEL", help="Instruct model.")] = None,
    windows: Annotated[
        int | None, typer.Option(min=1, metavar="WORDS", help="Score overlapping windows of so many words, too.")
    ] = None,
    score: Annotated[
        str | None, typer.Option(metavar="NAME", help="score (Binoculars, the default), fast_detect, log_rank, …")
    ] = None,
    alignment: Annotated[Alignment | None, typer.Option()] = None,
    dtype: Annotated[Dtype | None, typer.Option()] = None,
    quantization: Annotated[Quantization | None, typer.Option()] = None,
    max_tokens: Annotated[int | None, typer.Option(min=2, help="Longer texts are cut. Default: 512.")] = None,
    prior: Annotated[
        float | None, typer.Option(metavar="SHARE", help="Share of machine texts that you expect: shows probabilities.")
    ] = None,
    text: Annotated[
        str, typer.Option(metavar="COLUMN", help="Column of the texts, in JSONL, CSV and the like.")
    ] = "text",
    record_id: Annotated[
        str | None, typer.Option("--id", metavar="COLUMN", help="Column of the ids. Default: id, where there is one.")
    ] = None,
    encoding: Annotated[str | None, typer.Option(metavar="NAME", help="Encoding of the files. Default: UTF-8.")] = None,
    delimiter: Annotated[
        str | None, typer.Option(metavar="CHARACTER", help="Between columns. Default: a comma; a tab in TSV files.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document instead of a table.")] = False,
    html: Annotated[Path | None, typer.Option(metavar="FILE", help="One HTML page instead of a table.")] = None,
) -> None:
    """Score texts with a pair of models and, with a calibration, flag those that look machine-made.

    Verdicts are 'machine', 'not flagged', 'too short to say', 'longer than calibrated' and 'no score'. No verdict says
    that a human wrote a text.
    """
    console = Console(stderr=True)
    try:
        bound = None if calibration is None else read_calibration(calibration)
        refuse_prior_without_curve(prior, bound)
        if html is not None:
            refuse_page(html, as_json)
        options = Options(observer, performer, alignment, dtype, quantization, max_tokens, score)
        settings = scorer_settings(options, bound)
        if bound is not None:
            refuse_other_options(settings, bound)
        columns = text_columns(text, record_id, encoding, delimiter)
        with interrupts.last_line("stopped: nothing was written"):
            _run(Request(paths, columns, settings, bound, calibration, windows, prior, as_json, html), console)
    except (ScoringError, ModelError) as error:
        print_message(f"error: {error}", console, style="red")
        raise typer.Exit(2) from error


def _run(request: Request, console: Console) -> None:
    """Read, score and judge the texts, and give the answer."""
    found = _find(request.paths)
    entries = _until_a_text(found, request.columns)
    notes = [DEMO_WARNING] if request.settings.is_demo else []
    if request.calibration is not None and (unsaid := unsaid_in_words(request.calibration)) is not None:
        notes.append(unsaid)
    for note in (*found.notes, *notes):
        print_message(note, console)
    scorer = _load(request.settings, console)
    used = settings_used(scorer, request.settings, request.calibration)
    if request.calibration is not None:
        refuse_other_settings(used, request.calibration)
    windows = _windows(request)
    spans = _token_spans(scorer) if windows is not None and windows.in_tokens else None
    judging = Judge(request.settings.score, request.calibration, windows, request.prior, spans)
    total = sum(count_texts(file, request.columns) for file in found.files) if console.is_terminal else 0
    tally = Tally()
    answer = Answer(scoring(judge(scorer, entries, judging), total, console), judging, used, tally)
    if request.page is not None:
        answer.write_page(request.page, notes)
    elif request.as_json:
        answer.print_document(request.calibration_name)
    else:
        answer.print_table()
    with interrupts.last_line("stopped: the answer is complete, its warnings are not"):
        for warning in tally.warnings(len(found.files)):
            print_message(warning, console)


def _find(paths: list[str]) -> FoundPaths:
    """Return the files to read.

    Raises:
        ScoringError: stdin is named twice, or folders hold no file to read.
    """
    if paths.count(STDIN) > 1:
        raise ScoringError("stdin (-) can be read once; name it once")
    found = find_files(paths)
    if not found.files:
        raise ScoringError("\n".join(found.notes))
    return found


def _until_a_text(found: FoundPaths, columns: TextColumns) -> Iterator[Entry]:
    """Read until there is a text; return what was read, followed by the rest.

    Raises:
        ScoringError: no text can be read; the message has the reason of each file and record.
    """
    entries = chain.from_iterable(entries_of(file, columns) for file in found.files)
    unread: list[Entry] = []
    for entry in entries:
        unread.append(entry)
        if entry.text is not None:
            return chain(unread, entries)
    lines = [f"{entry.name}: {entry.error}" for entry in unread[:SHOWN_ERRORS]]
    if len(unread) > SHOWN_ERRORS:
        lines.append(f"… and {len(unread) - SHOWN_ERRORS} more that cannot be read")
    raise ScoringError("\n".join(lines))


def _load(settings: ScorerSettings, console: Console) -> "Binoculars":
    with loading(settings.models, console):
        from scoring.binoculars import Binoculars  # torch, which takes seconds

        return Binoculars(*settings.models, **settings.arguments)


def _token_spans(scorer: "Binoculars") -> "TokenSpans":
    """Return what says where the tokens of a text are, by the tokenizer that cut the calibrated windows."""
    from scoring.tokens import token_spans

    return partial(token_spans, scorer.pair.observer.tokenizer)


def _windows(request: Request) -> WindowFragments | None:
    """Return how windows are cut: as they were calibrated, unless the user names another width."""
    calibrated = None if request.calibration is None else windows_of(request.calibration)
    if request.words is None:
        return calibrated
    if calibrated is not None and not calibrated.in_tokens and calibrated.words == request.words:
        return calibrated
    return WindowFragments(mode="window", words=request.words, step=max(1, request.words // 2))


def _main() -> None:
    for stream in (sys.stdout, sys.stderr):  # without this, a locale that is not UTF-8 ends in a traceback
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        APP()
    except OSError as error:
        if error.errno not in UNWRITABLE:
            raise
        discard_stdout()
        print_message(f"error: the answer cannot be written: {error.strerror}", Console(stderr=True), style="red")
        sys.exit(1)


if __name__ == "__main__":
    interrupts.guarded(_main)
