"""The panel against its sources: every sum and score, on every family, in every shape of batch."""

import logging
import math
from dataclasses import asdict, fields
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from models.load import LoadedModel
from scoring.binoculars import Binoculars
from scoring.errors import ArgumentError
from scoring.fragments import Fragment
from scoring.panel import Panel, TokenPanel
from scoring.perplexity import Tile
from scoring.results import Score, TokenSums
from tests.scoring.families import CONFIGS, byte_tokenizer, loaded_model, random_model, random_pair
from tests.scoring.panel_oracle import aligned_logits, fast_detect_gpt, panel_oracle

Models = tuple[LoadedModel, LoadedModel]
UNEVEN = Tile(tokens=7, columns=33)
"""Divides neither the tokens nor the vocabulary."""
TEXTS = [
    "It was the best of times, it was the worst of times.",
    "Naïve café, 中文字符 🙂 and </s> in the middle of it.",
    "word " * 60,
    "def f(x):\n    return x",
]
COLUMNS = [field.name for field in fields(Panel)]
COUNTS = ["rank_1", "rank_10", "rank_100", "rank_1000", "top1_agree"]


def panel_of(score: Any) -> dict[str, Any]:
    return {name: getattr(score, name) for name in COLUMNS}


def expected(models: Models, text: str, tokens: int | None = None) -> dict[str, Any]:
    ids = models[0].tokenizer(text)["input_ids"][:tokens]
    return panel_oracle(*aligned_logits(*models, ids), ids[1:])


def assert_panel(score: Any, exact: dict[str, Any]) -> None:
    """Compare a panel: counts exactly, sums relatively, and scores to 1e-5."""
    mine = panel_of(score)
    assert mine.keys() == exact.keys()
    for name, value in exact.items():
        if name in COUNTS:
            assert mine[name] == value, name
        else:
            assert mine[name] == pytest.approx(value, rel=1e-5, abs=1e-5), name


@pytest.mark.parametrize("family", CONFIGS)
def test_the_panel_equals_the_oracle_without_falling_back(family: str, caplog: pytest.LogCaptureFixture) -> None:
    models = random_pair(family)
    with caplog.at_level(logging.WARNING, logger="scoring"):
        scores = Binoculars(*models, tile=UNEVEN, panel=True).score(TEXTS)
    assert not [record for record in caplog.records if record.name.startswith("scoring")]
    for score, text in zip(scores, TEXTS, strict=True):
        assert_panel(score, expected(models, text))


@pytest.mark.parametrize("family", ["llama", "gemma2", "cohere"])
def test_fast_detect_is_what_its_paper_computes(family: str) -> None:
    models = random_pair(family)
    for text, score in zip(TEXTS, Binoculars(*models, panel=True).score(TEXTS), strict=True):
        ids = models[0].tokenizer(text)["input_ids"]
        assert score.fast_detect == pytest.approx(fast_detect_gpt(*aligned_logits(*models, ids), ids[1:]), abs=1e-5)


@pytest.mark.parametrize("bos", [True, False])
@pytest.mark.parametrize("padding_side", ["left", "right"])
def test_the_tokenizers_padding_changes_nothing(bos: bool, padding_side: str) -> None:
    models = tuple(
        loaded_model(random_model("mistral", seed), tokenizer=byte_tokenizer(bos, padding_side)) for seed in (3, 4)
    )
    assert len(models) == 2
    for text, score in zip(TEXTS, Binoculars(*models, panel=True).score(TEXTS), strict=True):
        assert_panel(score, expected(models, text))


@pytest.mark.parametrize("token_budget", [1, 64, 100_000])
def test_a_panel_does_not_depend_on_its_batch(llama_pair: Models, token_budget: int) -> None:
    scores = Binoculars(*llama_pair, panel=True, token_budget=token_budget).score(TEXTS[::-1])
    for score, text in zip(scores, TEXTS[::-1], strict=True):
        assert_panel(score, expected(llama_pair, text))


def test_one_model_twice_differs_from_itself_in_nothing(llama_pair: Models) -> None:
    observer, _ = llama_pair
    for text, score in zip(TEXTS, Binoculars(observer, observer, panel=True, tile=UNEVEN).score(TEXTS), strict=True):
        assert_panel(score, expected((observer, observer), text))
        assert score.kl == 0.0
        assert score.n_nll == score.top1_agree
        assert score.entropy_o_sum == score.entropy_q_sum == score.xent_aligned_sum


def test_split_placement_gives_the_same(llama_pair: Models) -> None:
    for text, score in zip(TEXTS, Binoculars(*llama_pair, placement="split", panel=True).score(TEXTS), strict=True):
        assert_panel(score, expected(llama_pair, text))


class Squared(nn.Linear):
    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        return super().forward(hidden).square() / 10


@pytest.mark.parametrize("whole", [(0,), (1,), (0, 1)])
def test_a_model_that_cannot_be_split_gives_the_same(whole: tuple[int, ...]) -> None:
    models = random_pair("llama")
    for index in whole:
        squared = Squared(32, 300, bias=False)
        squared.load_state_dict(models[index].model.lm_head.state_dict())
        models[index].model.lm_head = squared
    for text, score in zip(TEXTS, Binoculars(*models, tile=UNEVEN, panel=True).score(TEXTS), strict=True):
        assert_panel(score, expected(models, text))


