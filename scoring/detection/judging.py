"""Scores and verdicts of texts and of their windows. Reads and prints nothing.

Thresholds of texts judge whole texts. Thresholds of prefixes judge the longest calibrated beginning of a text.
Thresholds of windows judge the windows of a text, together: they are corrected for the number of windows of a text, so
a text is flagged when one of its windows is.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING, Final

from scoring.calibration import Calibration, Verdict
from scoring.corpora.records import Record, Text
from scoring.corpora.scripts import script_of
from scoring.detection.inputs import Entry
from scoring.detection.probability import probability_of
from scoring.fragment_settings import FragmentSettings, PrefixFragments, WholeTexts, WindowFragments
from scoring.fragments import Fragment, TokenSpans, cut
from scoring.results import FragmentScore

if TYPE_CHECKING:
    from scoring.binoculars import Binoculars

GROUP_FRAGMENTS: Final = 64
"""Texts and windows that are scored together: enough for full batches, few enough to show that the work goes on.

A constant, because a bfloat16 score depends a little on the batch.
"""
NO_VALUE: Final = "no such value for this text"
"""Reason of a text that has a Binoculars score, but not the score that was asked for."""
WHOLE: Final = WholeTexts(mode="whole")


@dataclass(frozen=True)
class Piece:
    """A scored text or window; with a verdict where the calibration is for such."""

    row: FragmentScore
    score: float | None
    threshold: float | None = None
    verdict: Verdict | None = None


@dataclass(frozen=True)
class Judged:
    """A text with its score and verdict; or a file or record that cannot be read."""

    entry: Entry
    piece: Piece | None
    """The text. Where windows are judged: the window whose score lies farthest to the side of machine text."""
    windows: tuple[Piece, ...] | None = None
    verdict: Verdict | None = None
    probability: float | None = None
    """Probability that the text is machine-made, where a prior was given."""
    unlike: tuple[str, ...] = ()
    """Ways in which the text is unlike the texts of the calibration."""

    @property
    def reason(self) -> str | None:
        """Return why there is no score; None where there is one."""
        if self.piece is None:
            return self.entry.error
        return self.piece.row.null_reason or (NO_VALUE if self.piece.score is None else None)

    @property
    def flagged_windows(self) -> int:
        """Return the number of flagged windows."""
        return sum(window.verdict == "machine" for window in self.windows or ())


@dataclass(frozen=True)
class Judge:
    """Cuts texts into the pieces that are scored, and judges these."""

    score: str
    """Name of the score, a key of `scoring.scores.SCORES`."""
    calibration: Calibration | None = None
    windows: WindowFragments | None = None
    """How windows are cut; None: only whole texts are scored."""
    prior: float | None = None
    """Share of machine texts that the user expects; None: no probability is shown."""
    token_spans: TokenSpans | None = None
    """Places of the tokens of a text, by the pair's tokenizer; needed where windows are counted in tokens."""

    @property
    def judges_windows(self) -> bool:
        """Return True where the windows have verdicts: the calibration is for windows that are cut like these."""
        return (
            self.calibration is not None and self.windows is not None and self.windows == windows_of(self.calibration)
        )

    @property
    def judges_texts(self) -> bool:
        """Return True where the calibration has thresholds for texts, and not for windows alone."""
        return self.calibration is not None and windows_of(self.calibration) is None

    @cached_property
    def prefixes(self) -> PrefixFragments | None:
        """Return the beginnings of a text that are scored, where the calibration is for prefixes; else None."""
        return None if self.calibration is None else prefixes_of(self.calibration)

    def fragments(self, entry: Entry) -> tuple[Fragment, ...]:
        """Return the pieces of a text: the text, unless its windows are judged; then its windows."""
        if entry.text is None:
            return ()
        record = Record(entry.name, None, (Text(None, None, entry.text),))
        wanted: list[FragmentSettings] = [] if self.judges_windows else [self.prefixes or WHOLE]
        if self.windows is not None:
            wanted.append(self.windows)
        return tuple(fragment for settings in wanted for fragment in cut(record, settings, self.token_spans).fragments)

    def judged(self, entry: Entry, rows: list[FragmentScore]) -> Judged:
        """Return the verdict of a text from the scores of its pieces, which are in the order of `fragments`."""
        if not rows:
            return Judged(entry, None, verdict=None if self.calibration is None else "no score")
        if self.judges_windows:
            scored = sum(getattr(row, self.score) is not None for row in rows)
            windows = tuple(self._piece(row, scored) for row in rows)
            piece, verdict = self._most_extreme(windows), _verdict_of_windows(windows)
        else:
            of_text = 1 if self.prefixes is None else len(self.prefixes.tokens)
            piece = self._piece(_longest(rows[:of_text]), None)
            windows = tuple(Piece(row, getattr(row, self.score)) for row in rows[of_text:])
            verdict = piece.verdict
        unlike = tuple(self._unlike(entry.text or "", rows if self.judges_windows else [piece.row]))
        shown = windows if self.windows is not None else None
        return Judged(entry, piece, shown, verdict, self._probability(piece), unlike)

    def _piece(self, row: FragmentScore, windows: int | None) -> Piece:
        score: float | None = getattr(row, self.score)
        if self.calibration is None or not (self.judges_texts or self.judges_windows):
            return Piece(row, score)
        if row.null_reason == "shorter_than_prefix":
            return Piece(row, score, verdict="too short to say")
        verdict = self.calibration.verdict(score, row.length_tokens, windows)
        group = None if row.length_tokens is None else self.calibration.group_for(row.length_tokens, windows)
        return Piece(row, score, None if group is None or score is None else group.threshold, verdict)

    def _probability(self, piece: Piece) -> float | None:
        """Return the probability that the text is machine-made, where there is a prior and the text is judged.

        The curve of windows is that of the most machine-like window of a text, as the thresholds are.
        """
        curve = None if self.calibration is None else self.calibration.probability
        if curve is None or self.prior is None or piece.score is None or piece.threshold is None:
            return None
        return probability_of(curve, piece.score, self.prior)

    def _most_extreme(self, windows: tuple[Piece, ...]) -> Piece:
        """Return the window that is farthest beyond its threshold, or least far before it; else the first window."""
        is_lower = self.calibration is None or self.calibration.binding.direction == "lower"

        def beyond(piece: Piece) -> float:
            if piece.score is None or piece.threshold is None:
                return -float("inf")
            return piece.threshold - piece.score if is_lower else piece.score - piece.threshold

        return max(windows, key=beyond)

    def _unlike(self, text: str, rows: list[FragmentScore]) -> Iterator[str]:
        if self.calibration is None or self.calibration.published is not None:
            return  # a published threshold does not say which texts it is for
        if not (self.judges_texts or self.judges_windows):
            return
        population = self.calibration.population
        least, most = population.length_tokens
        outside = [row.length_tokens for row in rows if row.length_tokens and not least <= row.length_tokens <= most]
        if outside:
            yield f"{outside[0]} tokens, and the texts of the calibration have {least} to {most}"
        longest = self.prefixes.tokens[-1] if self.prefixes is not None else 0
        if not self.judges_windows and (rows[0].prefix_tokens or longest) < longest:
            yield f"shorter than {longest} tokens, and every text of the calibration has so many"
        script = script_of(text)
        if population.scripts is not None and script is not None and script not in population.scripts:
            yield f"mostly {script} letters, and the texts of the calibration are {' or '.join(population.scripts)}"


