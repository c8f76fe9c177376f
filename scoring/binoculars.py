"""The Binoculars score of texts and fragments with a pair of models (Hans et al. 2024, arXiv 2401.12070).

Encodes texts, scores them in batches, and joins each score with the fragment that it belongs to. Knows neither files
nor rows on disk. Invariant: every text, every fragment and every prefix of a fragment has exactly one result.
"""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from itertools import groupby, islice
from typing import Final

from models.load import DeviceMap, Dtype, LoadedModel, Quantization, load_model
from scoring.arguments import (
    MIN_TOKENS,
    check_choices,
    check_devices,
    check_flag,
    check_model,
    check_tile,
    check_whole_number,
    refuse_unused_load_arguments,
)
from scoring.batching import BudgetedRunner, DoesNotFit
from scoring.fragments import Fragment
from scoring.pair import Pair, Placement
from scoring.perplexity import Tile
from scoring.results import (
    BEYOND_MODEL,
    OUT_OF_MEMORY,
    Alignment,
    FragmentScore,
    Score,
    TokenSums,
    fragment_score,
)
from scoring.tokens import Encoding, encode

PUBLISHED_MAX_TOKENS: Final = 512
"""Tokens to which the authors' code cuts texts."""
CPU_TOKEN_BUDGET: Final = 2048
"""Tokens of a batch. Activations of more tokens do not fit into the CPU's cache; docs/scoring.md has the figures."""
GPU_TOKEN_BUDGET: Final = 8192
SORTING_WINDOW: Final = 2048
"""Fragments of a stream that are held in memory, and sorted by length, together."""


@dataclass(frozen=True)
class _TextResult:
    """The token sums of a text, or the reason why it has none."""

    encoding: Encoding | None = None
    sums: TokenSums | None = None
    null_reason: str | None = None

    def score(self, alignment: Alignment) -> Score:
        """Return the score of the text, null where it has no sums."""
        if self.sums is not None:
            return self.sums.score(alignment)
        if self.encoding is None:
            return Score(null_reason=self.null_reason)
        return Score(
            length_tokens=len(self.encoding.ids),
            truncated=self.encoding.truncated,
            null_reason=self.null_reason,
        )


