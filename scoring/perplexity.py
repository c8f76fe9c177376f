"""Both sums of the Binoculars score from hidden states, in one pass over the vocabulary.

Shapes: T tokens, V vocabulary, C columns of one vocabulary tile, X width of a state (hidden size, or V where
the head could not be split off). `o` is the observer, `q` the performer, as in arXiv 2401.12070.

    nll_t  = lse(q_t) − q_t[x_{t+1}]
    xent_t = lse(q_t) − Σ_v softmax(o_t)_v · q_tv

A [T, V] tensor of logits never exists. The head writes a tile of [T, C] logits, the tile is reduced to three numbers
per token (log-sum-exp of o, log-sum-exp of q, and Σ softmax(o) · q over the tile), and the next tile overwrites it. So
memory is O(token tile × vocabulary tile), whatever V and L are. At the end the numbers of all tiles are combined, each
tile weighted by its share of the observer's probability. Logits and exponentials are float32, the three numbers are
float64. Knows neither models nor padding: every state belongs to a real token.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

NO_TARGET = -1
"""Value in `target_T` of a token that no token follows. Its nll is NaN."""


class Head(Protocol):
    """A head that computes logits from states."""

    @property
    def device(self) -> torch.device:
        """Device of the logits."""

    @property
    def vocabulary(self) -> int:
        """V, the number of logits per token."""

    def logits_into(self, out_TC: Tensor, state_TX: Tensor, start: int) -> None:
        """Write the logits of columns [start, start + C) into `out_TC`, as float32."""


@dataclass(frozen=True)
class Tile:
    """Tokens and vocabulary columns of the logits that are in memory at a time."""

    tokens: int
    columns: int

    def token_ranges(self, total: int) -> Iterator[slice]:
        """Return slices over `total` tokens of nearly equal size. A short last tile would be a slow matmul."""
        count = -(-total // self.tokens)
        size = -(-total // count) if count else 0
        return (slice(start, min(start + size, total)) for start in range(0, total, size or 1))


CPU_TILE = Tile(tokens=256, columns=2048)
"""Three float32 tiles are 6 MiB: they stay in the last-level cache between matmul and reduction."""
GPU_TILE = Tile(tokens=1024, columns=8192)
"""Three float32 tiles are 96 MiB. Smaller tiles would cost more time in kernel launches than in kernels."""


def default_tile(device: torch.device) -> Tile:
    """Return the tile for a kind of device."""
    return CPU_TILE if device.type == "cpu" else GPU_TILE


def token_sums(
    observer: Head,
    performer: Head,
    state_o_TX: Tensor,
    state_q_TX: Tensor,
    target_T: Tensor,
    tile: Tile | None = None,
) -> tuple[Tensor, Tensor]:
    """Return nll and cross-entropy of every token, in nats.

    Args:
        observer: Head that computes o. Where it is the performer, each tile is computed once.
        performer: Head that computes q, with the same V.
        state_o_TX: The observer's states of T real tokens, on the observer head's device.
        state_q_TX: The performer's states of the same tokens, on the performer head's device.
        target_T: int64 id of the next token, or `NO_TARGET`.
        tile: Tokens and columns in memory at a time. None: by device.

    Returns:
        `nll_T` and `xent_T`, float64 on CPU; `nll_T` is NaN where there is no target.
    """
    tile = tile or default_tile(performer.device)
    ranges = tile.token_ranges(len(target_T))
    target_T = target_T.to(performer.device)
    parts = [
        _sums_of_tokens(observer, performer, state_o_TX[span], state_q_TX[span], target_T[span], tile.columns)
        for span in ranges
    ]
    if not parts:
        return torch.empty(0, dtype=torch.float64), torch.empty(0, dtype=torch.float64)
    nll_T, xent_T = (torch.cat(column) for column in zip(*parts, strict=True))
    return nll_T.cpu(), xent_T.cpu()


def _sums_of_tokens(
    observer: Head, performer: Head, state_o_TX: Tensor, state_q_TX: Tensor, target_T: Tensor, columns: int
) -> tuple[Tensor, Tensor]:
    """Reduce one vocabulary tile after the other, then combine the tiles by their weights."""
    shared = observer is performer
    device, tokens = performer.device, len(target_T)
    columns = min(columns, performer.vocabulary)
    softmax_buffer = torch.empty(tokens, columns, device=device)
    starts = range(0, performer.vocabulary, columns)
    lse_o_TK, lse_q_TK, mean_q_TK = torch.empty(3, tokens, len(starts), dtype=torch.float64, device=device)
    target_logit_T = torch.full((tokens,), torch.nan, device=device)
    for k, (o_TC, q_TC) in enumerate(logit_tiles(observer, performer, state_o_TX, state_q_TX, starts)):
        softmax_TC = softmax_buffer[:, : q_TC.shape[1]]
        pick_targets(target_logit_T, q_TC, target_T, starts[k])
        lse_q_TK[:, k] = _softmax_into(softmax_TC, q_TC)
        lse_o_TK[:, k] = lse_q_TK[:, k] if shared else _softmax_into(softmax_TC, o_TC.to(device, non_blocking=True))
        mean_q_TK[:, k] = softmax_TC.mul_(q_TC).sum(-1)
    lse_q_T = lse_q_TK.logsumexp(-1)
    weight_TK = lse_o_TK.softmax(-1)
    # where the observer gives a whole tile no probability, the tile's mean is NaN and weighs nothing
    mean_q_TK.masked_fill_(weight_TK == 0, 0.0)
    return lse_q_T - target_logit_T.double(), lse_q_T - (weight_TK * mean_q_TK).sum(-1)


def logit_tiles(
    observer: Head, performer: Head, state_o_TX: Tensor, state_q_TX: Tensor, starts: range
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield the logits o and q of one vocabulary tile after the other: each overwrites the one before.

    Args:
        observer: Where it is the performer, o and q are one tensor.
        performer: Its vocabulary is cut into the tiles.
        state_o_TX: On the observer's device, where the tiles of o stay.
        state_q_TX: On the performer's device.
        starts: First column of each tile; its step is the number of columns.
    """
    tokens, columns = len(state_q_TX), starts.step
    q_buffer = torch.empty(tokens, columns, device=performer.device)
    o_buffer = q_buffer if observer is performer else torch.empty(tokens, columns, device=observer.device)
    for start in starts:
        width = min(columns, performer.vocabulary - start)
        q_TC, o_TC = q_buffer[:, :width], o_buffer[:, :width]
        if observer is not performer:  # before the performer, so that a second device works at the same time
            observer.logits_into(o_TC, state_o_TX, start)
        performer.logits_into(q_TC, state_q_TX, start)
        yield o_TC, q_TC


def _softmax_into(out_TC: Tensor, x_TC: Tensor) -> Tensor:
    """Write softmax(x) over this tile alone into `out_TC`, and return the tile's log-sum-exp [T].

    The largest probability is 1 / Σ exp(x − max). So the log-sum-exp follows from the softmax and two maxima, and
    torch's fused softmax, its fastest exponential on a CPU, is the only pass of exponentials.
    """
    torch.softmax(x_TC, -1, out=out_TC)
    largest_T = x_TC.amax(-1)
    return torch.where(largest_T == -torch.inf, largest_T, largest_T - out_TC.amax(-1).log())


def pick_targets(target_logit_T: Tensor, q_TC: Tensor, target_T: Tensor, start: int) -> None:
    """Write the logits of the targets that lie in this tile into `target_logit_T`."""
    column_T = target_T - start
    here_T = (column_T >= 0) & (column_T < q_TC.shape[1]) & (target_T != NO_TARGET)
    picked_T = q_TC.gather(1, column_T.clamp(0, q_TC.shape[1] - 1)[:, None])[:, 0]
    target_logit_T.copy_(torch.where(here_T, picked_T, target_logit_T))
