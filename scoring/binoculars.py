"""The Binoculars score of texts and fragments with a pair of models (Hans et al. 2024, arXiv 2401.12070)."""

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

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
from scoring.fragments import Fragment
from scoring.pair import Pair, Placement
from scoring.pair_texts import PUBLISHED_MAX_TOKENS, PairTexts, TextResult, as_list
from scoring.perplexity import Tile
from scoring.results import Alignment, FragmentScore, Score, TokenSums, fragment_score
from scoring.tokens import Encoding


class Binoculars(PairTexts[TokenSums]):
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
        max_tokens = check_whole_number("max_tokens", max_tokens, MIN_TOKENS)
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
        super().__init__(Pair(first, second, placement, tile, panel), max_tokens, budget)
        self.alignment: Alignment = alignment

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
        return [self._score_of(result) for result in self._text_results(as_list(texts))]

    def score_fragments(self, fragments: Iterable[Fragment]) -> Iterator[FragmentScore]:
        """Score a stream of fragments, in the order given: a result for each fragment, or for each of its prefixes.

        A fragment that does not fit into memory even alone has the null reason `out_of_memory`, and its
        `needs_more_memory` is True: score it on a larger slot.
        """
        for one in self._fragment_results(fragments):
            yield fragment_score(one.fragment, self._score_of(one.result), one.prefix_tokens, one.length_words)

    def _sums_of(self, encodings: Sequence[Encoding]) -> list[TokenSums]:
        sums = self.pair.token_sums([encoding.ids for encoding in encodings])
        return [replace(one, truncated=text.truncated) for one, text in zip(sums, encodings, strict=True)]

    def _score_of(self, result: TextResult[TokenSums]) -> Score:
        if result.sums is None:
            return Score(
                length_tokens=result.tokens,
                truncated=result.truncated,
                null_reason=result.null_reason,
            )
        return replace(result.sums.score(self.alignment, result.tokens), truncated=result.truncated)
