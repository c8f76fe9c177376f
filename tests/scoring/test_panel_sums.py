"""The tile loop of the panel against the definitions, on logits that are hard on it."""

from dataclasses import dataclass

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from scoring.panel_sums import panel_sums
from scoring.panel_tiles import CPU_ROWS, PanelSums
from scoring.perplexity import NO_TARGET, Tile, token_sums
from tests.scoring.panel_oracle import token_oracle

CPU = torch.device("cpu")


@dataclass(frozen=True, eq=False)
class Table:
    """A head whose states are its logits."""

    vocabulary: int
    device: torch.device = CPU

    def logits_into(self, out_TC: Tensor, state_TX: Tensor, start: int) -> None:
        out_TC.copy_(state_TX[:, start : start + out_TC.shape[1]])

    def target_logits(self, state_TX: Tensor, target_T: Tensor) -> Tensor:
        return state_TX.gather(1, target_T[:, None])[:, 0].float()


def sums_of(o_TV: Tensor, q_TV: Tensor, target_T: Tensor, tile: Tile | None = None) -> PanelSums:
    width = o_TV.shape[1]
    return panel_sums(Table(width), Table(width), o_TV, q_TV, target_T, tile)


def assert_exact(sums: PanelSums, o_TV: Tensor, q_TV: Tensor, target_T: Tensor) -> None:
    """Compare every token: a mean of logits is exact to 2e-6 of their distance from the logit of the next token."""
    exact = token_oracle(o_TV, q_TV, target_T)
    distance_T = 1 + (exact["nll"] - exact["xent"]).abs()
    tolerance = {"variance": 1e-5 * exact["variance"] + 2e-6 * (distance_T**2 + exact["variance"])}
    for mine_T, (name, exact_T) in zip(sums, exact.items(), strict=True):
        assert mine_T.dtype == torch.float64
        assert ((mine_T - exact_T).abs() <= tolerance.get(name, 2e-6 * distance_T + 1e-6 * exact_T.abs())).all(), name


@pytest.mark.slow
@given(st.integers(1, 150), st.integers(2, 90), st.integers(1, 150), st.integers(1, 100), st.integers(0, 1000))
def test_sums_do_not_depend_on_the_tile(tokens: int, vocabulary: int, rows: int, columns: int, seed: int) -> None:
    draw = torch.Generator().manual_seed(seed)
    o_TV, noise_TV = torch.randn(2, tokens, vocabulary, generator=draw) * 4
    q_TV = o_TV + noise_TV / 2
    target_T = torch.randint(vocabulary, (tokens,), generator=draw)
    sums = sums_of(o_TV, q_TV, target_T, Tile(rows, columns))
    assert_exact(sums, o_TV, q_TV, target_T)
    assert torch.equal(sums.rank_T, token_oracle(o_TV, q_TV, target_T)["rank"])


@given(st.integers(1, 40), st.integers(2, 90), st.integers(1, 50), st.integers(1, 100), st.integers(0, 1000))
def test_nll_and_cross_entropy_are_those_without_the_panel(
    tokens: int, vocabulary: int, rows: int, columns: int, seed: int
) -> None:
    draw = torch.Generator().manual_seed(seed)
    o_TV, q_TV = torch.randn(2, tokens, vocabulary, generator=draw) * 8
    target_T = torch.randint(-1, vocabulary, (tokens,), generator=draw)
    head, tile = Table(vocabulary), Tile(rows, columns)
    for observer in (Table(vocabulary), head):
        state_o_TV = q_TV if observer is head else o_TV
        alone = token_sums(observer, head, state_o_TV, q_TV, target_T, tile)
        for mine_T, alone_T in zip(panel_sums(observer, head, state_o_TV, q_TV, target_T, tile), alone, strict=False):
            assert torch.allclose(mine_T, alone_T, rtol=1e-6, atol=2e-5, equal_nan=True)


@given(st.integers(1, 100), st.integers(2, 60), st.integers(1, 50), st.integers(1, 70), st.integers(0, 1000))
def test_one_head_for_both_gives_what_two_equal_heads_give(
    tokens: int, vocabulary: int, rows: int, columns: int, seed: int
) -> None:
    draw = torch.Generator().manual_seed(seed)
    logits_TV = torch.randn(tokens, vocabulary, generator=draw) * 4
    target_T = torch.multinomial(logits_TV.softmax(-1), 1, generator=draw)[:, 0]
    head, tile = Table(vocabulary), Tile(rows, columns)
    shared = panel_sums(head, head, logits_TV, logits_TV, target_T, tile)
    for shared_T, two_T in zip(shared, sums_of(logits_TV, logits_TV, target_T, tile), strict=True):
        assert torch.allclose(shared_T, two_T, rtol=1e-5, atol=1e-4, equal_nan=True)
    assert torch.equal(shared.xent_T, shared.entropy_o_T)
    assert torch.equal(shared.entropy_o_T, shared.entropy_q_T)
    assert torch.equal(shared.agrees_T, torch.ones(tokens, dtype=torch.float64))


