"""The panel's numbers of every token, out of tiles of logits: each tile is reduced, and all are combined at the end.

Shapes: T tokens, R rows (tokens that are reduced at a time), C columns of one vocabulary tile, K tiles, N numbers.
`o` and `q` are the logits of observer and performer, x is the next token.

    nll = lse(q) − q_x                 xent = lse(q) − E_o[q]          var = E_o[q²] − E_o[q]²
    H(q) = lse(q) − E_q[q]             H(o) = lse(o) − E_o[o]          rank = 1 + #{v: q_v > q_x}

All logits are centred first, which changes none of these. A variance as a difference of two means would cancel in
float32, so q_x is subtracted from q; a logit is greater than q_x where it is positive then. The largest so far is
subtracted from o, because the mean of a float32 softmax is exact to some 1e-6 of the logits' size.

On a CPU some rows are reduced at a time, so that three blocks of them stay in the core's own cache: a product takes a
third of the time there. The numbers of a tile are float32, and their combination is float64.
"""

# ruff: noqa: N815 - names end in their shape

from typing import Final, NamedTuple

import numpy as np
import torch
from torch import Tensor

CPU_ROWS: Final = 64
"""Rows that are reduced at a time on a CPU: three blocks of 64 × 2048 are 1.5 MiB."""
TINY: Final = 2.0**-100
"""Stands for 1 in a count of positive logits: any difference of two logits is larger, and sums of it are exact."""
LOWEST_LOGIT: Final = -1e30
"""A logit that is lower forbids its token. Replaces −inf, which a probability of zero would turn into NaN."""


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


class _Numbers(NamedTuple):
    """The numbers of one tile, or of all."""

    max_o: Tensor
    """Largest logit, not centred."""
    top_o: Tensor
    """Probability of the largest logit within the tile."""
    mean_o: Tensor
    """E_o[o] over this tile alone, as the next ones."""
    cross: Tensor
    """E_o[q]"""
    square: Tensor
    """E_o[q²]"""
    max_q: Tensor
    top_q: Tensor
    mean_q: Tensor
    """E_q[q]"""
    greater: Tensor
    """Number of positive q, in units of TINY."""


class PanelTiles:
    """The numbers of the tiles of T tokens."""

    def __init__(self, tiles: int, columns: int, centre_T: Tensor, shared: bool) -> None:
        """Make room for `tiles` tiles. `centre_T` is subtracted from q; `shared`: o is q, and q is reduced alone."""
        tokens, device = len(centre_T), centre_T.device
        self._shared, self._centre_T = shared, centre_T
        self._rows = CPU_ROWS if device.type == "cpu" else tokens
        self._softmax_RC = torch.empty(min(self._rows, tokens), columns, device=device)
        self._ones_C = torch.ones(columns, device=device)
        self._numbers_NKT = torch.empty(len(_Numbers._fields), tiles, tokens, device=device)
        # the largest o so far, and the centred q there
        self._best_o_T, self._q_at_best_T = torch.full((2, tokens), -torch.inf, device=device)

    def reduce(self, k: int, o_TC: Tensor, q_TC: Tensor) -> None:
        """Reduce the logits of tile `k`, and overwrite them."""
        width = q_TC.shape[1]
        softmax_RC, ones_C = self._softmax_RC[:, :width], self._ones_C[:width]
        numbers = torch.split(self._numbers_NKT[:, k], self._rows, 1)
        columns = (o_TC, q_TC, self._centre_T, self._best_o_T, self._q_at_best_T)
        blocks = zip(numbers, *(torch.split(column, self._rows) for column in columns), strict=True)
        for numbers_NR, o_RC, q_RC, centre_R, best_o_R, q_at_best_R in blocks:
            if len(q_RC) < len(softmax_RC):
                softmax_RC = softmax_RC[: len(q_RC)]
            out = _Numbers(*numbers_NR.unbind())
            torch.amax(q_RC.sub_(centre_R[:, None]), -1, out=out.max_q)
            if not self._shared:
                torch.amax(o_RC, -1, out=out.max_o)
                follow_best(o_RC, q_RC, out.max_o, best_o_R, q_at_best_R)
                _softmax(o_RC.sub_(best_o_R[:, None]), softmax_RC, out.top_o)
                _sum_rows(o_RC.mul_(softmax_RC), ones_C, out.mean_o)
                _sum_rows(softmax_RC.mul_(q_RC), ones_C, out.cross)
                _sum_rows(softmax_RC.mul_(q_RC), ones_C, out.square)
            _softmax(q_RC, softmax_RC, out.top_q)
            _sum_rows(softmax_RC.mul_(q_RC), ones_C, out.mean_q)
            if self._shared:
                _sum_rows(softmax_RC.mul_(q_RC), ones_C, out.square)
            _sum_rows(q_RC.clamp_(0.0, TINY), ones_C, out.greater)

    def combined(self, target_logit_T: Tensor) -> PanelSums:
        """Combine the tiles, each weighted by its share of the probability. The targets' logits are not centred."""
        tiles = _Numbers(*self._numbers_NKT.double())
        centre_o_KT = tiles.max_o.cummax(0).values
        if self._shared:
            tiles = tiles._replace(max_o=tiles.max_q, top_o=tiles.top_q, mean_o=tiles.mean_q, cross=tiles.mean_q)
            centre_o_KT = torch.zeros_like(centre_o_KT)
        lse_o_KT, lse_q_KT = _lse(tiles.max_o, tiles.top_o), _lse(tiles.max_q, tiles.top_q)
        lse_o_T, lse_q_T, cross_T = lse_o_KT.logsumexp(0), lse_q_KT.logsumexp(0), mean_of_tiles(lse_o_KT, tiles.cross)
        target_T = (target_logit_T - self._centre_T).double()
        greater_T = tiles.greater.sum(0) / TINY - (target_T > 0).double()
        agrees_T = (self._q_at_best_T == tiles.max_q.amax(0)) | self._shared
        return PanelSums(
            nll_T=lse_q_T - target_T,
            xent_T=lse_q_T - cross_T,
            variance_T=(mean_of_tiles(lse_o_KT, tiles.square) - cross_T**2).clamp(min=0.0),
            entropy_o_T=lse_o_T - mean_of_tiles(lse_o_KT, tiles.mean_o + centre_o_KT),
            entropy_q_T=lse_q_T - mean_of_tiles(lse_q_KT, tiles.mean_q),
            rank_T=torch.where(target_logit_T.abs() < -LOWEST_LOGIT, 1 + greater_T, torch.nan),
            agrees_T=agrees_T.double().masked_fill(lse_o_T.isnan() | lse_q_T.isnan(), torch.nan),
        )