class Binoculars:
    """A pair of models, checked and ready to score texts and fragments."""

    def __init__(
        self,
        observer: str | os.PathLike[str] | LoadedModel,
        performer: str | os.PathLike[str] | LoadedModel,
        *,
        alignment: Alignment = "reference",
        placement: Placement = "same",
        devices: tuple[str, ...] | None = None,
        device_map: DeviceMap = "single",
        quantization: Quantization = "none",
        dtype: Dtype = "auto",
        max_tokens: int = PUBLISHED_MAX_TOKENS,
        token_budget: int | None = None,
        tile: Tile | None = None,
        panel: bool = True,
    ) -> None:
        """Load the models given by name, split bodies and heads, and check that the models fit together.

        Args:
            observer: Base model: a name as `models.load.load_model` takes it, a path, or a loaded model. Where
                `performer` is the same name or object, the model is loaded and run once.
            performer: Instruct model, given as the observer is.
            alignment: `reference` counts the prediction after the last token in the cross-entropy, `aligned`
                does not.
            placement: `split` runs the two bodies at the same time. Of models given by name, `split` loads the
                observer on the first device and the performer on the last.
            devices: torch names of the devices, for models given by name. None: all GPUs, or the CPU without a GPU.
            device_map: `single`, or how layers are spread over `devices`; for models given by name.
            quantization: `none`, `4-bit` or `8-bit`; for models given by name.
            dtype: dtype of the computation, for models given by name. `auto`: the fastest that the devices run
                natively.
            max_tokens: Texts with more tokens are cut, and their results say `truncated`; 2 or more.
            token_budget: Tokens of a batch with padding. None: by device. Halves when memory runs out.
            tile: Tokens and vocabulary columns of logits in memory at a time. None: by device.
            panel: False leaves out the panel's sums and scores, which come from the same two forward passes
                (`scoring.panel`, `scoring.scores`).

        Raises:
            ArgumentError: an argument has a value that is not allowed, or would have no effect; nothing was loaded.
            IncompatiblePair: tokenizers or logits of the models differ; the message shows where.
            ModelError: a model is not available, cannot run, sees later tokens (as an encoder does), or changes its
                positions for texts that `max_tokens` allows.
        """
        check_choices(
            alignment=alignment, placement=placement, device_map=device_map, quantization=quantization, dtype=dtype
        )
        models = check_model("observer", observer), check_model("performer", performer)
        refuse_unused_load_arguments(
            models, devices=devices, device_map=device_map, quantization=quantization, dtype=dtype
        )
        allowed = check_devices(devices)
        self._max_tokens = check_whole_number("max_tokens", max_tokens, MIN_TOKENS)
        budget = None if token_budget is None else check_whole_number("token_budget", token_budget, 1)
        tile = check_tile(tile)
        panel = check_flag("panel", panel)
        places = (allowed[:1], allowed[-1:]) if placement == "split" else (allowed, allowed)

        def load(model: str | LoadedModel, place: tuple[str, ...]) -> LoadedModel:
            if isinstance(model, LoadedModel):
                return model
            return load_model(model, devices=place, device_map=device_map, quantization=quantization, dtype=dtype)

        first = load(models[0], places[0])
        second = first if models[1] is models[0] or models[1] == models[0] else load(models[1], places[1])
        self.pair = Pair(first, second, placement, tile, panel)
        self.pair.refuse_unsteady_positions(self._max_tokens)
        self.alignment: Alignment = alignment
        self._runner = BudgetedRunner(self.pair.capped_budget(budget or default_token_budget(first)))

    def score(self, texts: Iterable[object]) -> list[Score]:
        """Score each text, in the order given.

        A text that cannot be scored has None for its metrics and a `null_reason`; the other texts are not affected. A
        value that is no string (None, NaN, a number) has the null reason `not_text`.

        Args:
            texts: a list, tuple, generator, one-dimensional array, or pandas Series (its index is ignored).

        Raises:
            TypeError: `texts` is a single string or bytes (its letters would be scored), a dict or set (they have no
                order), or a table.
        """
        return [measured.score(self.alignment) for measured in self._measure(_as_list(texts), self._max_tokens)]

    def score_fragments(self, fragments: Iterable[Fragment]) -> Iterator[FragmentScore]:
        """Score a stream of fragments, in the order given: a result for each fragment, or for each of its prefixes.

        A fragment that does not fit into memory even alone has the null reason `out_of_memory`, and its
        `needs_more_memory` is True: score it on a larger slot.
        """
        stream = iter(fragments)
        while window := list(islice(stream, SORTING_WINDOW)):
            for prefixes, group in groupby(window, key=lambda fragment: fragment.prefix_tokens):
                yield from self._score_group(list(group), prefixes)

    def _score_group(self, fragments: list[Fragment], prefixes: tuple[int, ...]) -> Iterator[FragmentScore]:
        ready = [fragment for fragment in fragments if fragment.null_reason is None]
        limit = min(max(prefixes, default=self._max_tokens), self._max_tokens)
        measured = iter(self._measure([fragment.text for fragment in ready], limit))
        for fragment in fragments:
            known = fragment.null_reason
            result = next(measured) if known is None else _TextResult(null_reason=known)
            if not prefixes:
                yield fragment_score(fragment, result.score(self.alignment))
            for prefix in prefixes:
                yield self._prefix_score(fragment, result, prefix)

    def _prefix_score(self, fragment: Fragment, result: _TextResult, prefix: int) -> FragmentScore:
        encoding = result.encoding
        if encoding is None or result.null_reason in (OUT_OF_MEMORY, BEYOND_MODEL):
            return fragment_score(fragment, result.score(self.alignment), prefix)
        if prefix > self._max_tokens:
            beyond = Score(length_tokens=len(encoding.ids), null_reason="prefix_beyond_max_tokens")
            return fragment_score(fragment, beyond, prefix)
        if result.sums is None or prefix > len(encoding.ids):
            reason = "prefix_beyond_model" if encoding.truncated else "shorter_than_prefix"
            return fragment_score(fragment, Score(length_tokens=len(encoding.ids), null_reason=reason), prefix)
        score = replace(result.sums.score(self.alignment, prefix), truncated=False)
        return fragment_score(fragment, score, prefix, encoding.words_before(fragment.text, prefix))

    def _measure(self, texts: Sequence[object], max_tokens: int) -> list[_TextResult]:
        measured = [_TextResult(null_reason=_null_reason_of(text)) for text in texts]
        pairs = enumerate(zip(texts, measured, strict=True))
        scorable = {i: text for i, (text, result) in pairs if isinstance(text, str) and result.null_reason is None}
        limit, id_limit = min(max_tokens, self.pair.max_positions), self.pair.id_limit
        encodings = encode(self.pair.observer.tokenizer, list(scorable.values()), limit)
        ready: list[tuple[int, Encoding]] = []
        for index, encoding in zip(scorable, encodings, strict=True):
            if max(encoding.ids, default=0) >= id_limit:
                measured[index] = _TextResult(encoding, null_reason=BEYOND_MODEL)
            elif len(encoding.ids) < 2:
                measured[index] = _TextResult(encoding, null_reason="one_token")
            else:
                ready.append((index, encoding))
        for place, sums in self._sums([encoding for _, encoding in ready]):
            index, encoding = ready[place]
            if isinstance(sums, DoesNotFit):
                measured[index] = _TextResult(encoding, null_reason=OUT_OF_MEMORY)
            else:
                measured[index] = _TextResult(encoding, sums)
        return measured

    def _sums(self, encodings: Sequence[Encoding]) -> Iterator[tuple[int, TokenSums | DoesNotFit]]:
        def run(batch: list[int]) -> list[TokenSums]:
            sums = self.pair.token_sums([encodings[index].ids for index in batch])
            return [replace(one, truncated=encodings[i].truncated) for i, one in zip(batch, sums, strict=True)]

        return self._runner.results([len(encoding.ids) for encoding in encodings], run)


def _as_list(texts: Iterable[object]) -> list[object]:
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


def _null_reason_of(text: object) -> str | None:
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
