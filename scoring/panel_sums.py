"""All numbers of the panel from hidden states, in one pass over the vocabulary; `scoring.perplexity` has two of them.

Shapes: T tokens, R rows (tokens that are reduced at a time), V vocabulary, C columns of one vocabulary tile, K tiles,
X width of a state. `o` and `q` are the logits of observer and performer, x is the next token.

    nll = lse(q) − q_x                 xent = lse(q) − E_o[q]          var = E_o[q²] − E_o[q]²
    H(q) = lse(q) − E_q[q]             H(o) = lse(o) − E_o[o]          rank = 1 + #{v: q_v > q_x}

A variance as a difference of two means cancels in float32. So the performer's logits are centred first: the logit of
the next token, which the head gives before the first tile, is subtracted from all of them. That changes no number, and
a logit is greater than the target's where it is positive then. The observer's logits are centred on the largest so far,
because the mean of a float32 softmax is exact to some 1e-6 of their size.

A tile is reduced to nine float32 numbers per token, and the tiles are combined in float64 at the end. On a CPU, some
tokens are reduced at a time, so that three blocks of logits stay in the core's own cache: a product takes a third of
the time there. Knows neither models nor padding: every state belongs to a real token.
"""

# ruff: noqa: N815 - names end in their shape

from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol

import torch
from torch import Tensor

from scoring.perplexity import NO_TARGET, Head, Tile, default_tile, pick_targets

CPU_ROWS: Final = 64
"""Rows that are reduced at a time on a CPU: three blocks of 64 × 2048 are 1.5 MiB."""
TINY: Final = 2.0**-100
"""Stands for one in a count: below any difference of two logits, and exact to add up."""
LOWEST_LOGIT: Final = -1e30
"""A logit that is lower forbids its token. Replaces −inf, which a probability of zero would turn into NaN."""


class PanelHead(Head, Protocol):
    """A head that also computes single logits."""

    def target_logits(self, state_TX: Tensor, target_T: Tensor) -> Tensor:
        """Return the logit [T] of each state's own target, rounded as `logits_into` rounds; every target is an id."""


class PanelSums(NamedTuple):
    """Numbers of every token, float64 on the CPU. A value that does not exist is NaN or infinite."""

    nll_T: Tensor
    """NaN where there is no target."""
    xent_T: Tensor
    variance_T: Tensor
    """Variance of the performer's log-probability under the observer."""
    entropy_o_T: Tensor
    entropy_q_T: Tensor
    rank_T: Tensor
    """Ties do not count. NaN where there is no target, or its logit is not finite."""
    agrees_T: Tensor
    """1 where the observer's largest logit, the first of equal ones, is at a largest logit of the performer; else 0."""


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
    shared = observer is performer
    device, tokens = performer.device, len(target_T)
    columns = min(columns, performer.vocabulary)
    q_buffer = torch.empty(tokens, columns, device=device)
    o_buffer = q_buffer if shared else torch.empty(tokens, columns, device=observer.device)
    starts = range(0, performer.vocabulary, columns)
    tiles = _Tiles(len(starts), columns, _centre(performer, state_q_TX, target_T), shared)
    target_logit_T = torch.full((tokens,), torch.nan, device=device)
    for k, start in enumerate(starts):
        width = min(columns, performer.vocabulary - start)
        q_TC, o_TC = q_buffer[:, :width], o_buffer[:, :width]
        if not shared:  # before the performer, so that a second device works at the same time
            observer.logits_into(o_TC, state_o_TX, start)
        performer.logits_into(q_TC, state_q_TX, start)
        pick_targets(target_logit_T, q_TC, target_T, start)
        tiles.reduce(k, o_TC.to(device, non_blocking=True), q_TC)
    return tiles.combined(target_logit_T)


def _centre(performer: PanelHead, state_q_TX: Tensor, target_T: Tensor) -> Tensor:
    """Return what is subtracted from each token's logits: its target's logit; 0 where that does not exist."""
    logit_T = performer.target_logits(state_q_TX, target_T.clamp(min=0)).float()
    return torch.where((target_T != NO_TARGET) & (logit_T.abs() < -LOWEST_LOGIT), logit_T, 0.0)


