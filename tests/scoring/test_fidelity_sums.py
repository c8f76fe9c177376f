"""The tile loop of the fidelity against the definitions, on logits that are hard on it."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from scoring.fidelity_sums import FidelitySums, fidelity_sums
from scoring.panel_sums import panel_sums
from scoring.perplexity import NO_TARGET, Tile
from tests.scoring.fidelity_oracle import token_fidelity
from tests.scoring.test_panel_sums import Table


def sums_of(o_TV: Tensor, q_TV: Tensor, target_T: Tensor, tile: Tile | None = None) -> FidelitySums:
    width = o_TV.shape[1]
    return fidelity_sums(Table(width), Table(width), o_TV, q_TV, target_T, tile)


def assert_exact(sums: FidelitySums, o_TV: Tensor, q_TV: Tensor, target_T: Tensor, atol: float = 1e-11) -> None:
    for mine_T, (name, exact_T) in zip(sums, token_fidelity(o_TV, q_TV, target_T).items(), strict=True):
        assert mine_T.dtype == torch.float64
        assert torch.allclose(mine_T, exact_T, rtol=1e-9, atol=atol), name


@pytest.mark.slow
@given(st.integers(1, 150), st.integers(2, 90), st.integers(1, 150), st.integers(1, 100), st.integers(0, 1000))
def test_sums_do_not_depend_on_the_tile(tokens: int, vocabulary: int, rows: int, columns: int, seed: int) -> None:
    draw = torch.Generator().manual_seed(seed)
    o_TV, noise_TV = torch.randn(2, tokens, vocabulary, generator=draw) * 4
    q_TV = o_TV + noise_TV / 2
    target_T = torch.randint(vocabulary, (tokens,), generator=draw)
    assert_exact(sums_of(o_TV, q_TV, target_T, Tile(rows, columns)), o_TV, q_TV, target_T)


@pytest.mark.parametrize("base", [0.0, 300.0, -5000.0])
@pytest.mark.parametrize("spread", [1.0, 1e-2, 1e-3])
def test_a_tiny_divergence_keeps_its_digits_however_large_the_logits_are(spread: float, base: float) -> None:
    draw = torch.Generator().manual_seed(0)
    o_TV = base + torch.randn(60, 4000, generator=draw) * 3
    q_TV = o_TV + torch.randn(60, 4000, generator=draw) * spread
    target_T = torch.randint(4000, (60,), generator=draw)
    exact_T = token_fidelity(o_TV, q_TV, target_T)["kl"]
    assert float(exact_T.max()) < spread**2, "the smaller the spread, the less is left of a difference of sums"
    assert torch.allclose(sums_of(o_TV, q_TV, target_T, Tile(17, 333)).kl_T, exact_T, rtol=1e-4, atol=1e-11)


def test_the_panels_difference_of_rounded_sums_would_not_keep_them() -> None:
    draw = torch.Generator().manual_seed(0)
    o_TV = torch.randn(60, 4000, generator=draw) * 3
    q_TV = o_TV + torch.randn(60, 4000, generator=draw) * 1e-3
    target_T = torch.randint(4000, (60,), generator=draw)
    panel = panel_sums(Table(4000), Table(4000), o_TV, q_TV, target_T)
    exact_T = token_fidelity(o_TV, q_TV, target_T)["kl"]
    assert not torch.allclose(panel.xent_T - panel.entropy_o_T, exact_T, rtol=0.1, atol=0)


@pytest.mark.parametrize("columns", [7, 50])
def test_equal_logits_have_no_divergence_at_all(columns: int) -> None:
    logits_TV = torch.randn(70, 50, generator=torch.Generator().manual_seed(0)) * 20
    target_T = torch.arange(70) % 50
    head, tile = Table(50), Tile(64, columns)
    for sums in (
        sums_of(logits_TV, logits_TV.clone(), target_T, tile),
        fidelity_sums(head, head, logits_TV, logits_TV, target_T, tile),
    ):
        assert torch.equal(sums.kl_T, torch.zeros(70, dtype=torch.float64))
        assert torch.equal(sums.agrees_T, torch.ones(70, dtype=torch.float64))
        assert torch.equal(sums.nll_o_T, sums.nll_q_T)


def test_rounding_takes_no_divergence_below_zero() -> None:
    draw = torch.Generator().manual_seed(0)
    o_TV = torch.randint(-64, 64, (400, 50), generator=draw) / 8.0
    sums = sums_of(o_TV, o_TV + 3.0, torch.arange(400) % 50, Tile(400, 7))  # equal distributions, unequal logits
    assert (sums.kl_T >= 0).all()
    assert (sums.kl_T < 1e-13).all()


@given(st.integers(2, 200), st.integers(1, 60), st.integers(0, 1000))
def test_agreement_is_that_of_the_panel_with_ties_and_without(vocabulary: int, columns: int, seed: int) -> None:
    draw = torch.Generator().manual_seed(seed)
    o_TV, q_TV = torch.randint(-2, 3, (2, 30, vocabulary), generator=draw).float()
    target_T = torch.randint(vocabulary, (30,), generator=draw)
    mine, panel = (
        compute(Table(vocabulary), Table(vocabulary), o_TV, q_TV, target_T, Tile(7, columns))
        for compute in (fidelity_sums, panel_sums)
    )
    assert torch.equal(mine.agrees_T, panel.agrees_T)  # type: ignore[attr-defined]


@pytest.mark.parametrize("columns", [10, 50])
def test_a_token_that_both_models_forbid_costs_nothing(columns: int) -> None:
    o_TV, q_TV = torch.randn(2, 3, 50, generator=torch.Generator().manual_seed(0))
    o_TV[:, :25] = q_TV[:, :25] = -torch.inf
    target_T = torch.tensor([30, 40, 49])
    sums = sums_of(o_TV, q_TV, target_T, Tile(3, columns))
    assert_exact(sums, o_TV[:, 25:], q_TV[:, 25:], target_T - 25)


@pytest.mark.parametrize("columns", [10, 50])
def test_what_one_model_forbids_is_infinite_where_the_reference_allows_it(columns: int) -> None:
    o_TV, q_TV = torch.randn(2, 3, 50, generator=torch.Generator().manual_seed(0))
    forbidding_TV = q_TV.clone()
    forbidding_TV[:, :25] = -torch.inf
    target_T = torch.tensor([30, 40, 49])
    assert sums_of(o_TV, forbidding_TV, target_T, Tile(3, columns)).kl_T.tolist() == [torch.inf] * 3
    finite_T = sums_of(forbidding_TV, q_TV, target_T, Tile(3, columns)).kl_T
    o_TV = forbidding_TV[:, 25:].double().log_softmax(-1)
    expected_T = (o_TV.exp() * (o_TV - q_TV.double().log_softmax(-1)[:, 25:])).sum(-1)
    assert torch.allclose(finite_T, expected_T, rtol=1e-12)


def test_logits_that_are_no_numbers_give_none() -> None:
    q_TV = torch.full((3, 20), torch.nan)
    assert all(column_T.isnan().all() for column_T in sums_of(q_TV, q_TV, torch.tensor([1, 2, 3])))


def test_no_target_is_not_a_number_and_spoils_nothing() -> None:
    o_TV, q_TV = torch.randn(2, 3, 20, generator=torch.Generator().manual_seed(0))
    sums = sums_of(o_TV, q_TV, torch.tensor([3, NO_TARGET, 19]))
    assert sums.nll_o_T.isnan().tolist() == sums.nll_q_T.isnan().tolist() == [False, True, False]
    exact = token_fidelity(o_TV, q_TV, torch.tensor([3, 0, 19]))
    assert torch.allclose(sums.kl_T, exact["kl"], atol=1e-11)


def test_no_tokens_are_no_sums() -> None:
    sums = sums_of(torch.empty(0, 5), torch.empty(0, 5), torch.empty(0).long())
    assert [len(column_T) for column_T in sums] == [0] * 4


def test_no_table_of_logits_is_in_memory() -> None:
    shapes: list[tuple[int, ...]] = []

    class Watching(Table):
        def logits_into(self, out_TC: Tensor, state_TX: Tensor, start: int) -> None:
            shapes.append(tuple(out_TC.shape))
            out_TC.zero_()

    state_TX = torch.zeros(600, 4)
    fidelity_sums(Watching(20_000), Watching(20_000), state_TX, state_TX, torch.zeros(600).long(), Tile(256, 2048))
    assert max(rows * columns for rows, columns in shapes) == 200 * 2048
