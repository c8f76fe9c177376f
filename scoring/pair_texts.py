"""Texts and fragments through a pair of models: encoded, batched, and joined with the numbers of their tokens.

What the numbers are is the subclass's: `Binoculars` has those of a score, `Fidelity` those of a comparison. Knows
neither files nor rows on disk. Invariant: every text, every fragment and every prefix of a fragment has exactly one
result.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from itertools import groupby, islice
from typing import Final, Generic, TypeVar

from models.load import LoadedModel
from scoring.batching import BudgetedRunner, DoesNotFit
from scoring.fragments import Fragment
from scoring.pair import Pair
from scoring.results import BEYOND_MODEL, OUT_OF_MEMORY
from scoring.tokens import Encoding, encode

PUBLISHED_MAX_TOKENS: Final = 512
"""Tokens to which the authors of Binoculars cut texts."""
CPU_TOKEN_BUDGET: Final = 2048
"""Tokens of a batch. Activations of more tokens do not fit into the CPU's cache; docs/scoring.md has the figures."""
GPU_TOKEN_BUDGET: Final = 8192
SORTING_WINDOW: Final = 2048
"""Fragments of a stream that are held in memory, and sorted by length, together."""

Sums = TypeVar("Sums")
"""Numbers of each token of a text."""


@dataclass(frozen=True)
class TextResult(Generic[Sums]):
    """The numbers of a text or of one of its prefixes, or the reason why it has none."""

    sums: Sums | None = None
    """Numbers of each token of the whole text."""
    tokens: int | None = None
    """Tokens of the text, or of the prefix; None where the text was not encoded."""
    truncated: bool | None = None
    """True where the text was cut; None where it was not encoded, or is too short for the prefix."""
    null_reason: str | None = None


@dataclass(frozen=True)
class FragmentResult(Generic[Sums]):
    """A fragment, or a prefix of it, with its result."""

    fragment: Fragment
    result: TextResult[Sums]
    prefix_tokens: int | None = None
    length_words: int | None = None


@dataclass(frozen=True)
class _Measured(Generic[Sums]):
    """A text's encoding, its numbers, or the reason why it has none."""

    encoding: Encoding | None = None
    sums: Sums | None = None
    null_reason: str | None = None

    @property
    def result(self) -> TextResult[Sums]:
        """The result of the whole text."""
        if self.encoding is None:
            return TextResult(null_reason=self.null_reason)
        return TextResult(self.sums, len(self.encoding.ids), self.encoding.truncated, self.null_reason)


