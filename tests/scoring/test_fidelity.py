"""The fidelity against its definition: every family, in every shape of batch, and quantized for real."""

import logging
import math
from dataclasses import asdict
from typing import Any

import numpy as np
import pytest
import torch

from models.load import LoadedModel, load_model
from scoring.errors import ArgumentError, IncompatiblePair
from scoring.fidelity import Fidelity
from scoring.fidelity_results import TextFidelity, TokenFidelity
from scoring.fragments import Fragment
from scoring.perplexity import Tile
from tests.scoring.families import CONFIGS, byte_tokenizer, loaded_model, random_model, random_pair
from tests.scoring.fidelity_oracle import fidelity_oracle
from tests.scoring.panel_oracle import aligned_logits

Models = tuple[LoadedModel, LoadedModel]
UNEVEN = Tile(tokens=7, columns=33)
"""Divides neither the tokens nor the vocabulary."""
TEXTS = [
    "It was the best of times, it was the worst of times.",
    "Naïve café, 中文字符 🙂 and </s> in the middle of it.",
    "word " * 60,
    "def f(x):\n    return x",
]
TINY = "builtin://tiny-base"


def expected(models: Models, text: str, tokens: int | None = None) -> dict[str, Any]:
    ids = models[0].tokenizer(text)["input_ids"][:tokens]
    return fidelity_oracle(*aligned_logits(*models, ids), ids[1:])


def assert_fidelity(mine: Any, exact: dict[str, Any]) -> None:
    """Compare every number: counts exactly, sums relatively, the rest to 1e-5."""
    for name, value in exact.items():
        if isinstance(value, float):
            relative = 1e-5 if name.endswith("_sum") else 0
            assert getattr(mine, name) == pytest.approx(value, rel=relative, abs=1e-5), name
        else:
            assert getattr(mine, name) == value, name


@pytest.mark.parametrize("family", CONFIGS)
def test_every_number_equals_the_oracle_without_falling_back(family: str, caplog: pytest.LogCaptureFixture) -> None:
    models = random_pair(family)
    with caplog.at_level(logging.WARNING, logger="scoring"):
        results = Fidelity(*models, tile=UNEVEN).compare(TEXTS)
    assert not [record for record in caplog.records if record.name.startswith("scoring")]
    for result, text in zip(results, TEXTS, strict=True):
        assert asdict(result).keys() == expected(models, text).keys()
        assert_fidelity(result, expected(models, text))


@pytest.mark.parametrize("token_budget", [1, 64, 100_000])
def test_a_fidelity_does_not_depend_on_its_batch(llama_pair: Models, token_budget: int) -> None:
    for text, result in zip(
        TEXTS[::-1], Fidelity(*llama_pair, token_budget=token_budget).compare(TEXTS[::-1]), strict=True
    ):
        assert_fidelity(result, expected(llama_pair, text))


@pytest.mark.parametrize("copies", [False, True])
def test_a_model_against_itself_differs_in_nothing(llama_pair: Models, copies: bool) -> None:
    reference = llama_pair[0]
    other = loaded_model(random_model("llama", seed=0)) if copies else reference
    for result in Fidelity(reference, other, tile=UNEVEN).compare(TEXTS):
        assert (result.kl, result.kl_p99, result.kl_sum) == (0.0, 0.0, 0.0)
        assert (result.top1_agreement, result.ppl_ratio) == (1.0, 1.0)
        assert result.log_ppl_reference == result.log_ppl_quantized


def test_prefixes_of_one_pass_are_those_of_truncated_texts(llama_pair: Models) -> None:
    lengths = (2, 17, 64, 900)
    fragment = Fragment("r", 0, "d", "g", "human", TEXTS[2], 0, 60, lengths)
    *rows, beyond = Fidelity(*llama_pair, max_tokens=1000).compare_fragments([fragment])
    for row, length in zip(rows, lengths, strict=False):
        assert (row.prefix_tokens, row.record_id, row.author) == (length, "r", "human")
        assert_fidelity(row, expected(llama_pair, TEXTS[2], length))
    assert (beyond.null_reason, beyond.kl, beyond.top1_agree) == ("shorter_than_prefix", None, None)


def test_a_text_is_cut_at_max_tokens_and_says_so(llama_pair: Models) -> None:
    (result,) = Fidelity(*llama_pair, max_tokens=20).compare([TEXTS[2]])
    assert (result.length_tokens, result.truncated, result.n_predicted) == (20, True, 19)
    assert_fidelity(result, expected(llama_pair, TEXTS[2], 20) | {"truncated": True})


