"""`python -m scoring.detect`: score texts from files or stdin and, with a calibration, say who wrote them.

Exit codes: 0 every text was looked at (one that has no score says why), 2 the command, a file, a model or the
calibration is wrong.
"""

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.console import Console
from rich.table import Table

from models.errors import ModelError
from models.load import Dtype, Quantization
from scoring.binoculars import Binoculars
from scoring.calibration import Binding, Calibration, Verdict
from scoring.errors import ScoringError
from scoring.fragments import Fragment, FragmentSettings, WholeTexts, WindowFragments, cut
from scoring.records import Record, Text
from scoring.results import Alignment, FragmentScore

DEMO_PAIR: Final = ("builtin://tiny-base", "builtin://tiny-instruct")
SHOWN_CHARACTERS: Final = 48
APP = typer.Typer(add_completion=False)
STDERR: Final = Console(stderr=True, soft_wrap=True, highlight=False)


@dataclass(frozen=True)
class Judged:
    """A scored piece of a file with its verdict, where there is a calibration."""

    row: FragmentScore
    text: str
    threshold: float | None
    verdict: Verdict | None

    def as_json(self) -> dict[str, Any]:
        """What `--json` prints of it."""
        kept = ("start_word", "length_words", "length_tokens", "score", "log_ppl", "log_xppl")
        said = {"threshold": self.threshold, "verdict": self.verdict}
        rest = {"truncated": self.row.truncated, "null_reason": self.row.null_reason}
        return {"file": self.row.record_id} | {name: getattr(self.row, name) for name in kept} | said | rest


@APP.command()
def detect(
    files: Annotated[list[str], typer.Argument(metavar="FILE...", help="Text files; - is stdin.")],
    calibration: Annotated[
        Path | None, typer.Option(help="What analysis.thresholds wrote; sets every option below it does not name.")
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
        texts = {file: _read(file) for file in files}
        scorer = Binoculars(
            *_models(observer, performer, bound),
            alignment=alignment or (bound.alignment if bound else "reference"),
            dtype=dtype or (bound.dtype if bound else "auto"),
            quantization=quantization or (bound.quantization if bound else "none"),
            max_tokens=max_tokens,
        )
        used = binding(scorer)
        if bound is not None:
            bound.check(used)
        judged = list(judge(scorer, texts, windows, bound))
    except (ScoringError, ModelError) as error:
        STDERR.print(f"error: {error}", style="red", markup=False)
        raise typer.Exit(2) from error
    if as_json:
        print(json.dumps(used.model_dump() | {"results": [one.as_json() for one in judged]}, indent=2))
    else:
        _print_table(judged, used, bound)


def judge(
    scorer: Binoculars, texts: dict[str, str], windows: int | None, calibration: Calibration | None
) -> Iterator[Judged]:
    """Score every text, or windows of it that overlap by half, in order."""
    fragments = [fragment for name, text in texts.items() for fragment in _pieces(name, text, windows)]
    for fragment, row in zip(fragments, scorer.score_fragments(fragments), strict=True):
        if calibration is None:
            yield Judged(row, fragment.text, None, None)
        else:
            threshold = calibration.threshold_for(row.length_words)
            yield Judged(row, fragment.text, threshold, calibration.verdict(row.score, row.length_words))


def binding(scorer: Binoculars) -> Binding:
    """What a threshold for this scorer's numbers is bound to."""
    observer, performer = scorer.pair.observer, scorer.pair.performer
    return Binding.model_validate(
        {
            "observer": observer.files.name,
            "performer": performer.files.name,
            "dtype": performer.dtype_name,
            "quantization": performer.quantization,
            "alignment": scorer.alignment,
        }
    )


def _pieces(name: str, text: str, windows: int | None) -> tuple[Fragment, ...]:
    settings: FragmentSettings = WholeTexts(mode="whole")
    if windows is not None:
        settings = WindowFragments(mode="window", words=windows, step=max(1, windows // 2))
    return cut(Record(name, None, (Text(None, None, text),)), settings).fragments


def _models(observer: str | None, performer: str | None, bound: Calibration | None) -> tuple[str, str]:
    if bound is not None:
        return observer or bound.observer, performer or bound.performer
    if observer and performer:
        return observer, performer
    if observer or performer:
        raise ScoringError("name both --observer and --performer, or neither")
    STDERR.print(
        f"no models named: using the demo pair {' and '.join(DEMO_PAIR)}. It is tiny and was trained on "
        "docstrings: it shows how this works, not who wrote your text."
    )
    return DEMO_PAIR


def _read(file: str) -> str:
    try:
        data = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
        return data.decode("utf-8-sig")
    except OSError as error:
        raise ScoringError(f"{file}: {error.strerror or error}; name readable text files, or - for stdin") from error
    except UnicodeDecodeError as error:
        raise ScoringError(f"{file}: not UTF-8 text at byte {error.start}; convert it first") from error


def _print_table(judged: list[Judged], used: Binding, bound: Calibration | None) -> None:
    table = Table("file", "words", "tokens", "score", *(["verdict"] if bound else []), "text")
    for one in judged:
        row = one.row
        first, count = row.start_word or 0, row.length_words or 0
        tokens = "–" if row.length_tokens is None else f"{row.length_tokens}{' (cut)' if row.truncated else ''}"
        score = f"{row.score:.4f}" if row.score is not None else f"none: {row.null_reason}"
        verdict = [_colored(one.verdict)] if bound else []
        shown = " ".join(one.text.split())[:SHOWN_CHARACTERS]
        table.add_row(row.record_id, f"{first}–{first + count}", tokens, score, *verdict, _escape(shown))
    console = Console()
    console.print(table)
    console.print(_footer(used, bound), highlight=False)


def _footer(used: Binding, bound: Calibration | None) -> str:
    models = f"{used.observer} and {used.performer}, {used.dtype}, {used.quantization}, {used.alignment}"
    if bound is None:
        return f"{models}. Without a --calibration there is no verdict: lower is more machine-like."
    return f"{models}. Machine at or below {bound.threshold:.4f}, for a false-positive rate of {bound.fpr_target:g}."


def _colored(verdict: Verdict | None) -> str:
    return {"machine": "[red]machine[/red]", "human": "[green]human[/green]", None: "–"}[verdict]


def _escape(text: str) -> str:
    return text.replace("[", r"\[")


if __name__ == "__main__":
    APP()