class PairTexts(ABC, Generic[Sums]):
    """A pair of models, ready to run over texts and fragments."""

    def __init__(self, pair: Pair, max_tokens: int, token_budget: int | None) -> None:
        """Refuse a model whose positions change with the longest text of a batch.

        Args:
            pair: The models.
            max_tokens: Texts with more tokens are cut.
            token_budget: Tokens of a batch with padding. None: by device.

        Raises:
            ModelUnsupported: positions change for texts that `max_tokens` allows.
        """
        pair.refuse_unsteady_positions(max_tokens)
        self.pair = pair
        self._max_tokens = max_tokens
        self._runner = BudgetedRunner(pair.capped_budget(token_budget or default_token_budget(pair.observer)))

    @abstractmethod
    def _sums_of(self, encodings: Sequence[Encoding]) -> list[Sums]:
        """Return the numbers of each text of one batch."""

    def _text_results(self, texts: Sequence[object]) -> list[TextResult[Sums]]:
        """Return a result for each text, in the order given."""
        return [measured.result for measured in self._measure(texts, self._max_tokens)]

    def _fragment_results(self, fragments: Iterable[Fragment]) -> Iterator[FragmentResult[Sums]]:
        """Yield a result for each fragment, or for each of its prefixes, in the order given."""
        stream = iter(fragments)
        while window := list(islice(stream, SORTING_WINDOW)):
            for prefixes, group in groupby(window, key=lambda fragment: fragment.prefix_tokens):
                yield from self._group_results(list(group), prefixes)

    def _group_results(self, fragments: list[Fragment], prefixes: tuple[int, ...]) -> Iterator[FragmentResult[Sums]]:
        ready = [fragment for fragment in fragments if fragment.null_reason is None]
        limit = min(max(prefixes, default=self._max_tokens), self._max_tokens)
        measured = iter(self._measure([fragment.text for fragment in ready], limit))
        for fragment in fragments:
            known = fragment.null_reason
            whole: _Measured[Sums] = next(measured) if known is None else _Measured(null_reason=known)
            if not prefixes:
                yield FragmentResult(fragment, whole.result, None, fragment.length_words)
            for prefix in prefixes:
                yield self._prefix_result(fragment, whole, prefix)

    def _prefix_result(self, fragment: Fragment, whole: _Measured[Sums], prefix: int) -> FragmentResult[Sums]:
        encoding = whole.encoding
        if encoding is None or whole.null_reason in (OUT_OF_MEMORY, BEYOND_MODEL):
            return FragmentResult(fragment, whole.result, prefix)
        if prefix > self._max_tokens:
            reason = "prefix_beyond_max_tokens"
        elif whole.sums is None or prefix > len(encoding.ids):
            reason = "prefix_beyond_model" if encoding.truncated else "shorter_than_prefix"
        else:
            words = encoding.words_before(fragment.text, prefix)
            return FragmentResult(fragment, TextResult(whole.sums, prefix, truncated=False), prefix, words)
        return FragmentResult(fragment, TextResult(None, len(encoding.ids), null_reason=reason), prefix)

    def _measure(self, texts: Sequence[object], max_tokens: int) -> list[_Measured[Sums]]:
        measured: list[_Measured[Sums]] = [_Measured(null_reason=null_reason_of(text)) for text in texts]
        pairs = enumerate(zip(texts, measured, strict=True))
        scorable = {i: text for i, (text, result) in pairs if isinstance(text, str) and result.null_reason is None}
        limit, id_limit = min(max_tokens, self.pair.max_positions), self.pair.id_limit
        encodings = encode(self.pair.observer.tokenizer, list(scorable.values()), limit)
        ready: list[tuple[int, Encoding]] = []
        for index, encoding in zip(scorable, encodings, strict=True):
            if max(encoding.ids, default=0) >= id_limit:
                measured[index] = _Measured(encoding, null_reason=BEYOND_MODEL)
            elif len(encoding.ids) < 2:
                measured[index] = _Measured(encoding, null_reason="one_token")
            else:
                ready.append((index, encoding))
        for place, sums in self._sums([encoding for _, encoding in ready]):
            index, encoding = ready[place]
            if isinstance(sums, DoesNotFit):
                measured[index] = _Measured(encoding, null_reason=OUT_OF_MEMORY)
            else:
                measured[index] = _Measured(encoding, sums)
        return measured

    def _sums(self, encodings: Sequence[Encoding]) -> Iterator[tuple[int, Sums | DoesNotFit]]:
        lengths = [len(encoding.ids) for encoding in encodings]
        return self._runner.results(lengths, lambda batch: self._sums_of([encodings[index] for index in batch]))


def as_list(texts: Iterable[object]) -> list[object]:
    """Return the texts as a list, in the order given.

    Raises:
        TypeError: the value is no ordered collection of texts.
    """
    if isinstance(texts, str | bytes | bytearray):
        raise TypeError("texts must be a list of strings, not one string: score([text])")
    if isinstance(texts, Mapping | Set) or getattr(texts, "ndim", 1) != 1:
        raise TypeError(f"texts must be a list of strings, not a {type(texts).__name__}: score(list(…)) in your order")
    if not isinstance(texts, Iterable):
        raise TypeError(f"texts must be a list of strings, not a {type(texts).__name__}")
    return list(texts)


def null_reason_of(text: object) -> str | None:
    """Return why a text cannot be encoded; None where it can."""
    if not isinstance(text, str):
        return "not_text"
    try:
        text.encode()
    except UnicodeEncodeError:  # nothing but half a surrogate pair raises this
        return "not_unicode"
    return None if text.strip() else "empty_text"


def default_token_budget(loaded: LoadedModel) -> int:
    """Return the tokens of a batch for the model's kind of device."""
    return CPU_TOKEN_BUDGET if loaded.input_device.type == "cpu" else GPU_TOKEN_BUDGET