class _Tiles:
    """The numbers of every tile of T tokens, float32 until all are there; of centred logits, unless said otherwise."""

    def __init__(self, tiles: int, columns: int, centre_T: Tensor, shared: bool) -> None:
        """Make room for `tiles` tiles. `centre_T` is subtracted from q; `shared`: o is q, and has its numbers."""
        tokens, device = len(centre_T), centre_T.device
        self._centre_T, self._shared = centre_T, shared
        self._rows = CPU_ROWS if device.type == "cpu" else tokens
        self._softmax_RC = torch.empty(min(self._rows, tokens), columns, device=device)
        self._ones_C = torch.ones(columns, device=device)
        # largest logit of a tile, its probability within the tile, and E_q[q] over this tile alone; the same of o
        self._max_q_KT, self._top_q_KT, self._mean_q_KT = q_3KT = torch.empty(3, tiles, tokens, device=device)
        self._max_o_KT, self._top_o_KT, self._mean_o_KT = q_3KT if shared else torch.empty_like(q_3KT)
        # E_o[q], E_o[q²], and the number of positive q, in units of TINY
        self._square_KT, self._greater_KT = torch.empty(2, tiles, tokens, device=device)
        self._cross_KT = self._mean_q_KT if shared else torch.empty(tiles, tokens, device=device)
        # the largest o so far, on which a tile of o is centred
        self._centre_o_KT = centre_T.expand(tiles, tokens) if shared else torch.empty(tiles, tokens, device=device)
        # largest o so far, and q there, not centred
        self._best_o_T, self._q_at_best_T = torch.full((2, tokens), -torch.inf, device=device)

    def reduce(self, k: int, o_TC: Tensor, q_TC: Tensor) -> None:
        """Reduce the logits of tile `k`, and overwrite them."""
        if not self._shared:
            self._follow_best(k, o_TC, q_TC)
        for start in range(0, len(q_TC), self._rows):
            rows = slice(start, start + self._rows)
            q_RC = q_TC[rows].sub_(self._centre_T[rows, None])
            torch.amax(q_RC, -1, out=self._max_q_KT[k, rows])
            if not self._shared:
                o_RC = o_TC[rows].sub_(self._centre_o_KT[k, rows, None])
                softmax_RC = self._softmax(o_RC, self._top_o_KT[k, rows])
                self._row_sums(o_RC.mul_(softmax_RC), self._mean_o_KT[k, rows])
                self._row_sums(softmax_RC.mul_(q_RC), self._cross_KT[k, rows])
                self._row_sums(softmax_RC.mul_(q_RC), self._square_KT[k, rows])
            softmax_RC = self._softmax(q_RC, self._top_q_KT[k, rows])
            self._row_sums(softmax_RC.mul_(q_RC), self._mean_q_KT[k, rows])
            if self._shared:
                self._row_sums(softmax_RC.mul_(q_RC), self._square_KT[k, rows])
            self._row_sums(q_RC.clamp_(0.0, TINY), self._greater_KT[k, rows])

    def combined(self, target_logit_T: Tensor) -> PanelSums:
        """Combine the tiles, each weighted by its share of the probability; the targets' logits are not centred."""
        centre_o_KT = self._centre_o_KT.double()
        lse_o_KT = _lse(self._max_o_KT, self._top_o_KT) + centre_o_KT
        lse_q_KT = _lse(self._max_q_KT, self._top_q_KT)
        lse_o_T, lse_q_T = lse_o_KT.logsumexp(0), lse_q_KT.logsumexp(0)
        cross_T, target_T = _mean(lse_o_KT, self._cross_KT), (target_logit_T - self._centre_T).double()
        greater_T = self._greater_KT.double().sum(0) / TINY - (target_T > 0).double()
        agrees_T = (self._q_at_best_T - self._centre_T == self._max_q_KT.amax(0)) | self._shared
        return PanelSums(
            nll_T=lse_q_T - target_T,
            xent_T=lse_q_T - cross_T,
            variance_T=(_mean(lse_o_KT, self._square_KT) - cross_T**2).clamp(min=0.0),
            entropy_o_T=lse_o_T - _mean(lse_o_KT, self._mean_o_KT + centre_o_KT),
            entropy_q_T=lse_q_T - _mean(lse_q_KT, self._mean_q_KT),
            rank_T=torch.where(target_logit_T.abs() < -LOWEST_LOGIT, 1 + greater_T, torch.nan),
            agrees_T=agrees_T.double().masked_fill(lse_o_T.isnan() | lse_q_T.isnan(), torch.nan),
        )

    def _follow_best(self, k: int, o_TC: Tensor, q_TC: Tensor) -> None:
        """Keep the largest o and the q there. On a CPU only rows whose largest moved are searched for its column."""
        if o_TC.device.type == "cpu":
            max_T = o_TC.amax(-1)
            (moved,) = torch.nonzero(max_T > self._best_o_T, as_tuple=True)
            if len(moved):
                column_M = torch.from_numpy(o_TC[moved].numpy().argmax(-1))  # torch's own takes 15 times as long
                self._q_at_best_T[moved] = q_TC[moved, column_M]
        else:
            max_T, column_T = o_TC.max(-1)
            q_T = q_TC.gather(1, column_T[:, None])[:, 0]
            self._q_at_best_T = torch.where(max_T > self._best_o_T, q_T, self._q_at_best_T)
        self._best_o_T = torch.maximum(self._best_o_T, max_T)
        self._centre_o_KT[k] = torch.where(self._best_o_T.isfinite(), self._best_o_T, 0.0)
        self._max_o_KT[k] = max_T - self._centre_o_KT[k]

    def _softmax(self, x_RC: Tensor, top_R: Tensor) -> Tensor:
        """Return the softmax over this tile alone, in memory that is used again; write the largest probabilities."""
        softmax_RC = self._softmax_RC[: len(x_RC), : x_RC.shape[1]]
        torch.softmax(x_RC, -1, out=softmax_RC)
        torch.amax(softmax_RC, -1, out=top_R)
        return softmax_RC

    def _row_sums(self, x_RC: Tensor, out_R: Tensor) -> None:
        """Write the sum of each row. On a CPU a product with ones is the fastest sum."""
        if x_RC.device.type == "cpu":
            torch.mv(x_RC, self._ones_C[: x_RC.shape[1]], out=out_R)
        else:
            torch.sum(x_RC, -1, out=out_R)


def _lse(max_KT: Tensor, top_KT: Tensor) -> Tensor:
    """Return the log-sum-exp of each tile: the largest probability of a softmax is 1 / Σ exp(x − max)."""
    return torch.where(max_KT == -torch.inf, -torch.inf, max_KT.double() - top_KT.double().log())


def _mean(lse_KT: Tensor, mean_KT: Tensor) -> Tensor:
    """Return the mean [T] over all tiles of which `mean_KT` has the mean over each."""
    weight_KT = lse_KT.softmax(0)
    # where a whole tile has no probability, its mean is NaN and weighs nothing
    return (weight_KT * mean_KT.double().masked_fill(weight_KT == 0, 0.0)).sum(0)