def _softmax(x_RC: Tensor, out_RC: Tensor, top_R: Tensor) -> None:
    """Write the softmax over this tile alone, and the largest probability of each row."""
    torch.softmax(x_RC, -1, out=out_RC)
    torch.amax(out_RC, -1, out=top_R)


def _sum_rows(x_RC: Tensor, ones_C: Tensor, out_R: Tensor) -> None:
    """Write the sum of each row. On a CPU a product with ones is the fastest sum."""
    if x_RC.device.type == "cpu":
        torch.mv(x_RC, ones_C, out=out_R)
    else:
        torch.sum(x_RC, -1, out=out_R)


def follow_best(o_RC: Tensor, q_RC: Tensor, max_o_R: Tensor, best_o_R: Tensor, q_at_best_R: Tensor) -> None:
    """Keep the largest o so far, the first of equal ones, and the q there.

    On a CPU only rows whose largest moved are searched for its column, by numpy: torch takes 15 times as long.
    """
    if o_RC.device.type == "cpu":
        moved = np.flatnonzero(max_o_R.numpy() > best_o_R.numpy())
        if len(moved):
            column = o_RC.numpy()[moved].argmax(-1)
            q_at_best_R.numpy()[moved] = q_RC.numpy()[moved, column]
    else:
        q_R = q_RC.gather(1, o_RC.argmax(-1, keepdim=True))[:, 0]
        torch.where(max_o_R > best_o_R, q_R, q_at_best_R, out=q_at_best_R)
    torch.maximum(best_o_R, max_o_R, out=best_o_R)


def _lse(max_KT: Tensor, top_KT: Tensor) -> Tensor:
    """Return the log-sum-exp of each tile: the largest probability of a softmax is 1 / Σ exp(x − max)."""
    return torch.where(max_KT == -torch.inf, -torch.inf, max_KT - top_KT.log())


def mean_of_tiles(lse_KT: Tensor, mean_KT: Tensor) -> Tensor:
    """Return the mean [T] over all tiles of which `mean_KT` has the mean over each."""
    weight_KT = lse_KT.softmax(0)
    # where a whole tile has no probability, its mean is NaN and weighs nothing
    return (weight_KT * mean_KT.masked_fill(weight_KT == 0, 0.0)).sum(0)
