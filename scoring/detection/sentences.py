"""What a calibration promises and what was seen, in words: for the table, the page and the JSON document alike."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from scoring.calibration import Calibration, Verdict
from scoring.calibration_tables import HeldOut
from scoring.detection.inputs import UNREADABLE
from scoring.detection.judging import Judge, Judged, prefixes_of, windows_of
from scoring.fragment_settings import RandomFragments, WindowFragments, fragment_settings
from scoring.scores import SCORES
from scoring.wording import listed, plural, printable

SHOWN_NAMES: Final = 3
UNFLAGGED: Final = "'not flagged' says nothing about who wrote a text."


def rate_in_words(rate: float) -> str:
    """Return a rate as `1 in 100`, or as a percentage where it is no such fraction."""
    times = round(1 / rate)
    return f"1 in {times:,}" if abs(rate * times - 1) < 1e-9 else _percent(rate)


def promise_in_words(calibration: Calibration) -> str:
    """Return the promise of a calibration as a sentence; or that there is none, and what is known."""
    promise, population = calibration.promise, calibration.population
    if promise is None:
        return f"No promise: {calibration.published}"
    flagged = "has a flagged window" if windows_of(calibration) is not None else "is flagged"
    rate = rate_in_words(promise.fpr)
    if rate.endswith("%"):
        rate, flagged = f"{rate} of", flagged.replace("has", "have").replace("is ", "are ")
    records = f"{plural(population.records, 'record')} of {listed(population.datasets) or 'an unnamed dataset'}"
    return (
        f"At most {rate} human texts like those calibrated on {flagged}, with {_percent(promise.confidence)} "
        f"confidence; calibrated on {records}."
    )


def held_out_in_words(calibration: Calibration) -> Iterator[str]:
    """Yield what was seen on records to which nothing was fitted, a sentence for each length."""
    for group in calibration.held_out:
        noun = "window" if group.max_windows == 1 else "windows"
        windows = "" if group.min_windows is None else f", {_range(group.min_windows, group.max_windows)} {noun}"
        human = f"{group.false_positives:,} of {group.n_human:,} human texts flagged{_human_rate(group)}"
        machine = f"{group.true_positives:,} of {group.n_synthetic:,} machine texts{_machine_rate(group)}"
        yield f"Held out, {_range(group.min_tokens, group.max_tokens)} tokens{windows}: {human}; {machine}."


def unsaid_in_words(calibration: Calibration) -> str | None:
    """Return that a published calibration does not say of which revisions its models were; None for any other."""
    binding = calibration.binding
    if calibration.published is None or None not in (binding.observer_revision, binding.performer_revision):
        return None
    return (
        f"the calibration does not say of which revisions {binding.observer} and {binding.performer} were: those that "
        "are here are used, and their scores may differ"
    )


def windows_in_words(judge: Judge) -> Iterator[str]:
    """Yield how windows were judged, or why they have no verdict."""
    if judge.windows is None:
        return
    cutting = _cutting(judge.windows)
    if judge.judges_windows:
        yield (
            f"A text is flagged when one of its windows is ({cutting}); thresholds allow for how many windows it has. "
            "Score and threshold of a text are those of its most machine-like window."
        )
        return
    if judge.calibration is None:
        yield f"Scores only, for {cutting}: there is no calibration."
        return
    calibrated = judge.calibration.window_settings
    if calibrated is None:
        why = "the calibration is for texts, not for windows"
    elif windows_of(judge.calibration) is None:
        why = "the calibration is not corrected for the number of windows that are looked at"
    else:
        why = f"the calibration is for {_cutting(calibrated)}"
    yield f"No verdicts for {cutting}: {why}."


def cut_in_words(calibration: Calibration) -> str | None:
    """Return how the calibrated texts were cut, where they were neither whole nor windows; else None."""
    settings = None if calibration.fragments is None else fragment_settings(calibration.fragments)
    if isinstance(settings, RandomFragments):
        return (
            f"The calibrated texts were fragments of {settings.shortest} to {settings.longest} {_unit(settings)}, cut "
            "at random: a whole text may differ from a fragment of its length."
        )
    if (prefixes := prefixes_of(calibration)) is not None:
        lengths = listed(prefixes.tokens)
        return f"A text is judged by its longest beginning that was calibrated: its first {lengths} tokens."
    return None


def settings_in_words(used: Mapping[str, Any], calibration: Calibration | None) -> str:
    """Return the pair and its settings; without a calibration also on which side machine text lies."""
    settings = (
        f"{used['observer']} and {used['performer']}, {used['dtype']}, quantization {used['quantization']}, "
        f"alignment {used['alignment']}, {used['max_tokens']} tokens at most."
    )
    if calibration is not None:
        return settings
    direction = SCORES[used["score"]].direction
    side = f"{direction} is more machine-like" if direction else "neither side is that of machine text"
    return f"{settings} Without a --calibration there is no verdict: {side}."


def probability_in_words(judge: Judge) -> str | None:
    """Return what the probabilities assume; None where there are none."""
    if judge.prior is None or judge.calibration is None or judge.calibration.probability is None:
        return None
    curve = judge.calibration.probability
    brier = "" if curve.brier is None else f", Brier score {curve.brier:.3f} at a share of {100 * curve.share:.6g}%"
    return (
        f"Probabilities hold if {_percent(judge.prior)} of such texts are machine-made (--prior); "
        f"curve fitted on {plural(curve.records, 'record')}{brier}."
    )


@dataclass
class Tally:
    """Counts of what was judged, for the sentences that follow the last text."""

    files: set[str] = field(default_factory=set)
    texts: int = 0
    verdicts: Counter[Verdict] = field(default_factory=Counter)
    unread_files: int = 0
    unread_records: int = 0
    truncated: int = 0
    unlike: list[str] = field(default_factory=list)
    """Names of the first texts that are unlike those of the calibration, with how."""
    unlike_texts: int = 0

    def add(self, judged: Judged) -> None:
        """Count a text, or what cannot be read."""
        if judged.piece is None:
            self.unread_files += judged.entry.null_reason == UNREADABLE
            self.unread_records += judged.entry.null_reason != UNREADABLE
            return
        self.texts += 1
        self.truncated += bool(judged.piece.row.truncated)
        if judged.verdict is not None:
            self.verdicts[judged.verdict] += 1
        if judged.unlike:
            self.unlike_texts += 1
            if len(self.unlike) < SHOWN_NAMES:
                self.unlike.append(f"{printable(judged.entry.name, 200)} ({'; '.join(judged.unlike)})")

    def truncated_in_words(self, max_tokens: int) -> str | None:
        """Return what was cut; None where nothing was."""
        if not self.truncated:
            return None
        subject, verdicts = (
            ("text is", "its verdict is") if self.truncated == 1 else ("texts are", "their verdicts are")
        )
        return (
            f"{self.truncated} {subject} longer than {max_tokens} tokens and cut there: {verdicts} about the first "
            f"{max_tokens} tokens."
        )

    def warnings(self, files: int) -> Iterator[str]:
        """Yield what could not be read of so many files, and which texts are unlike those of the calibration."""
        if self.unread_files:
            yield f"{self.unread_files} of {files} files cannot be read; the other files are scored"
        if self.unread_records:
            yield f"{plural(self.unread_records, 'record')} without a text that can be read; the others are scored"
        if self.unlike_texts:
            names = "; ".join(self.unlike)
            more = self.unlike_texts - len(self.unlike)
            names += f"; and {more} more" if more else ""
            yield f"the promise is not about {plural(self.unlike_texts, 'text')} unlike those calibrated on: {names}"


def _cutting(windows: WindowFragments) -> str:
    return f"windows of {windows.width} {_unit(windows)}, one every {windows.step} {_unit(windows)}"


def _unit(settings: RandomFragments | WindowFragments) -> str:
    return "tokens" if settings.in_tokens else "words"


def _percent(rate: float) -> str:
    return f"{100 * rate:.12g}%"


def _range(first: int | None, last: int | None) -> str:
    return f"{first}" if first == last else f"{first}–{last}"


def _human_rate(group: HeldOut) -> str:
    return _rate(group.fpr, group.fpr_low, group.fpr_high)


def _machine_rate(group: HeldOut) -> str:
    return _rate(group.tpr, group.tpr_low, group.tpr_high)


def _rate(rate: float | None, low: float | None, high: float | None) -> str:
    if rate is None:
        return ""
    interval = "" if low is None or high is None else f", 95% interval {100 * low:.1f}–{100 * high:.1f}"
    return f" ({100 * rate:.1f}%{interval})"