@pytest.mark.slow
@given(st.integers(2, 200), st.integers(1, 60), st.integers(0, 1000))
def test_ties_count_neither_above_nor_twice(vocabulary: int, columns: int, seed: int) -> None:
    draw = torch.Generator().manual_seed(seed)
    q_TV = torch.randint(-3, 4, (30, vocabulary), generator=draw).float()  # a few values only
    target_T = torch.randint(vocabulary, (30,), generator=draw)
    sums = sums_of(q_TV * 0.5, q_TV, target_T, Tile(7, columns))
    assert torch.equal(sums.rank_T, token_oracle(q_TV, q_TV, target_T)["rank"])
    assert sums.agrees_T.all(), "the first of the observer's largest logits is at a largest one of the performer"


@pytest.mark.parametrize(("spread", "base"), [(1e-6, 0.0), (1e-12, 0.0), (1e-3, 5e3), (1e25, 0.0)])
def test_ranks_are_exact_however_close_or_far_logits_are(spread: float, base: float) -> None:
    q_TV = base + torch.randn(20, 500, generator=torch.Generator().manual_seed(0)) * spread
    target_T = torch.arange(20) * 7
    assert torch.equal(sums_of(q_TV, q_TV, target_T).rank_T, token_oracle(q_TV, q_TV, target_T)["rank"])


def test_a_head_whose_single_logits_round_otherwise_does_not_count_the_target_itself() -> None:
    class Rounding(Table):
        def target_logits(self, state_TX: Tensor, target_T: Tensor) -> Tensor:
            return super().target_logits(state_TX, target_T) - 1e-6

    q_TV = torch.randn(20, 50, generator=torch.Generator().manual_seed(0))
    target_T = torch.arange(20)
    sums = panel_sums(Table(50), Rounding(50), q_TV, q_TV, target_T)
    assert_exact(sums, q_TV, q_TV, target_T)


@pytest.mark.parametrize("order", ["rising", "falling"])
def test_a_maximum_that_moves_across_tiles_is_followed(order: str) -> None:
    logits_V = torch.linspace(-30, 30, 1000)
    q_TV = (logits_V if order == "rising" else logits_V.flip(0))[None]
    target_T = torch.tensor([500])
    for o_TV in (q_TV * 0.5, q_TV.flip(1) * 0.5):
        assert_exact(sums_of(o_TV, q_TV, target_T, Tile(1, 10)), o_TV, q_TV, target_T)


def test_a_variance_does_not_cancel_where_the_next_token_is_likely() -> None:
    draw = torch.Generator().manual_seed(0)
    q_TV = 50 + torch.randn(200, 4000, generator=draw) * 2
    o_TV = q_TV + torch.randn(200, 4000, generator=draw) / 2
    target_T = torch.multinomial(o_TV.softmax(-1), 1, generator=draw)[:, 0]
    exact_T = token_oracle(o_TV, q_TV, target_T)["variance"]
    assert torch.allclose(sums_of(o_TV, q_TV, target_T).variance_T, exact_T, rtol=1e-5, atol=0)


def forbidding(model: str) -> tuple[Tensor, Tensor, Tensor]:
    """Logits of two models, of which one or both forbid a whole tile of 10 columns and more."""
    o_TV, q_TV = torch.randn(2, 3, 50, generator=torch.Generator().manual_seed(0))
    if model != "performer":
        o_TV[:, :25] = -torch.inf
    if model != "observer":
        q_TV[:, :25] = -torch.inf
    return o_TV, q_TV, torch.tensor([30, 40, 49])


@pytest.mark.parametrize("columns", [10, 50])
@pytest.mark.parametrize("model", ["observer", "performer", "both"])
def test_forbidden_tokens_spoil_no_sum_that_exists(model: str, columns: int) -> None:
    o_TV, q_TV, target_T = forbidding(model)
    sums = sums_of(o_TV, q_TV, target_T, Tile(2, columns))
    floor = torch.tensor(-1e4)  # a probability of 0, without the −inf that a naive product makes NaN of
    exact = token_oracle(o_TV.maximum(floor), q_TV.maximum(floor), target_T)
    exists = {"nll", "entropy_o", "entropy_q", "rank", "agrees"} | (
        {"xent", "variance"} if model == "observer" else set()
    )
    for mine_T, (name, exact_T) in zip(sums, exact.items(), strict=True):
        if name in exists:
            assert torch.allclose(mine_T, exact_T, rtol=1e-5, atol=1e-5), name
    alone_T = token_sums(Table(50), Table(50), o_TV, q_TV, target_T, Tile(2, columns))[1]
    assert torch.equal(sums.xent_T.isfinite(), alone_T.isfinite()), "what has a score without the panel has one with it"


