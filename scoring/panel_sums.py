"""All numbers of the panel from hidden states, in one pass over the vocabulary; `scoring.perplexity` has two of them.

Shapes: T tokens, V vocabulary, C columns of one vocabulary tile, X width of a state.

The heads write a tile of logits, `scoring.panel_tiles` reduces it to some numbers per token, and the next tile
overwrites it. Before the first tile, the performer's head gives the logit of each token's own target: the logits of all
tiles are centred on it. Knows neither models nor padding: every state belongs to a real token.
"""

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from scoring.panel_tiles import LOWEST_LOGIT, PanelSums, PanelTiles
from scoring.perplexity import NO_TARGET, Head, Tile, default_tile, logit_tiles, pick_targets


class PanelHead(Head, Protocol):
    """A head that also computes single logits."""

    def target_logits(self, state_TX: Tensor, target_T: Tensor) -> Tensor:
        """Return the logit [T] of each state's own target, rounded as `logits_into` rounds; every target is an id."""


def panel_sums(
    observer: PanelHead,
    performer: PanelHead,
    state_o_TX: Tensor,
    state_q_TX: Tensor,
    target_T: Tensor,
    tile: Tile | None = None,
) -> PanelSums:
    """Return the numbers of every token; arguments as those of `scoring.perplexity.token_sums`.

    Where a model forbids tokens by logits of −inf, the entropies of those states take a second pass.
    """
    tile = tile or default_tile(performer.device)
    target_T = target_T.to(performer.device)
    parts = [
        _mended(observer, performer, state_o_TX[span], state_q_TX[span], target_T[span], tile.columns)
        for span in tile.token_ranges(len(target_T))
    ]
    if not parts:
        return PanelSums(*torch.empty(len(PanelSums._fields), 0, dtype=torch.float64))
    return PanelSums(*(torch.cat(column).cpu() for column in zip(*parts, strict=True)))


def _mended(
    observer: PanelHead, performer: PanelHead, state_o_TX: Tensor, state_q_TX: Tensor, target_T: Tensor, columns: int
) -> PanelSums:
    """Return the sums of some tokens, with entropies also where logits are −inf."""
    sums = _sums_of_tokens(observer, performer, state_o_TX, state_q_TX, target_T, columns)
    # agreement is NaN where logits are NaN themselves: a second pass would not help
    spoilt_T = (sums.entropy_o_T.isnan() | sums.entropy_q_T.isnan()) & ~sums.agrees_T.isnan()
    if spoilt_T.any():
        bounded = _Bounded(performer)
        o, rows_o_T = bounded if observer is performer else _Bounded(observer), spoilt_T.to(state_o_TX.device)
        again = _sums_of_tokens(o, bounded, state_o_TX[rows_o_T], state_q_TX[spoilt_T], target_T[spoilt_T], columns)
        sums.entropy_o_T[spoilt_T], sums.entropy_q_T[spoilt_T] = again.entropy_o_T, again.entropy_q_T
    return sums


@dataclass(frozen=True, eq=False)
class _Bounded:
    """A head with LOWEST_LOGIT in the place of −inf."""

    head: PanelHead

    @property
    def device(self) -> torch.device:
        return self.head.device

    @property
    def vocabulary(self) -> int:
        return self.head.vocabulary

    def logits_into(self, out_TC: Tensor, state_TX: Tensor, start: int) -> None:
        self.head.logits_into(out_TC, state_TX, start)
        out_TC.clamp_(min=LOWEST_LOGIT)

    def target_logits(self, state_TX: Tensor, target_T: Tensor) -> Tensor:
        return self.head.target_logits(state_TX, target_T)


def _sums_of_tokens(
    observer: PanelHead, performer: PanelHead, state_o_TX: Tensor, state_q_TX: Tensor, target_T: Tensor, columns: int
) -> PanelSums:
    """Reduce one vocabulary tile after the other, then combine the tiles by their weights."""
    device, tokens = performer.device, len(target_T)
    columns = min(columns, performer.vocabulary)
    starts = range(0, performer.vocabulary, columns)
    tiles = PanelTiles(len(starts), columns, _centre(performer, state_q_TX, target_T), observer is performer)
    target_logit_T = torch.full((tokens,), torch.nan, device=device)
    for k, (o_TC, q_TC) in enumerate(logit_tiles(observer, performer, state_o_TX, state_q_TX, starts)):
        pick_targets(target_logit_T, q_TC, target_T, starts[k])
        tiles.reduce(k, o_TC.to(device, non_blocking=True), q_TC)
    return tiles.combined(target_logit_T)


def _centre(performer: PanelHead, state_q_TX: Tensor, target_T: Tensor) -> Tensor:
    """Return what is subtracted from each token's logits: its target's logit; 0 where that does not exist."""
    logit_T = performer.target_logits(state_q_TX, target_T.clamp(min=0)).float()
    return torch.where((target_T != NO_TARGET) & (logit_T.abs() < -LOWEST_LOGIT), logit_T, 0.0)
