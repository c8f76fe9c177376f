"""Fragments of a record's texts: random fragments, prefixes, windows, or whole texts.

Words are what `str.split()` gives, and tokens are what the pair's tokenizer makes of a text. A fragment is a piece of
the text from its first word or token to its last, with the blanks between as they were. The fragments of a record
depend on the settings, the record and the tokenizer alone, never on its shard or on records cut before. Imports no
torch: specs are validated with this module.
"""

import hashlib
import json
import re
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from scoring.blanks import script_characters
from scoring.corpora.records import NO_TEXT, Record, Text
from scoring.fragment_settings import (
    FragmentSettings,
    PrefixFragments,
    RandomFragments,
    WholeTexts,
    WindowFragments,
    fragment_settings,
)
from scoring.spans import (
    Span,
    Units,
    balanced_spans,
    paired_span,
    token_units,
    unbalanced_spans,
    window_spans,
    word_units,
)

__all__ = ["Cut", "Fragment", "FragmentSettings", "TokenSpans", "cut", "fragment_settings", "uncut"]

TokenSpans = Callable[[str], Sequence[Span]]
"""Returns the characters of each token of a text, without special tokens."""
WORD: Final = re.compile(r"\S+")
NOT_CUT: Final = "not_cut"


@dataclass(frozen=True)
class Fragment:
    """A piece of text to score. `(record_id, author, generator, fragment_index)` is unique within a corpus."""

    record_id: str
    fragment_index: int
    dataset: str | None
    generator: str | None
    author: str | None
    text: str
    start_word: int | None
    length_words: int | None
    prefix_tokens: tuple[int, ...] = ()
    """Lengths in tokens of the prefixes to score; empty: the fragment itself is scored."""
    null_reason: str | None = None
    """Reason why the fragment cannot be scored, where that is known without the models."""
    dropped_words: int = 0
    """Words of the record that are in none of its fragments."""
    group: str | None = None
    """Subgroup that the record's author belongs to."""
    unpaired_words: int = 0
    """Those of `dropped_words` that are in texts of this author, beyond the length of the record's shortest text."""

    @property
    def text_sha256(self) -> str | None:
        """SHA-256 of the text in UTF-8, as hex; None where there is no text."""
        return hashlib.sha256(self.text.encode()).hexdigest() if self.text else None


@dataclass(frozen=True)
class Cut:
    """The fragments of a record, and the number of words of its texts that are in none of them."""

    fragments: tuple[Fragment, ...]
    dropped_words: int


@dataclass(frozen=True)
class _Words:
    """Words of a text, which may be cut by tokens."""

    spans: Sequence[Span]
    """Characters of each word."""

    def reached(self, characters: Span) -> Span:
        """Return the words that the characters hold, or hold a part of."""
        start, stop = characters
        first = bisect_right(self.spans, start, key=lambda span: span[1])
        return first, max(first, bisect_left(self.spans, stop, key=lambda span: span[0]))

    def missed(self, pieces: Sequence[Span]) -> int:
        """Return the number of words that no piece reaches."""
        return len(self.spans) - len({word for piece in pieces for word in range(*self.reached(piece))})


def cut(record: Record, settings: FragmentSettings, token_spans: TokenSpans | None = None) -> Cut:
    """Cut a record into fragments. A text without fragments, and a record without texts, has a null fragment.

    Args:
        record: To cut.
        settings: Say how.
        token_spans: Of the pair's tokenizer; needed where the settings count in tokens.

    Raises:
        ValueError: the settings count in tokens, and there is no tokenizer.
    """
    if record.null_reason is not None:
        return Cut((_null_fragment(record, NO_TEXT, record.null_reason),), 0)
    words = [_Words([match.span() for match in WORD.finditer(text.text)]) for text in record.texts]
    texts = _units(record, words, settings, token_spans)
    spans = _spans(record, texts, settings)
    pieces = [[units.characters(span) for span in of_text] for units, of_text in zip(texts, spans, strict=True)]
    dropped = sum(of_text.missed(its_pieces) for of_text, its_pieces in zip(words, pieces, strict=True))
    unpaired = _unpaired_words(record, words, texts, settings)
    fragments: list[Fragment] = []
    numbers: Counter[tuple[str | None, str | None]] = Counter()
    for text, text_words, text_pieces in zip(record.texts, words, pieces, strict=True):
        source = text.author, text.generator
        first = numbers[source]  # of several texts of one author, the next text's numbers follow
        for fragment in _fragments_of_text(record, text, text_words, text_pieces, settings):
            number = first + fragment.fragment_index
            left_over = replace(fragment, dropped_words=dropped, unpaired_words=unpaired[text.author])
            fragments.append(replace(left_over, fragment_index=number))
            numbers[source] += 1
    return Cut(tuple(fragments), dropped)