def test_texts_without_numbers_say_why(llama_pair: Models) -> None:
    without_bos = loaded_model(llama_pair[0].model, tokenizer=byte_tokenizer(bos=False))
    results = Fidelity(without_bos, without_bos).compare(["", "a", None, "a\ud800", "ab"])
    assert [result.null_reason for result in results] == ["empty_text", "one_token", "not_text", "not_unicode", None]
    for result in results[:-1]:
        rest = asdict(result).keys() - {"length_tokens", "truncated", "null_reason"}
        assert {getattr(result, name) for name in rest} == {None}
    assert results[1].length_tokens == 1


def test_memory_that_runs_out_costs_no_fragment(llama_pair: Models, monkeypatch: pytest.MonkeyPatch) -> None:
    fidelity = Fidelity(*llama_pair, token_budget=4096)
    whole = fidelity.pair.token_fidelity

    def short_of_memory(texts: list[list[int]]) -> object:
        if len(texts) * max(map(len, texts)) > 100:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return whole(texts)

    monkeypatch.setattr(fidelity.pair, "token_fidelity", short_of_memory)
    fragments = [Fragment(str(i), 0, None, None, None, text, 0, 1) for i, text in enumerate(TEXTS)]
    rows = list(fidelity.compare_fragments(fragments))
    assert [row.needs_more_memory for row in rows] == [False, False, True, False]
    assert rows[2].null_reason == "out_of_memory"
    assert_fidelity(rows[3], expected(llama_pair, TEXTS[3]))


def of_tokens(kl: list[float], reference: list[float], quantized: list[float]) -> TextFidelity:
    """Fidelity of a text with these numbers, and two that no mean may count behind them."""
    columns = [np.array([*column, math.nan]) for column in (kl, reference, quantized, [1.0] * len(kl))]
    return TokenFidelity(*columns).fidelity(len(kl) + 1)


@pytest.mark.parametrize("odd", [math.nan, math.inf])
def test_a_number_that_is_not_finite_is_null_with_its_reason_and_the_others_stay(odd: float) -> None:
    result = of_tokens([0.1, odd], [1.0, 2.0], [1.5, 2.5])
    assert (result.kl, result.kl_p99, result.kl_sum, result.null_reason) == (None, None, None, "not_finite")
    assert (result.log_ppl_quantized, result.ppl_ratio) == (2.0, math.exp(0.5))
    result = of_tokens([0.1, 0.3], [1.0, odd], [1.5, 2.5])
    assert (result.log_ppl_reference, result.ppl_ratio, result.null_reason) == (None, None, "not_finite")
    assert result.kl == pytest.approx(0.2)


def test_a_ratio_that_no_float_holds_is_null() -> None:
    result = of_tokens([0.1], [1.0], [1e6])
    assert (result.ppl_ratio, result.log_ppl_quantized, result.null_reason) == (None, 1e6, "not_finite")


def test_arguments_are_checked(llama_pair: Models) -> None:
    with pytest.raises(ArgumentError, match="max_tokens is 1; give a whole number from 2"):
        Fidelity(*llama_pair, max_tokens=1)
    with pytest.raises(IncompatiblePair):
        Fidelity(llama_pair[0], load_model(TINY, dtype="float32"))


@pytest.mark.slow
def test_eight_bits_are_closer_to_the_model_than_four() -> None:
    reference = load_model(TINY, dtype="float32")
    by_bits = {}
    for quantization in ("8-bit", "4-bit"):
        quantized = load_model(TINY, quantization=quantization, dtype="float32")  # type: ignore[arg-type]
        (result,) = Fidelity(reference, quantized).compare([__doc__ * 4])
        ids = reference.tokenizer(__doc__ * 4)["input_ids"]
        with torch.no_grad():
            o_TV, q_TV = (one.model(torch.tensor([ids])).logits[0, :-1] for one in (reference, quantized))
        assert result.kl == pytest.approx(fidelity_oracle(o_TV, q_TV, ids[1:])["kl"], rel=1e-3)
        by_bits[quantization] = result
    eight, four = by_bits["8-bit"], by_bits["4-bit"]
    assert 0 < 10 * eight.kl < four.kl < 0.1
    assert eight.kl_p99 < four.kl_p99
    assert four.top1_agreement < eight.top1_agreement
    assert abs(math.log(eight.ppl_ratio)) < 0.01
