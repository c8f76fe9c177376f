"""Scores and verdicts of texts, for `python -m scoring.detect`. Reads and prints nothing."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from scoring.calibration import Binding, Calibration, Verdict
from scoring.corpora.records import Record, Text
from scoring.fragment_settings import FragmentSettings, WholeTexts, WindowFragments
from scoring.fragments import Fragment, cut
from scoring.results import FragmentScore, Score, fragment_score

if TYPE_CHECKING:
    from scoring.binoculars import Binoculars

UNREADABLE: Final = "unreadable"


@dataclass(frozen=True)
class Source:
    """A file that the user named: its text, or the error that reading it gave."""

    name: str
    text: str | None = None
    error: str | None = None


@dataclass(frozen=True)
class JudgedText:
    """A scored fragment of a file, with a verdict if there is a calibration; or a file that cannot be read."""

    row: FragmentScore
    text: str
    threshold: float | None = None
    verdict: Verdict | None = None
    error: str | None = None

    def as_json(self) -> dict[str, Any]:
        """Return the entry that `--json` prints."""
        kept = ("start_word", "length_words", "length_tokens", "score", "log_ppl", "log_xppl")
        said = {"threshold": self.threshold, "verdict": self.verdict}
        rest = {"truncated": self.row.truncated, "null_reason": self.row.null_reason, "error": self.error}
        return {"file": self.row.record_id} | {name: getattr(self.row, name) for name in kept} | said | rest


def judge(
    scorer: "Binoculars", sources: Sequence[Source], windows: int | None, calibration: Calibration | None
) -> Iterator[JudgedText]:
    """Score every text, or windows of every text that overlap by half, in order.

    A file that cannot be read has a row without score at its place.
    """
    pieces = [_fragments_of(source, windows) for source in sources]
    rows = scorer.score_fragments(fragment for of_source in pieces for fragment in of_source)
    for source, of_source in zip(sources, pieces, strict=True):
        if source.text is None:
            yield _unreadable(source)
        for fragment in of_source:
            row = next(rows)
            if calibration is None:
                yield JudgedText(row, fragment.text)
            else:
                threshold = calibration.threshold_for(row.length_words)
                verdict = calibration.verdict(row.score, row.length_words)
                yield JudgedText(row, fragment.text, threshold, verdict)


def binding_of(scorer: "Binoculars") -> Binding:
    """Return the settings for which a threshold of this scorer's scores holds."""
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


def _unreadable(source: Source) -> JudgedText:
    nothing = Fragment(source.name, 0, None, None, None, "", None, None, (), UNREADABLE)
    return JudgedText(fragment_score(nothing, Score(null_reason=UNREADABLE)), "", error=source.error)


def _fragments_of(source: Source, windows: int | None) -> tuple[Fragment, ...]:
    if source.text is None:
        return ()
    settings: FragmentSettings = WholeTexts(mode="whole")
    if windows is not None:
        settings = WindowFragments(mode="window", words=windows, step=max(1, windows // 2))
    return cut(Record(source.name, None, (Text(None, None, source.text),)), settings).fragments