def uncut(record: Record) -> Iterator[Fragment]:
    """Yield a null fragment for each text of a record, where the tokenizer that it is to be cut with is not there."""
    if record.null_reason is not None:
        yield _null_fragment(record, NO_TEXT, record.null_reason)
    numbers: Counter[tuple[str | None, str | None]] = Counter()
    for text in record.texts:
        source = text.author, text.generator
        yield replace(_null_fragment(record, text, NOT_CUT), fragment_index=numbers[source])
        numbers[source] += 1


def _units(
    record: Record, words: Sequence[_Words], settings: FragmentSettings, token_spans: TokenSpans | None
) -> list[Units]:
    if not settings.in_tokens:
        return [word_units(of_text.spans) for of_text in words]
    if token_spans is None:
        raise ValueError("fragments of so many tokens are cut with the pair's tokenizer: give token_spans")
    texts = zip(record.texts, words, strict=True)
    return [token_units(token_spans(text.text) if of_text.spans else ()) for text, of_text in texts]


def _spans(record: Record, texts: list[Units], settings: FragmentSettings) -> list[list[Span]]:
    match settings:
        case RandomFragments(balanced=True):
            return balanced_spans(record.record_id, texts, settings)
        case RandomFragments():
            names = _text_names(record)
            return [unbalanced_spans(name, units, settings) for name, units in zip(names, texts, strict=True)]
        case WindowFragments():
            return [list(window_spans(units, settings)) for units in texts]
        case PrefixFragments() | WholeTexts():
            return [[(0, len(units))] for units in texts]


def _text_names(record: Record) -> Iterator[str]:
    """Yield a name for each text: its record, author and generator, and its number among their texts."""
    numbers: Counter[tuple[str | None, str | None]] = Counter()
    for text in record.texts:
        source = text.author, text.generator
        yield json.dumps([record.record_id, *source, numbers[source]])
        numbers[source] += 1


def _unpaired_words(
    record: Record, words: Sequence[_Words], texts: Sequence[Units], settings: FragmentSettings
) -> Counter[str | None]:
    """Count the words beyond the length of the record's shortest text, by author, where texts are cut in step."""
    counts: Counter[str | None] = Counter()
    if not isinstance(settings, RandomFragments) or not settings.balanced:
        return counts
    shortest = min(map(len, texts))
    for text, of_text, units in zip(record.texts, words, texts, strict=True):
        paired = paired_span(record.record_id, len(units), shortest, settings)
        first, stop = of_text.reached(units.characters(paired))
        counts[text.author] += len(of_text.spans) - (stop - first)
    return counts


def _fragments_of_text(
    record: Record, text: Text, words: _Words, pieces: Sequence[Span], settings: FragmentSettings
) -> Iterator[Fragment]:
    prefixes = settings.tokens if isinstance(settings, PrefixFragments) else ()
    if not words.spans or not pieces:
        yield _null_fragment(record, text, _why_none(text, words, settings), len(words.spans), prefixes)
        return
    whole = isinstance(settings, PrefixFragments | WholeTexts)
    for index, (start, stop) in enumerate(pieces):
        first, after = words.reached((start, stop))
        yield Fragment(
            record_id=record.record_id,
            fragment_index=index,
            dataset=record.dataset,
            generator=text.generator,
            author=text.author,
            text=text.text if whole else text.text[start:stop],  # whole: with the blanks at its ends, which models see
            start_word=first,
            length_words=after - first,
            prefix_tokens=prefixes,
            group=record.group,
        )


def _why_none(text: Text, words: _Words, settings: FragmentSettings) -> str:
    """Return the reason why a text has no fragment."""
    if not words.spans:
        return "empty_text"
    if not isinstance(settings, RandomFragments) or settings.in_tokens or len(words.spans) >= settings.shortest:
        return "too_short"
    return "no_blanks" if script_characters(text.text) >= settings.shortest else "too_short"


def _null_fragment(
    record: Record, text: Text, reason: str, length_words: int | None = None, prefixes: tuple[int, ...] = ()
) -> Fragment:
    return Fragment(
        record_id=record.record_id,
        fragment_index=0,
        dataset=record.dataset,
        generator=text.generator,
        author=text.author,
        text=text.text,
        start_word=None,
        length_words=length_words,
        prefix_tokens=prefixes,
        null_reason=reason,
        group=record.group,
    )
