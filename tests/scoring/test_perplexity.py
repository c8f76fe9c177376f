"""Tiled online sums against the definition, on logits that are hard on them."""

from dataclasses import dataclass

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from scoring.perplexity import CPU_TILE, NO_TARGET, Tile, token_sums

CPU = torch.device("cpu")


@dataclass(frozen=True, eq=False)
class Table:
    """A head whose states are its logits."""

    vocabulary: int
    device: torch.device = CPU

    def logits_into(self, out_TC: Tensor, state_TX: Tensor, start: int) -> None:
        out_TC.copy_(state_TX[:, start : start + out_TC.shape[1]])


def by_definition(o_TV: Tensor, q_TV: Tensor, target_T: Tensor) -> tuple[Tensor, Tensor]:
    log_q_TV = q_TV.double().log_softmax(-1)
    xent_T = -(o_TV.double().softmax(-1) * log_q_TV).sum(-1)
    return -log_q_TV.gather(1, target_T[:, None])[:, 0], xent_T


def close(mine: Tensor, exact: Tensor) -> bool:
    return torch.allclose(mine, exact, rtol=1e-6, atol=1e-5)


@given(st.integers(1, 40), st.integers(2, 90), st.integers(1, 50), st.integers(1, 100), st.integers(0, 1000))
def test_sums_do_not_depend_on_the_tile(tokens: int, vocabulary: int, rows: int, columns: int, seed: int) -> None:
    draw = torch.Generator().manual_seed(seed)
    o_TV, q_TV = torch.randn(2, tokens, vocabulary, generator=draw) * 8
    target_T = torch.randint(vocabulary, (tokens,), generator=draw)
    sums = token_sums(Table(vocabulary), Table(vocabulary), o_TV, q_TV, target_T, Tile(rows, columns))
    for mine, exact in zip(sums, by_definition(o_TV, q_TV, target_T), strict=True):
        assert mine.dtype == torch.float64
        assert close(mine, exact)


@pytest.mark.parametrize("order", ["rising", "falling"])
def test_a_maximum_that_moves_across_tiles_neither_overflows_nor_vanishes(order: str) -> None:
    logits_V = torch.linspace(-300, 300, 1000)
    q_TV = (logits_V if order == "rising" else logits_V.flip(0))[None]
    o_TV = q_TV.flip(1) * 0.05
    target_T = torch.tensor([500])
    sums = token_sums(Table(1000), Table(1000), o_TV, q_TV, target_T, Tile(1, 10))
    for mine, exact in zip(sums, by_definition(o_TV, q_TV, target_T), strict=True):
        assert torch.allclose(mine, exact, rtol=1e-6)


def test_tokens_that_a_model_forbids_do_not_matter() -> None:
    o_TV, q_TV = torch.randn(2, 3, 50)
    o_TV[:, :20] = -torch.inf  # a whole tile and more
    target_T = torch.tensor([30, 40, 49])
    _, xent_T = token_sums(Table(50), Table(50), o_TV, q_TV, target_T, Tile(2, 10))
    assert close(xent_T, by_definition(o_TV, q_TV, target_T)[1])


def test_no_target_is_not_a_number_and_spoils_nothing() -> None:
    head, logits_TV = Table(20), torch.randn(3, 20)
    nll_T, xent_T = token_sums(head, head, logits_TV, logits_TV, torch.tensor([3, NO_TARGET, 19]))
    assert nll_T.isnan().tolist() == [False, True, False]
    assert close(xent_T, by_definition(logits_TV, logits_TV, torch.tensor([0, 0, 0]))[1])


def test_no_tokens_are_no_sums() -> None:
    nll_T, xent_T = token_sums(Table(5), Table(5), torch.empty(0, 5), torch.empty(0, 5), torch.empty(0).long())
    assert len(nll_T) == len(xent_T) == 0


@given(st.integers(0, 2000))
def test_token_tiles_are_even_and_cover_everything(total: int) -> None:
    ranges = list(CPU_TILE.token_ranges(total))
    assert [index for span in ranges for index in range(total)[span]] == list(range(total))
    sizes = [span.stop - span.start for span in ranges]
    assert all(size <= CPU_TILE.tokens for size in sizes)
    assert not sizes or max(sizes) - min(sizes) <= len(sizes)


def test_memory_does_not_grow_with_the_vocabulary() -> None:
    shapes: list[tuple[int, ...]] = []

    class Watching(Table):
        def logits_into(self, out_TC: Tensor, state_TX: Tensor, start: int) -> None:
            shapes.append(tuple(out_TC.shape))
            out_TC.zero_()

    head = Watching(100_000)
    state_TX = torch.zeros(600, 4)
    token_sums(head, Watching(100_000), state_TX, state_TX, torch.zeros(600).long(), Tile(256, 2048))
    assert max(rows for rows, _ in shapes) == 200
    assert max(columns for _, columns in shapes) == 2048
