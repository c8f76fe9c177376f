"""A probe that a model is causal: the logits of a token may not depend on later tokens, padding or other texts.

An encoder behind a language-model head gives logits of the right shape, and they mean nothing: the encoder has seen the
token that it should predict. A configuration does not always say that a model is an encoder, so each model is probed at
load.

Shapes: B texts, L padded length, T tokens of the probe, X width of a state, V vocabulary.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final, Protocol

import torch
from torch import Tensor, nn

from models.errors import ModelUnsupported
from models.load import LoadedModel
from models.positions import readable_tokens
from scoring.batching import collate

PROBE_TEXT: Final = "The quick brown fox jumps over 13 lazy dogs, doesn't it?"
OTHER_TEXT: Final = "And 7 of them slept under a tree by the old stone mill, far away from here."
PROBE_TOKENS: Final = 32
MIN_TOKENS: Final = 4
PADDING: Final = 8
LATER_LIMIT: Final = 1e-5
"""Largest difference when only later tokens differ. Where a model masks later tokens, two passes of one shape give
equal bits for the tokens before, in every dtype."""
EXPERTS_LIMIT: Final = 0.1
"""Largest such difference of a mixture of experts. An expert multiplies all its tokens at once, so later tokens change
the shape of the matmul, and so the rounding, of earlier ones."""
NOISE_FACTOR: Final = 4
"""Differences below this multiple of the difference between two equal passes are noise."""
BATCH_LIMIT: Final = {torch.float64: 1e-3, torch.float32: 1e-3}
"""Largest difference between a text alone and the same text in a batch, by dtype. Passes of different shapes round
differently."""
HALF_BATCH_LIMIT: Final = 0.5
"""BATCH_LIMIT of half precision, where rounding differs much more."""


class Scorable(Protocol):
    """A model that gives a state for each token, and logits for each state."""

    @property
    def device(self) -> torch.device:
        """Device of the states."""

    @property
    def vocabulary(self) -> int:
        """V, the number of logits per token."""

    def states(self, ids_BL: Tensor, real_BL: Tensor) -> Tensor:
        """Return the states [T, X] of the real tokens, text after text."""

    def logits_into(self, out_TC: Tensor, state_TX: Tensor, start: int) -> None:
        """Write the logits of columns [start, start + C) into `out_TC`."""


def probe_ids(loaded: LoadedModel, text: str = PROBE_TEXT) -> list[int]:
    """Return token ids of a text, at most half as many as the model has positions for."""
    limit = min(PROBE_TOKENS, (readable_tokens(loaded.model) or PROBE_TOKENS * 2) // 2)
    ids: list[int] = loaded.tokenizer(text)["input_ids"]
    return ids[:limit]


def refuse_noncausal(loaded: LoadedModel, model: Scorable) -> None:
    """Refuse a model whose logits of a token depend on anything but the tokens up to it.

    Args:
        loaded: The model's name, tokenizer and dtype.
        model: The same model as it is used for scoring.

    Raises:
        ModelUnsupported: later tokens, padding or another text of the batch change the logits.
    """
    text, other = probe_ids(loaded), probe_ids(loaded, OTHER_TEXT)[1:]
    if len(text) < MIN_TOKENS or len(other) < MIN_TOKENS:
        return
    name, half = loaded.files.name, len(text) // 2
    ends_otherwise = text[:half] + (other * len(text))[: len(text) - half]
    with torch.inference_mode(), _without_int8_outliers(loaded.model):
        alone_TV = _logits(loaded, model, [text])
        later = _worst_difference(alone_TV[:half], _logits(loaded, model, [ends_otherwise])[:half])
        if later > LATER_LIMIT and later > max(
            NOISE_FACTOR * _worst_difference(alone_TV, _logits(loaded, model, [text])),
            EXPERTS_LIMIT if _has_experts(loaded.model) else 0.0,
        ):
            raise ModelUnsupported(
                f"model {name!r} sees later tokens: its logits of a token change with the tokens after it (by "
                f"{later:.2g} of their size), so it predicts nothing, as an encoder; take a causal language model"
            )
        longer = (other * len(text))[: len(text) + PADDING]
        beside = _worst_difference(alone_TV, _logits(loaded, model, [text, longer])[: len(text)])
        if beside > BATCH_LIMIT.get(loaded.dtype, HALF_BATCH_LIMIT):
            raise ModelUnsupported(
                f"model {name!r} gives a text other logits alone than in a batch with a longer text (by {beside:.2g} "
                "of their size), so its scores would depend on the batch; take another model"
            )


def _logits(loaded: LoadedModel, model: Scorable, texts: Sequence[Sequence[int]]) -> Tensor:
    ids_BL, real_BL = collate(texts, pad_id=0)
    state_TX = model.states(ids_BL.to(loaded.input_device), real_BL)
    logits_TV = torch.empty(len(state_TX), model.vocabulary, device=model.device)
    model.logits_into(logits_TV, state_TX, 0)
    return logits_TV


def _worst_difference(one_TV: Tensor, other_TV: Tensor) -> float:
    """Return the largest difference of a token: the RMS difference of its logits over their standard deviation."""
    spread_T = one_TV.std(-1, correction=0).clamp_min(torch.finfo(torch.float32).tiny)
    return float(((one_TV - other_TV).square().mean(-1).sqrt() / spread_T).max())


def _has_experts(model: nn.Module) -> bool:
    return any("expert" in name for name, _ in model.named_modules())


@contextmanager
def _without_int8_outliers(model: nn.Module) -> Iterator[None]:
    """Turn off the outlier search of LLM.int8: it looks at all tokens of a pass, so that each depends on the others."""
    states: list[Any] = [module.state for module in model.modules() if type(module).__name__ == "Linear8bitLt"]
    before = [state.threshold for state in states]
    for state in states:
        state.threshold = 0.0
    try:
        yield
    finally:
        for state, threshold in zip(states, before, strict=True):
            state.threshold = threshold