def test_one_model_that_forbids_tokens_has_its_entropy() -> None:
    _, q_TV, target_T = forbidding("both")
    head = Table(50)
    sums = panel_sums(head, head, q_TV, q_TV, target_T, Tile(2, 10))
    exact_T = token_oracle(q_TV[:, 25:], q_TV[:, 25:], target_T - 25)["entropy_o"]
    assert torch.allclose(sums.entropy_o_T, exact_T)
    assert torch.allclose(sums.entropy_q_T, exact_T)


def test_logits_of_the_lowest_number_are_no_trouble() -> None:
    o_TV, q_TV, target_T = forbidding("both")
    lowest = torch.tensor(torch.finfo(torch.float32).min)
    sums = sums_of(o_TV.maximum(lowest), q_TV.maximum(lowest), target_T, Tile(2, 10))
    assert_exact(sums, o_TV[:, 25:], q_TV[:, 25:], target_T - 25)


def test_a_target_that_is_forbidden_has_no_rank_and_spoils_nothing_else() -> None:
    o_TV, q_TV = torch.randn(2, 3, 20, generator=torch.Generator().manual_seed(0))
    q_TV[1, 5] = o_TV[1, 5] = -torch.inf
    sums = sums_of(o_TV, q_TV, torch.tensor([3, 5, 5]))
    assert sums.rank_T.isnan().tolist() == [False, True, False]
    assert sums.nll_T.isinf().tolist() == [False, True, False]
    others = torch.tensor([0, 2])
    exact = token_oracle(o_TV[others], q_TV[others], torch.tensor([3, 5]))
    for mine_T, exact_T in zip(sums, exact.values(), strict=True):
        assert torch.allclose(mine_T[others], exact_T, atol=1e-5)


def test_broken_logits_are_not_looked_at_twice() -> None:
    passes: list[int] = []

    class Broken(Table):
        def logits_into(self, out_TC: Tensor, state_TX: Tensor, start: int) -> None:
            passes.append(start)
            super().logits_into(out_TC, state_TX, start)

    q_TV = torch.full((3, 20), torch.nan)
    sums = panel_sums(Table(20), Broken(20), q_TV, q_TV, torch.tensor([1, 2, 3]), Tile(3, 10))
    assert passes == [0, 10]
    assert all(column_T.isnan().all() for column_T in sums)


def test_no_target_is_not_a_number_and_spoils_nothing() -> None:
    o_TV, q_TV = torch.randn(2, 3, 20, generator=torch.Generator().manual_seed(0))
    sums = sums_of(o_TV, q_TV, torch.tensor([3, NO_TARGET, 19]))
    exact = token_oracle(o_TV, q_TV, torch.tensor([3, 0, 19]))
    for name, mine_T in zip(exact, sums, strict=True):
        if name in ("nll", "rank"):
            assert mine_T.isnan().tolist() == [False, True, False]
        else:
            assert torch.allclose(mine_T, exact[name], atol=1e-5), name


def test_no_tokens_are_no_sums() -> None:
    sums = sums_of(torch.empty(0, 5), torch.empty(0, 5), torch.empty(0).long())
    assert [len(column_T) for column_T in sums] == [0] * 7


def test_memory_does_not_grow_with_the_vocabulary() -> None:
    shapes: list[tuple[int, ...]] = []

    class Watching(Table):
        def logits_into(self, out_TC: Tensor, state_TX: Tensor, start: int) -> None:
            shapes.append(tuple(out_TC.shape))
            out_TC.zero_()

        def target_logits(self, state_TX: Tensor, target_T: Tensor) -> Tensor:
            return torch.zeros(len(target_T))

    state_TX = torch.zeros(600, 4)
    panel_sums(Watching(100_000), Watching(100_000), state_TX, state_TX, torch.zeros(600).long(), Tile(256, 2048))
    assert max(rows for rows, _ in shapes) == 200
    assert max(columns for _, columns in shapes) == 2048
    assert CPU_ROWS < 200, "softmaxes are of some rows only"
