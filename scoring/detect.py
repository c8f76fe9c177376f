"""`python -m scoring.detect`: score texts from files or stdin and, with a calibration, say who wrote them.

Exit codes: 0 at least one file was read (a text without score and a file that cannot be read say why); 1 the answer
could not be written; 2 the command, a model or the calibration is wrong, or no file could be read.

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

import errno
import json
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Final, Literal

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from models.errors import ModelError
from models.names import anchored
from scoring.calibration import Binding, Calibration, Quantization, Verdict
from scoring.errors import ScoringError
from scoring.judging import JudgedText, Source, binding_of, judge
from scoring.results import Alignment

DEMO_PAIR: Final = ("builtin://tiny-base", "builtin://tiny-instruct")
DEMO_WARNING: Final = (
    f"no models named: using the demo pair {' and '.join(DEMO_PAIR)}. It is tiny and was trained on docstrings: it "
    "shows how this works, not who wrote your text."
)
SHOWN_CHARACTERS: Final = 48
UNWRITABLE: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF)
"""Errors after which an answer cannot be written. EPIPE is none: a reader that closes its pipe has read enough."""
COLOURS: Final[dict[Verdict, str]] = {"machine": "red", "human": "green"}
APP = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)

Dtype = Literal["auto", "float32", "bfloat16", "float16"]


@APP.command()
def detect(
    files: Annotated[list[str], typer.Argument(metavar="FILE...", help="Text files; - is stdin.")],
    calibration: Annotated[
        Path | None, typer.Option(help="A calibration file; it sets every option below that is not given.")
    ] = None,
    observer: Annotated[str | None, typer.Option(help="Base model.")] = None,
    performer: Annotated[str | None, typer.Option(help="Instruct model.")] = None,
    windows: Annotated[
        int | None, typer.Option(min=1, metavar="WORDS", help="Score overlapping windows of so many words.")
    ] = None,
    alignment: Annotated[Alignment | None, typer.Option()] = None,
    dtype: Annotated[Dtype | None, typer.Option()] = None,
    quantization: Annotated[Quantization | None, typer.Option()] = None,
    max_tokens: Annotated[int, typer.Option(min=2, help="Longer texts are cut.")] = 512,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document instead of a table.")] = False,
) -> None:
    """Score texts with a pair of models: the lower the score, the more machine-like."""
    try:
        bound = Calibration.read(calibration) if calibration else None
        models = _models(observer, performer, bound)
        sources = _read_all(files)
        if models is None:
            _print_message(DEMO_WARNING)

        from scoring.binoculars import Binoculars

        scorer = Binoculars(
            *(models or DEMO_PAIR),
            alignment=alignment or (bound.alignment if bound else "reference"),
            dtype=dtype or (bound.dtype if bound else "auto"),
            quantization=quantization or (bound.quantization if bound else "none"),
            max_tokens=max_tokens,
        )
        used = binding_of(scorer)
        if bound is not None:
            bound.check(used)
        judged = list(judge(scorer, sources, windows, bound))
    except (ScoringError, ModelError) as error:
        _print_message(f"error: {error}", style="red")
        raise typer.Exit(2) from error
    if as_json:
        _print_answer(json.dumps(used.model_dump() | {"results": [one.as_json() for one in judged]}, indent=2) + "\n")
    else:
        _print_answer(_table(judged, used, bound))


def _models(observer: str | None, performer: str | None, bound: Calibration | None) -> tuple[str, str] | None:
    """Return the pair that the options, or else the calibration, name; None where neither does."""
    if observer or performer:
        here = Path.cwd()
        observer, performer = (model and anchored(model, here) for model in (observer, performer))
    if bound is not None:
        return observer or bound.observer, performer or bound.performer
    if observer and performer:
        return observer, performer
    if observer or performer:
        raise ScoringError("name both --observer and --performer, or neither")
    return None


def _read_all(files: list[str]) -> list[Source]:
    """Read every file.

    Raises:
        ScoringError: no file can be read (the message has the reason of each), or stdin is named twice.
    """
    if files.count("-") > 1:
        raise ScoringError("stdin (-) can be read once; name it once")
    sources = [_read(file) for file in files]
    unread = [source for source in sources if source.error is not None]
    if len(unread) == len(sources):
        raise ScoringError("\n".join(f"{source.name}: {source.error}" for source in unread))
    if unread:
        _print_message(f"{len(unread)} of {len(sources)} files cannot be read; the other files are scored")
    return sources


def _read(file: str) -> Source:
    try:
        return Source(file, _text_of(_bytes_of(file)))
    except UnicodeDecodeError as error:
        return Source(file, error=f"not UTF-8 text at byte {error.start}; convert it first")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        return Source(file, error=f"{reason}; name readable text files, or - for stdin")


def _text_of(content: bytes) -> str:
    """Decode a file without its byte order mark and final newlines, and with LF as line ends."""
    return content.decode("utf-8-sig").replace("\r\n", "\n").rstrip("\n")


def _bytes_of(file: str) -> bytes:
    if file != "-":
        return Path(file).read_bytes()
    if sys.stdin is None:
        raise OSError("stdin is closed")
    return sys.stdin.buffer.read()


def _table(judged: list[JudgedText], used: Binding, bound: Calibration | None) -> str:
    table = Table("file", "words", "tokens", "score", *(["verdict"] if bound else []), "text")
    for one in judged:
        cells = _cells(one)
        table.add_row(*(cells if bound else [*cells[:4], *cells[5:]]))
    console = Console()
    with console.capture() as captured:
        console.print(table)
        console.print(Text(_printable(_footer(used, bound))), soft_wrap=True)
    return captured.get()


def _cells(one: JudgedText) -> list[Text]:
    row, first, count = one.row, one.row.start_word or 0, one.row.length_words or 0
    words = "–" if row.length_words is None else f"{first}–{first + count}"
    tokens = "–" if row.length_tokens is None else f"{row.length_tokens}{' (cut)' if row.truncated else ''}"
    score = f"{row.score:.4f}" if row.score is not None else f"none: {one.error or row.null_reason}"
    verdict = Text("–") if one.verdict is None else Text(one.verdict, style=COLOURS[one.verdict])
    shown = " ".join(one.text.split())[:SHOWN_CHARACTERS]
    return [
        Text(_printable(row.record_id)),
        Text(words),
        Text(tokens),
        Text(_printable(score)),
        verdict,
        Text(_printable(shown)),
    ]


def _footer(used: Binding, bound: Calibration | None) -> str:
    models = f"{used.observer} and {used.performer}, {used.dtype}, {used.quantization}, {used.alignment}"
    if bound is None:
        return f"{models}. Without a --calibration there is no verdict: lower is more machine-like."
    return f"{models}. Machine at or below {bound.threshold:.4f}, for a false-positive rate of {bound.fpr_target:g}."


def _printable(text: str) -> str:
    """Escape every character that a terminal would obey or cannot show."""
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape", "surrogatepass").decode() for letter in text
    )


def _print_message(message: str, style: str = "") -> None:
    """Print to stderr, line by line. A stderr that is closed or full is ignored."""
    console = Console(stderr=True, soft_wrap=True, highlight=False)
    with suppress(OSError):
        for line in message.splitlines():
            console.print(Text(_printable(line), style=style))


def _print_answer(text: str) -> None:
    """Print to stdout and flush. A reader that has closed its pipe is ignored.

    Raises:
        OSError: stdout is closed, or cannot be written.
    """
    if sys.stdout is None:
        raise OSError(errno.EBADF, "stdout is closed")
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        _discard_stdout()


def _discard_stdout() -> None:
    """Discard the buffer of stdout: Python would write it again, and fail, when the process ends."""
    if sys.stdout is not None:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _main() -> None:
    for stream in (sys.stdout, sys.stderr):  # without this, a locale that is not UTF-8 ends in a traceback
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        APP()
    except OSError as error:
        if error.errno not in UNWRITABLE:
            raise
        _discard_stdout()
        _print_message(f"error: the answer cannot be written: {error.strerror}", style="red")
        sys.exit(1)


if __name__ == "__main__":
    _main()
