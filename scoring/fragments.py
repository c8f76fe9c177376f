"""Fragments of a record's texts: random fragments, prefixes, windows, or whole texts.

Words are what `str.split()` gives. A fragment is the text from its first word to its last, with the blanks between them
as they were. The fragments of a record depend on the settings and the record alone, never on its shard or on records
cut before. Imports no torch: specs are validated with this module.
"""

import hashlib
import random
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any, Final, Literal

from pydantic import Field, TypeAdapter, ValidatorFunctionWrapHandler, WrapValidator, field_validator, model_validator

from scoring.corpora.records import NO_TEXT, Record, Text
from scoring.wording import Settings, validate_or_explain

Span = tuple[int, int]
"""First word, and the word after the last."""
WORD: Final = re.compile(r"\S+")
INT32_MAX: Final = 2**31 - 1
"""Largest count of words or tokens: columns of rows have 32 bits."""
Count = Annotated[int, Field(strict=True, ge=1, le=INT32_MAX)]
PrefixLength = Annotated[int, Field(strict=True, ge=2, le=INT32_MAX)]
Seed = Annotated[int, Field(strict=True, ge=-(2**63), le=2**63 - 1)]


class RandomFragments(Settings):
    """Fragments of random length, cut at the same places in all texts of a record, as published."""

    mode: Literal["random"]
    min_words: Count = 10
    max_words: Count = 300
    seed: Seed = 0

    @model_validator(mode="after")
    def _check_order(self) -> "RandomFragments":
        if self.min_words > self.max_words:
            raise ValueError(f"min_words {self.min_words} is above max_words {self.max_words}: swap them")
        return self


class PrefixFragments(Settings):
    """The first n tokens of each text, for every n of `tokens`, from one pass through the models."""

    mode: Literal["prefix"]
    tokens: tuple[PrefixLength, ...] = Field(min_length=1)

    @field_validator("tokens")
    @classmethod
    def _check_rising(cls, tokens: tuple[int, ...]) -> tuple[int, ...]:
        if list(tokens) != sorted(set(tokens)):
            raise ValueError(f"tokens must rise without repeats, not {list(tokens)}")
        return tokens


class WindowFragments(Settings):
    """Windows at every `step` words, to see which part of a long text is machine-made."""

    mode: Literal["window"]
    words: Count = 200
    step: Count = 100

    @model_validator(mode="after")
    def _check_step(self) -> "WindowFragments":
        if self.step > self.words:
            raise ValueError(
                f"step {self.step} is above words {self.words}: words between windows would be lost; "
                f"give a step of {self.words} or less"
            )
        return self


class WholeTexts(Settings):
    """Each text as it is."""

    mode: Literal["whole"]


def _explain_mistakes(value: Any, handler: ValidatorFunctionWrapHandler) -> Any:
    return validate_or_explain(value, handler)


FragmentSettings = Annotated[
    Annotated[RandomFragments | PrefixFragments | WindowFragments | WholeTexts, Field(discriminator="mode")],
    WrapValidator(_explain_mistakes),
]
_ADAPTER: Final[TypeAdapter[FragmentSettings]] = TypeAdapter(FragmentSettings)


def fragment_settings(level: Mapping[str, object]) -> FragmentSettings:
    """Validate a spec's level, such as `{mode = "random", min_words = 10, max_words = 300}`.

    Raises:
        pydantic.ValidationError: an unknown mode or key, or a value out of range.
    """
    return _ADAPTER.validate_python(dict(level))


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

    @property
    def text_sha256(self) -> str | None:
        """SHA-256 of the text in UTF-8, as hex; None where there is no text."""
        return hashlib.sha256(self.text.encode()).hexdigest() if self.text else None


@dataclass(frozen=True)
class Cut:
    """The fragments of a record, and the number of words of its texts that are in none of them."""

    fragments: tuple[Fragment, ...]
    dropped_words: int


def cut(record: Record, settings: FragmentSettings) -> Cut:
    """Cut a record into fragments. A text without fragments, and a record without texts, has a null fragment."""
    if record.null_reason is not None:
        return Cut((_null_fragment(record, NO_TEXT, record.null_reason),), 0)
    words = [[match.span() for match in WORD.finditer(text.text)] for text in record.texts]
    spans = _spans(record, [len(text_words) for text_words in words], settings)
    kept = sum(len({word for span in text_spans for word in range(*span)}) for text_spans in spans)
    dropped = sum(map(len, words)) - kept
    fragments: list[Fragment] = []
    numbers: Counter[tuple[str | None, str | None]] = Counter()
    for text, text_words, text_spans in zip(record.texts, words, spans, strict=True):
        source = text.author, text.generator
        first = numbers[source]  # of several texts of one author, the next text's numbers follow
        for fragment in _fragments_of_text(record, text, text_words, text_spans, settings):
            number = first + fragment.fragment_index
            fragments.append(replace(fragment, dropped_words=dropped, fragment_index=number))
            numbers[source] += 1
    return Cut(tuple(fragments), dropped)


def _spans(record: Record, lengths: list[int], settings: FragmentSettings) -> list[list[Span]]:
    match settings:
        case RandomFragments():
            return _random_spans(record, lengths, settings)
        case WindowFragments():
            return [_window_spans(length, settings) for length in lengths]
        case PrefixFragments() | WholeTexts():
            return [[(0, length)] for length in lengths]


def _fragments_of_text(
    record: Record, text: Text, words: list[Span], spans: list[Span], settings: FragmentSettings
) -> Iterator[Fragment]:
    prefixes = settings.tokens if isinstance(settings, PrefixFragments) else ()
    if not words or not spans:
        yield _null_fragment(record, text, "too_short" if words else "empty_text", len(words), prefixes)
        return
    for index, (start, stop) in enumerate(spans):
        if isinstance(settings, PrefixFragments | WholeTexts):
            piece = text.text  # with the blanks at its ends, which models see
        else:
            piece = text.text[words[start][0] : words[stop - 1][1]]
        yield Fragment(
            record_id=record.record_id,
            fragment_index=index,
            dataset=record.dataset,
            generator=text.generator,
            author=text.author,
            text=piece,
            start_word=start,
            length_words=stop - start,
            prefix_tokens=prefixes,
            group=record.group,
        )


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


def _random_spans(record: Record, lengths: list[int], settings: RandomFragments) -> list[list[Span]]:
    """Draw the same lengths for all texts of the record, so that a length says nothing about the author.

    Lengths are uniform. The draw that reaches beyond the shortest text ends the walk, and the words left over are
    dropped. A coin decides whether the walk starts at the front or the back of the texts.
    """
    draw = random.Random(f"{settings.seed}:{record.record_id}")
    from_back = draw.random() < 0.5
    steps = _walk(draw, min(lengths), settings)
    if not from_back:
        return [steps for _ in lengths]
    return [[(length - stop, length - start) for start, stop in steps] for length in lengths]


def _walk(draw: random.Random, total: int, settings: RandomFragments) -> list[Span]:
    longest, walked = min(settings.max_words, total), 0
    steps: list[Span] = []
    while settings.min_words <= longest:
        stop = walked + draw.randint(settings.min_words, longest)
        if stop > total:
            break
        steps.append((walked, stop))
        walked = stop
    return steps


def _window_spans(length: int, settings: WindowFragments) -> list[Span]:
    """Return a window at every step. The last window ends with the text, and is moved back to have full width."""
    last = max(0, length - settings.words)
    return [*((start, start + settings.words) for start in range(0, last, settings.step)), (last, length)]