@pytest.mark.parametrize("family", ["llama", "gemma2", "falcon"])
@pytest.mark.parametrize("alignment", ["reference", "aligned"])
def test_prefixes_of_one_pass_have_the_panel_of_truncated_texts(family: str, alignment: Any) -> None:
    models = random_pair(family)
    lengths = (17, 40, 64)
    fragment = Fragment("r", 0, "d", "g", "human", TEXTS[2], 0, 60, lengths)
    rows = list(Binoculars(*models, alignment=alignment, panel=True).score_fragments([fragment]))
    for row, length in zip(rows, lengths, strict=True):
        assert_panel(row, expected(models, TEXTS[2], length))
        if alignment == "aligned":
            assert row.xent_aligned_sum == row.xent_sum


def test_tied_logits_of_a_head_that_is_split_are_ties() -> None:
    models = random_pair("llama")
    with torch.no_grad():
        for loaded in models:
            loaded.model.lm_head.weight[150:] = loaded.model.lm_head.weight[:150].clone()
    text = TEXTS[0]
    (score,) = Binoculars(*models, panel=True).score([text])
    exact = expected(models, text)
    assert score.rank_1 == exact["rank_1"]
    assert score.log_rank_sum == pytest.approx(exact["log_rank_sum"], rel=1e-9)


def test_without_the_panel_nothing_of_it_is_there_and_the_score_is_the_same(llama_pair: Models) -> None:
    alone = Binoculars(*llama_pair, panel=False).score(TEXTS)
    for without, with_panel in zip(alone, Binoculars(*llama_pair).score(TEXTS), strict=True):
        assert set(panel_of(without).values()) == {None}
        assert None not in panel_of(with_panel).values()
        for name in asdict(without).keys() - set(COLUMNS) - {"null_reason"}:
            assert getattr(with_panel, name) == pytest.approx(getattr(without, name), rel=1e-6), name


def test_panel_is_true_or_false(llama_pair: Models) -> None:
    with pytest.raises(ArgumentError, match="panel is 'yes'; give True or False"):
        Binoculars(*llama_pair, panel="yes")  # type: ignore[arg-type]


def test_a_model_that_forbids_tokens_has_all_that_exists(llama_pair: Models) -> None:
    observer, performer = random_pair("llama")
    for loaded in (observer, performer):
        bias = torch.zeros(300)
        bias[270:] = -torch.inf
        head = nn.Linear(32, 300)
        head.weight, head.bias = loaded.model.lm_head.weight, nn.Parameter(bias)
        loaded.model.lm_head = head
    (score,) = Binoculars(observer, llama_pair[1], panel=True).score(TEXTS[:1])
    assert None not in panel_of(score).values(), "the observer forbids: everything exists"
    (score,) = Binoculars(llama_pair[0], performer, panel=True).score(TEXTS[:1])
    assert (score.score, score.null_reason) == (None, "not_finite")
    missing = {"xent_aligned_sum", "var_sum", "fast_detect", "kl"}
    assert {name for name, value in panel_of(score).items() if value is None} == missing


def text_of(nll: list[float], rank: list[float] | None = None, variance: float = 1.0, xent: float = 2.0) -> Score:
    """Score of a text with these numbers; the other columns are constant."""
    n = len(nll)
    column = np.ones(n + 1)
    panel = TokenPanel(column * variance, column, column, np.array([*(rank or [2.0] * n), math.nan]), column)
    return TokenSums(np.array([*nll, math.nan]), column * xent, truncated=False, panel=panel).score("aligned")


def missing(score: Score) -> set[str]:
    return {name for name, value in panel_of(score).items() if value is None}


def test_where_every_rank_is_1_there_is_no_ratio_to_the_log_rank() -> None:
    score = text_of([1.0, 2.0, 3.0, 5.0], rank=[1.0] * 4)
    assert missing(score) == {"lrr"}
    assert (score.rank_1, score.log_rank, score.log_rank_sum) == (4, 0.0, 0.0)


def test_moments_of_too_few_tokens_do_not_exist() -> None:
    of_one = {"surprisal_sd", "surprisal_skew", "surprisal_kurtosis", "surprisal_delta_sd"}
    assert missing(text_of([1.0])) == of_one
    assert missing(text_of([1.0, 2.0])) == of_one - {"surprisal_sd"}
    assert missing(text_of([1.0, 2.0, 4.0])) == {"surprisal_kurtosis"}
    assert missing(text_of([1.0, 2.0, 4.0, 3.0])) == set()


def test_equal_surprisals_have_no_shape() -> None:
    score = text_of([2.0] * 5)
    assert missing(score) == {"surprisal_skew", "surprisal_kurtosis"}
    assert (score.surprisal_sd, score.surprisal_delta_sd) == (0.0, 0.0)


def test_a_variance_of_zero_gives_no_curvature() -> None:
    assert missing(text_of([1.0, 2.0, 3.0, 5.0], variance=0.0)) == {"fast_detect"}


def test_a_divergence_is_never_below_zero() -> None:
    assert text_of([1.0, 2.0, 3.0, 5.0], xent=1.0 - 1e-9).kl == 0.0


@pytest.mark.parametrize("odd", [math.nan, math.inf])
def test_a_value_that_is_not_finite_is_null_and_the_score_stays(odd: float) -> None:
    score = text_of([1.0, 2.0, 3.0, 5.0], variance=odd)
    assert missing(score) == {"var_sum", "fast_detect"}
    assert score.score is not None
    ranked = text_of([1.0, 2.0, 3.0, 5.0], rank=[1.0, odd, 1.0, 3.0])
    assert {"log_rank_sum", "log_rank", "lrr"} <= missing(ranked)
    assert ranked.score is not None


def test_one_token_has_no_panel() -> None:
    panel = TokenPanel(*np.ones((5, 1)))
    assert missing(TokenSums(np.array([math.nan]), np.ones(1), truncated=False, panel=panel).score("reference")) == set(
        COLUMNS
    )
