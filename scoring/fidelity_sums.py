"""How close the performer's predictions are to the observer's, from hidden states, in one pass over the vocabulary.

Shapes: T tokens, V vocabulary, R rows (tokens that are reduced at a time), C columns of one vocabulary tile, K tiles.
`o` are the logits of the observer (the reference), `q` those of the performer (such as the same model, quantized).

    KL(o‖q) = E_o[log softmax(o) − log softmax(q)] = lse(q) − lse(o) + E_o[o − q]

A close performer has a divergence of 1e-6 nats and less, so it may not be a difference of rounded sums. Logits are
float32, as the heads give them; o − q is taken of each logit, and everything after that is float64. Two equal models
then have a divergence of exactly 0. Knows neither models nor padding: every state belongs to a real token.
"""

# ruff: noqa: N815 - names end in their shape

from typing import Final, NamedTuple

import torch
from torch import Tensor

from scoring.panel_tiles import CPU_ROWS, follow_best, mean_of_tiles
from scoring.perplexity import Head, Tile, default_tile, logit_tiles, pick_targets

GPU_ROWS: Final = 256
"""Rows that are reduced at a time on a GPU: a float64 block of 256 × 8192 is 16 MiB."""


class FidelitySums(NamedTuple):
    """Numbers of every token, float64 on the CPU. A value that does not exist is NaN or infinite."""

    kl_T: Tensor
    """KL(o‖q), nats: 0 or more."""
    nll_o_T: Tensor
    """NaN where there is no target."""
    nll_q_T: Tensor
    agrees_T: Tensor
    """1 where the observer's largest logit, the first of equal ones, is at a largest logit of the performer; else 0."""


def fidelity_sums(
    observer: Head,
    performer: Head,
    state_o_TX: Tensor,
    state_q_TX: Tensor,
    target_T: Tensor,
    tile: Tile | None = None,
) -> FidelitySums:
    """Return the numbers of every token; arguments as those of `scoring.perplexity.token_sums`."""
    tile = tile or default_tile(performer.device)
    target_T = target_T.to(performer.device)
    parts = [
        _sums_of_tokens(observer, performer, state_o_TX[span], state_q_TX[span], target_T[span], tile.columns)
        for span in tile.token_ranges(len(target_T))
    ]
    if not parts:
        return FidelitySums(*torch.empty(len(FidelitySums._fields), 0, dtype=torch.float64))
    return FidelitySums(*(torch.cat(column).cpu() for column in zip(*parts, strict=True)))


def _sums_of_tokens(
    observer: Head, performer: Head, state_o_TX: Tensor, state_q_TX: Tensor, target_T: Tensor, columns: int
) -> FidelitySums:
    """Reduce one vocabulary tile after the other, then combine the tiles by their weights."""
    device, tokens = performer.device, len(target_T)
    starts = range(0, performer.vocabulary, min(columns, performer.vocabulary))
    lse_o_KT, lse_q_KT, difference_KT = torch.empty(3, len(starts), tokens, dtype=torch.float64, device=device)
    target_o_T, target_q_T = torch.full((2, tokens), torch.nan, device=device)
    best_o_T, q_at_best_T, best_q_T = torch.full((3, tokens), -torch.inf, device=device)
    for k, (o_TC, q_TC) in enumerate(logit_tiles(observer, performer, state_o_TX, state_q_TX, starts)):
        o_TC = o_TC.to(device, non_blocking=True)
        pick_targets(target_o_T, o_TC, target_T, starts[k])
        pick_targets(target_q_T, q_TC, target_T, starts[k])
        follow_best(o_TC, q_TC, o_TC.amax(-1), best_o_T, q_at_best_T)
        torch.maximum(best_q_T, q_TC.amax(-1), out=best_q_T)
        lse_o_KT[k], lse_q_KT[k], difference_KT[k] = _reduced(o_TC, q_TC)
    lse_o_T, lse_q_T = lse_o_KT.logsumexp(0), lse_q_KT.logsumexp(0)
    kl_T = lse_q_T - lse_o_T + mean_of_tiles(lse_o_KT, difference_KT)
    agrees_T = (q_at_best_T == best_q_T).double()
    return FidelitySums(
        kl_T=kl_T.clamp(min=0.0),  # of equal distributions, rounding takes it 1e-15 below
        nll_o_T=lse_o_T - target_o_T.double(),
        nll_q_T=lse_q_T - target_q_T.double(),
        agrees_T=agrees_T.masked_fill(lse_o_T.isnan() | lse_q_T.isnan(), torch.nan),
    )


def _reduced(o_TC: Tensor, q_TC: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return the tile's log-sum-exp of o and of q, and E_o[o − q] over this tile alone, each [T]."""
    rows = CPU_ROWS if q_TC.device.type == "cpu" else GPU_ROWS
    blocks = [_reduced_rows(*block) for block in zip(torch.split(o_TC, rows), torch.split(q_TC, rows), strict=True)]
    lse_o_T, lse_q_T, difference_T = (torch.cat(column) for column in zip(*blocks, strict=True))
    return lse_o_T, lse_q_T, difference_T


def _reduced_rows(o_RC: Tensor, q_RC: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    o_RC, q_RC = o_RC.double(), q_RC.double()
    lse_o_R, lse_q_R = o_RC.logsumexp(-1), q_RC.logsumexp(-1)
    probability_RC = (o_RC - lse_o_R[:, None]).exp()
    # a token that the observer forbids by −inf weighs nothing, whatever the performer says of it
    difference_RC = (o_RC - q_RC).masked_fill(probability_RC == 0, 0.0)
    return lse_o_R, lse_q_R, (probability_RC * difference_RC).sum(-1)
