"""Places at which texts are cut: random lengths and windows, over words or tokens.

A text is a row of units, words or tokens, and its bounds are the places between units at which it may be cut: all of
them for words; for tokens those that are inside no character. Knows neither texts nor authors.
"""

import random
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Final

from scoring.fragment_settings import RandomFragments, WindowFragments

Span = tuple[int, int]
"""First unit, and the unit after the last; or first character, and the character after the last."""


@dataclass(frozen=True)
class Units:
    """Words or tokens of a text."""

    spans: Sequence[Span]
    """Characters of each unit."""
    bounds: Sequence[int]
    """Rising numbers of units after which the text may be cut, from 0 to all of them."""

    def __len__(self) -> int:
        return len(self.spans)

    def characters(self, span: Span) -> Span:
        """Return the characters from the first unit of a span to its last."""
        start, stop = span
        return (self.spans[start][0], self.spans[stop - 1][1]) if stop > start else (0, 0)


NO_UNITS: Final = Units((), (0,))


def word_units(spans: Sequence[Span]) -> Units:
    """Return words as units: a text may be cut between any two."""
    return Units(spans, range(len(spans) + 1))


def token_units(spans: Sequence[Span]) -> Units:
    """Return tokens as units: a text may be cut where no character has tokens on both sides."""
    if not spans:
        return NO_UNITS
    placed: list[Span] = []
    for start, end in spans:  # a token without characters stands where the token before it ends
        placed.append((start, end) if end > start else (placed[-1][1],) * 2 if placed else (0, 0))
    ends = [0, *accumulate((end for _, end in placed), max)]
    starts = [*accumulate((start for start, _ in reversed(placed)), min)][::-1]
    bounds = [0]
    for i in range(1, len(placed)):
        if ends[bounds[-1]] < ends[i] <= starts[i] and ends[i] < ends[-1]:  # characters stand between two bounds
            bounds.append(i)
    return Units(placed, [*bounds, len(placed)])


def balanced_spans(name: str, texts: Sequence[Units], settings: RandomFragments) -> list[list[Span]]:
    """Draw the same lengths for all texts of a record, so that a length says nothing about the author.

    Lengths are uniform. The draw that reaches beyond the shortest text ends the walk. A coin decides whether the walk
    starts at the front or the back of the texts.

    Args:
        name: The record's name, which the draws depend on.
        texts: The units of each text.
        settings: Lengths and seed.
    """
    draw = random.Random(f"{settings.seed}:{name}")
    from_back = draw.random() < 0.5
    total = min(map(len, texts))
    steps = _walk(draw, total, _shared_bounds(texts, from_back), settings)
    return [[_from_end(len(units), span) if from_back else span for span in steps] for units in texts]


def paired_span(name: str, length: int, total: int, settings: RandomFragments) -> Span:
    """Return the units of a text of `length` units that a balanced walk over the shortest, of `total`, may reach."""
    from_back = random.Random(f"{settings.seed}:{name}").random() < 0.5
    return _from_end(length, (0, total)) if from_back else (0, total)


def unbalanced_spans(name: str, units: Units, settings: RandomFragments) -> list[Span]:
    """Draw lengths for one text, up to its end: what is left is shorter than a fragment may be."""
    draw = random.Random(f"{settings.seed}:{name}")
    from_back = draw.random() < 0.5
    steps = _walk(draw, len(units), _shared_bounds([units], from_back), settings)
    return [_from_end(len(units), span) if from_back else span for span in steps]


def window_spans(units: Units, settings: WindowFragments) -> Iterator[Span]:
    """Yield a window at every step. The last window ends with the text, and is moved back to have full width.

    Where a bound is not allowed, a window starts and ends at the last one before it. No unit is in no window.
    """
    length, bounds = len(units), units.bounds
    if not length:
        return
    last = bounds[bisect_left(bounds, max(0, length - settings.width))]
    last = bounds[-2] if last == length else last
    start = 0
    while start < last:
        yield start, _bound_after(bounds, start, settings.width)
        start = _bound_after(bounds, start, settings.step)
    yield last, length


def _bound_after(bounds: Sequence[int], start: int, distance: int) -> int:
    """Return the last bound within the distance; the next one where there is none."""
    place = bisect_right(bounds, start + distance) - 1
    return bounds[place] if bounds[place] > start else bounds[place + 1]


def _shared_bounds(texts: Sequence[Units], from_back: bool) -> Sequence[int]:
    """Return the bounds that all texts have, as distances from the end at which a walk starts."""
    sets = [{len(units) - bound for bound in units.bounds} if from_back else set(units.bounds) for units in texts]
    return sorted(set.intersection(*sets))


def _walk(draw: random.Random, total: int, bounds: Sequence[int], settings: RandomFragments) -> list[Span]:
    """Return steps of random length. A balanced walk ends with the first draw that reaches beyond `total`."""
    walked, steps = 0, list[Span]()
    while settings.shortest <= (rest := total - walked if not settings.balanced else total):
        drawn = walked + draw.randint(settings.shortest, min(settings.longest, rest))
        stop = _nearest(bounds, drawn, walked + settings.shortest, walked + settings.longest)
        if drawn > total or stop is None or stop > total:
            break
        steps.append((walked, stop))
        walked = stop
    return steps


def _nearest(bounds: Sequence[int], wanted: int, low: int, high: int) -> int | None:
    """Return the last bound up to the wanted one, else the next one; None where neither is from `low` to `high`."""
    place = bisect_right(bounds, wanted)
    if bounds[place - 1] >= low:
        return bounds[place - 1]
    return bounds[place] if place < len(bounds) and bounds[place] <= high else None


def _from_end(length: int, span: Span) -> Span:
    start, stop = span
    return length - stop, length - start