def judge(scorer: "Binoculars", entries: Iterable[Entry], judge: Judge) -> Iterator[Judged]:
    """Score and judge every text, in order. What cannot be read stays at its place. Holds some texts at a time."""
    for group in _groups(entries, judge):
        rows = scorer.score_fragments(fragment for _, fragments in group for fragment in fragments)
        for entry, fragments in group:
            count = sum(len(fragment.prefix_tokens) or 1 for fragment in fragments)
            yield judge.judged(entry, list(islice(rows, count)))


def windows_of(calibration: Calibration) -> WindowFragments | None:
    """Return how windows were cut, where the thresholds are corrected for the number of windows; else None."""
    corrected = any(group.min_windows is not None for group in calibration.groups)
    return calibration.window_settings if corrected else None


def prefixes_of(calibration: Calibration) -> PrefixFragments | None:
    """Return the beginnings that have a threshold, where the thresholds are for prefixes; else None."""
    if (calibration.fragments or {}).get("mode") != "prefix":
        return None
    most = calibration.binding.max_tokens or 0
    lengths = tuple(group.min_tokens for group in calibration.groups if 2 <= group.min_tokens <= most)
    return PrefixFragments(mode="prefix", tokens=lengths) if lengths else None


def _longest(rows: list[FragmentScore]) -> FragmentScore:
    """Return the longest beginning of a text that could be scored; else the shortest, which has the reason."""
    return next((row for row in reversed(rows) if row.null_reason is None), rows[0])


def _groups(entries: Iterable[Entry], judge: Judge) -> Iterator[list[tuple[Entry, tuple[Fragment, ...]]]]:
    group: list[tuple[Entry, tuple[Fragment, ...]]] = []
    fragments = 0
    for entry in entries:
        group.append((entry, judge.fragments(entry)))
        fragments += len(group[-1][1])
        if max(fragments, len(group)) >= GROUP_FRAGMENTS:
            yield group
            group, fragments = [], 0
    if group:
        yield group


def _verdict_of_windows(windows: tuple[Piece, ...]) -> Verdict | None:
    """Return `machine` where a window is; else `not flagged` where a window was judged; else that of the first."""
    verdicts = [window.verdict for window in windows]
    known: tuple[Verdict, ...] = ("machine", "not flagged")
    return next((verdict for verdict in known if verdict in verdicts), verdicts[0])
