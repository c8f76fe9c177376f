"""How close one model is to another on a text, a fragment or a prefix, from the numbers of its tokens.

All means and sums are over the positions that have a next token: L − 1 of a text of L tokens. Numbers over a prefix are
those of its first positions, because the models are causal. `reference` is the observer, `quantized` the performer.
These are the quantities that llama.cpp's `llama-perplexity --kl-divergence` reports. Knows no torch.
"""

# ruff: noqa: N815 - names end in their shape

import math
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from scoring.fragments import Fragment
from scoring.panel import Floats
from scoring.results import FragmentOrigin, origin_of

TAIL: Final = 0.99
"""Quantile of the divergence that is reported beside its mean."""


@dataclass(frozen=True, kw_only=True)
class TextFidelity:
    """The fidelity of a text. A value that does not exist is None, and `null_reason` says why."""

    kl: float | None = None
    """Mean of KL(reference‖quantized), nats per token."""
    kl_p99: float | None = None
    """99th percentile of the divergence over the tokens of the text, interpolated linearly; nats."""
    top1_agreement: float | None = None
    """Share of the positions, 0 to 1, at which both models hold the same token for the most probable one."""
    log_ppl_reference: float | None = None
    """Nats per token."""
    log_ppl_quantized: float | None = None
    """Nats per token."""
    ppl_ratio: float | None = None
    """Perplexity of the quantized model over that of the reference: above 1 where quantization made it worse."""
    kl_sum: float | None = None
    """Σ KL, nats. The sums and counts give the means over many texts exactly."""
    nll_reference_sum: float | None = None
    """Σ nll, nats."""
    nll_quantized_sum: float | None = None
    """Σ nll, nats."""
    top1_agree: int | None = None
    """Number of positions at which both models hold the same token for the most probable one."""
    n_predicted: int | None = None
    """Number of positions that sums and means are over: those with a next token."""
    length_tokens: int | None = None
    """Tokens read, special tokens included."""
    truncated: bool | None = None
    """True where the text had more than `max_tokens` tokens; None where the text was not encoded."""
    null_reason: str | None = None


@dataclass(frozen=True)
class FragmentFidelity(TextFidelity, FragmentOrigin):
    """The origin and the fidelity of a fragment, or of a prefix of a fragment.

    Field names are the columns of the `fidelity` rows.
    """


@dataclass(frozen=True)
class TokenFidelity:
    """Numbers of each token of a text. Those of the last token are left out of every mean: no token follows."""

    kl_L: Floats
    """KL(reference‖quantized), nats."""
    nll_reference_L: Floats
    nll_quantized_L: Floats
    agrees_L: Floats
    """1 where both models hold the same token for the most probable one, else 0."""

    def fidelity(self, tokens: int) -> TextFidelity:
        """Return the fidelity on the first `tokens` tokens, two or more: they have `tokens` − 1 positions."""
        n = tokens - 1
        kl_L, agrees_L = self.kl_L[:n], self.agrees_L[:n]
        kl_sum, agree = _sum(kl_L), _sum(agrees_L)
        reference, quantized = _sum(self.nll_reference_L[:n]), _sum(self.nll_quantized_L[:n])
        numbers = TextFidelity(
            kl=_ratio(kl_sum, n),
            kl_p99=None if kl_sum is None else float(np.quantile(kl_L, TAIL)),
            top1_agreement=_ratio(agree, n),
            log_ppl_reference=_ratio(reference, n),
            log_ppl_quantized=_ratio(quantized, n),
            ppl_ratio=_ppl_ratio(reference, quantized, n),
            kl_sum=kl_sum,
            nll_reference_sum=reference,
            nll_quantized_sum=quantized,
            top1_agree=None if agree is None else int(agree),
            n_predicted=n,
            length_tokens=tokens,
            truncated=False,
            null_reason="",
        )
        return replace(numbers, null_reason="not_finite" if None in vars(numbers).values() else None)


def fragment_fidelity(
    fragment: Fragment, fidelity: TextFidelity, prefix_tokens: int | None, length_words: int | None
) -> FragmentFidelity:
    """Join a fragment's origin with its fidelity. For a prefix, `length_words` is the number of its words."""
    return FragmentFidelity(**vars(fidelity), **origin_of(fragment, prefix_tokens, length_words))


def _sum(values: Floats) -> float | None:
    """Return the exact sum; None where a value is not finite."""
    return math.fsum(values) if np.isfinite(values).all() else None


def _ratio(total: float | None, n: int) -> float | None:
    return None if total is None else total / n


def _ppl_ratio(reference: float | None, quantized: float | None, n: int) -> float | None:
    """Return exp of the difference of the log-perplexities; None where a float cannot hold the ratio."""
    if reference is None or quantized is None:
        return None
    try:
        return math.exp((quantized - reference) / n)
    except OverflowError:
        return None
