"""Contrastive and diverse beam search against what the papers say, written down naively, and against transformers.

The model computes in float64 here, the searches in float32 as always: rounding then decides between no two tokens,
so that whole sequences can be compared.
"""

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import (
    AutoModelForCausalLM,
    FalconConfig,
    Gemma2Config,
    GenerationConfig,
    LogitsProcessor,
    OPTConfig,
    StoppingCriteria,
)

from models.builtin.cache import sample_text
from models.decoding import contrastive_search, diverse_beam_search
from models.errors import ModelUnsupported
from models.load import LoadedModel, load_model, unload

NEW_TOKENS = 8
PROMPTS = range(3)


@pytest.fixture(scope="module")
def held() -> Iterator[LoadedModel]:
    loaded = load_model("builtin://tiny-base", dtype="float32")
    loaded.model.double()
    loaded.model.generation_config = GenerationConfig(pad_token_id=loaded.tokenizer.pad_token_id)
    yield loaded
    unload(loaded)


def prompt(held: LoadedModel, seed: int) -> Tensor:
    ids: Tensor = held.tokenizer(sample_text(9, seed), return_tensors="pt")["input_ids"]
    return ids


def generate(held: LoadedModel, prompt_1L: Tensor, *, processors: Any = (), stops: Any = (), **fields: Any) -> Tensor:
    """What generate() adds to the prompt; `fields` are settings, and a custom strategy with its parameters."""
    names = ("custom_generate", "alpha", "k", "groups", "penalty")
    custom = {name: fields.pop(name) for name in names if name in fields}
    with torch.inference_mode():
        ids: Tensor = held.model.generate(
            prompt_1L,
            attention_mask=torch.ones_like(prompt_1L),
            generation_config=GenerationConfig(**{"max_new_tokens": NEW_TOKENS, **fields}),
            logits_processor=list(processors),
            stopping_criteria=list(stops),
            **custom,
        )
    return ids[:, prompt_1L.shape[1] :]


def contrastive(held: LoadedModel, prompt_1L: Tensor, alpha: float, k: int, **others: Any) -> Tensor:
    return generate(held, prompt_1L, custom_generate=contrastive_search, alpha=alpha, k=k, **others)


def diverse(held: LoadedModel, prompt_1L: Tensor, beams: int, groups: int, penalty: float, **others: Any) -> Tensor:
    return generate(
        held,
        prompt_1L,
        custom_generate=diverse_beam_search,
        groups=groups,
        penalty=penalty,
        **{"num_beams": beams, "num_return_sequences": beams, **others},
    )


def naive_log_p(held: LoadedModel, ids: list[int]) -> list[float]:
    """Log-probabilities of the next token, from the whole text anew."""
    with torch.inference_mode():
        logits = held.model(torch.tensor([ids]), use_cache=False).logits[0, -1]
    return logits.log_softmax(-1).tolist()  # type: ignore[no-any-return]


def naive_states(held: LoadedModel, ids: list[int]) -> list[list[float]]:
    """The last layer's hidden state at each token."""
    with torch.inference_mode():
        outputs = held.model(torch.tensor([ids]), use_cache=False, output_hidden_states=True)
    return outputs.hidden_states[-1][0].tolist()  # type: ignore[no-any-return]


def dot(a: list[float], b: list[float]) -> float:
    return math.fsum(x * y for x, y in zip(a, b, strict=True))


def cosine(a: list[float], b: list[float]) -> float:
    return dot(a, b) / math.sqrt(dot(a, a) * dot(b, b))


def naive_contrastive(held: LoadedModel, prompt_1L: Tensor, alpha: float, k: int) -> list[int]:
    """Su et al. 2022, one candidate and one text at a time."""
    text = prompt_1L[0].tolist()
    for _ in range(NEW_TOKENS):
        log_p = naive_log_p(held, text)
        merits = {}
        for token in sorted(range(len(log_p)), key=log_p.__getitem__)[-k:]:
            *seen, state = naive_states(held, [*text, token])
            likeness = max(cosine(state, earlier) for earlier in seen)
            merits[token] = (1 - alpha) * math.exp(log_p[token]) - alpha * likeness
        text.append(max(merits, key=merits.__getitem__))
    return text[prompt_1L.shape[1] :]


def naive_diverse(
    held: LoadedModel, prompt_1L: Tensor, beams: int, groups: int, penalty: float, ends: tuple[int, ...] = ()
) -> list[list[int]]:
    """Vijayakumar et al. 2016, algorithm 1, over lists of (score, text); a group ends with its last free place.

    Returns:
        The hypotheses of all groups, best score per token first.
    """
    width, prompt_tokens = beams // groups, prompt_1L.shape[1]
    running = [[(0.0, prompt_1L[0].tolist())] for _ in range(groups)]
    finished: list[list[tuple[float, list[int]]]] = [[] for _ in range(groups)]
    for length in range(1, NEW_TOKENS + 1):
        taken: list[int] = []
        for group in range(groups):
            if len(finished[group]) == width:
                continue
            candidates = [
                (score + log_p - penalty * taken.count(token), [*text, token])
                for score, text in running[group]
                for token, log_p in enumerate(naive_log_p(held, text))
            ]
            candidates.sort(key=lambda candidate: -candidate[0])
            ended = [
                (score / length, text) for score, text in candidates[:width] if text[-1] in ends or length == NEW_TOKENS
            ]
            finished[group] = sorted([*finished[group], *ended], key=lambda found: -found[0])[:width]
            if length < NEW_TOKENS:  # else the tokens of the last step are those of the best, whatever they are
                candidates = [(score, text) for score, text in candidates if text[-1] not in ends]
            running[group] = candidates[:width]
            taken += [text[-1] for _, text in running[group]]
    found = sorted((found for group in finished for found in group), key=lambda found: -found[0])
    return [text[prompt_tokens:] for _, text in found]


@pytest.mark.parametrize(("alpha", "k"), [(0.6, 4), (0.2, 6), (1.0, 3)])
@pytest.mark.parametrize("seed", PROMPTS)
def test_contrastive_search_is_the_formula(held: LoadedModel, seed: int, alpha: float, k: int) -> None:
    prompt_1L = prompt(held, seed)
    assert contrastive(held, prompt_1L, alpha, k).tolist() == [naive_contrastive(held, prompt_1L, alpha, k)]


@pytest.mark.parametrize(("alpha", "k"), [(0.0, 4), (0.6, 1)])
@pytest.mark.parametrize("seed", PROMPTS)
def test_contrastive_search_without_choice_or_penalty_is_greedy(
    held: LoadedModel, seed: int, alpha: float, k: int
) -> None:
    prompt_1L = prompt(held, seed)
    greedy = generate(held, prompt_1L, max_new_tokens=24)
    assert torch.equal(contrastive(held, prompt_1L, alpha, k, max_new_tokens=24), greedy)
    assert not torch.equal(contrastive(held, prompt_1L, 0.6, 4, max_new_tokens=24), greedy)


@pytest.mark.parametrize(("beams", "groups", "penalty"), [(5, 5, 1.0), (4, 2, 0.7), (6, 3, 0.3)])
@pytest.mark.parametrize("seed", PROMPTS)
@pytest.mark.slow
def test_diverse_beam_search_is_the_algorithm(
    held: LoadedModel, seed: int, beams: int, groups: int, penalty: float
) -> None:
    prompt_1L = prompt(held, seed)
    hypotheses = diverse(held, prompt_1L, beams, groups, penalty)
    assert hypotheses.tolist() == naive_diverse(held, prompt_1L, beams, groups, penalty)


@pytest.mark.parametrize("seed", PROMPTS)
def test_groups_end_one_by_one(held: LoadedModel, seed: int) -> None:
    prompt_1L = prompt(held, seed)
    free = diverse(held, prompt_1L, 4, 2, 0.7)
    ends = (int(free[0, 2]), int(free[1, 4]))
    expected = naive_diverse(held, prompt_1L, 4, 2, 0.7, ends)
    assert len({len(hypothesis) for hypothesis in expected}) > 1, "some end early, else this tests nothing"
    hypotheses = diverse(held, prompt_1L, 4, 2, 0.7, eos_token_id=list(ends), early_stopping=True)
    padding = held.tokenizer.pad_token_id
    assert [[token for token in hypothesis if token != padding] for hypothesis in hypotheses.tolist()] == expected


@pytest.mark.parametrize("length_penalty", [0.0, 1.0, 2.0])
@pytest.mark.parametrize("early_stopping", [True, False, "never"])
@pytest.mark.parametrize("seed", PROMPTS)
def test_one_group_without_penalty_is_transformers_beam_search(
    held: LoadedModel, seed: int, early_stopping: Any, length_penalty: float
) -> None:
    prompt_1L = prompt(held, seed)
    free = generate(held, prompt_1L, num_beams=4, num_return_sequences=4)
    fields = {
        "max_new_tokens": 12,
        "length_penalty": length_penalty,
        "early_stopping": early_stopping,
        "eos_token_id": [int(free[0, 2]), int(free[1, 5])],
    }
    beam_search = generate(held, prompt_1L, num_beams=4, num_return_sequences=4, **fields)
    assert torch.equal(diverse(held, prompt_1L, 4, 1, 0.0, **fields), beam_search)


@pytest.mark.parametrize("seed", PROMPTS)
def test_groups_without_penalty_are_beam_searches_of_their_own(held: LoadedModel, seed: int) -> None:
    prompt_1L = prompt(held, seed)
    beam_search = generate(held, prompt_1L, num_beams=2, num_return_sequences=2)
    assert torch.equal(diverse(held, prompt_1L, 6, 3, 0.0), beam_search.repeat_interleave(3, dim=0))


def test_under_a_high_penalty_no_two_groups_agree_on_a_token(held: LoadedModel) -> None:
    hypotheses = diverse(held, prompt(held, 0), 5, 5, 1e4)
    assert all(len(set(step)) == 5 for step in hypotheses.T.tolist())


class Spy(LogitsProcessor):  # type: ignore[misc]
    """Notes the shape of all logits that pass; lets only `allowed` through, where given."""

    def __init__(self, allowed: list[int] | None = None) -> None:
        self.allowed = allowed
        self.shapes: list[tuple[tuple[int, ...], int]] = []

    def __call__(self, ids: Tensor, scores: Tensor) -> Tensor:
        self.shapes.append((tuple(ids.shape), scores.shape[0]))
        if self.allowed is None:
            return scores
        forbidden = torch.ones_like(scores, dtype=torch.bool)
        forbidden[:, self.allowed] = False
        return scores.masked_fill(forbidden, -torch.inf)


@pytest.mark.parametrize("search", [contrastive, diverse])
def test_processors_see_each_step_once_and_the_cache_all_but_the_last_token(held: LoadedModel, search: Any) -> None:
    prompt_1L, spy, passes = prompt(held, 0), Spy(), []
    length = prompt_1L.shape[1]
    hook = held.model.register_forward_pre_hook(
        lambda _module, _args, inputs: passes.append(tuple(inputs["input_ids"].shape)), with_kwargs=True
    )
    try:
        if search is contrastive:
            contrastive(held, prompt_1L, 0.6, 3, processors=[spy])
        else:
            diverse(held, prompt_1L, 4, 2, 0.5, processors=[spy])
    finally:
        hook.remove()
    if search is contrastive:  # every token, the last one too, is chosen after a look at its hidden state
        assert passes == [(1, length), *[(3, 1)] * NEW_TOKENS]
        assert spy.shapes == [((1, length + step), 1) for step in range(NEW_TOKENS)]
    else:
        assert passes == [(4, length), *[(4, 1)] * (NEW_TOKENS - 1)]
        assert spy.shapes == [((4, length + step), 4) for step in range(NEW_TOKENS)]


def test_forbidden_tokens_are_never_chosen(held: LoadedModel) -> None:
    prompt_1L, allowed = prompt(held, 0), [11, 12]
    for new in (
        contrastive(held, prompt_1L, 1.0, 5, processors=[Spy(allowed)]),
        diverse(held, prompt_1L, 4, 2, 0.5, processors=[Spy(allowed)], num_return_sequences=1),
    ):
        assert set(new[0].tolist()) <= set(allowed)


def test_end_tokens_end_it_and_min_new_tokens_suppresses_them(held: LoadedModel) -> None:
    prompt_1L = prompt(held, 0)
    end = int(contrastive(held, prompt_1L, 0.6, 4)[0, 2])
    ended = contrastive(held, prompt_1L, 0.6, 4, eos_token_id=end)
    assert end not in ended[0, :-1].tolist()
    assert ended[0, -1] == end
    held_off = contrastive(held, prompt_1L, 0.6, 4, eos_token_id=end, min_new_tokens=NEW_TOKENS)
    assert held_off.shape == (1, NEW_TOKENS)
    assert end not in held_off[0].tolist()


class Until(StoppingCriteria):  # type: ignore[misc]
    """Stops every row at a length."""

    def __init__(self, length: int) -> None:
        self.length = length

    def __call__(self, ids: Tensor, scores: Any, **_: Any) -> Tensor:
        return torch.full((len(ids),), ids.shape[1] >= self.length)


def test_stopping_criteria_stop_it(held: LoadedModel) -> None:
    prompt_1L = prompt(held, 0)
    stop = Until(prompt_1L.shape[1] + 3)
    whole, cut = (contrastive(held, prompt_1L, 0.6, 4, stops=stops) for stops in ((), (stop,)))
    assert torch.equal(cut, whole[:, :3])
    assert diverse(held, prompt_1L, 4, 2, 0.5, stops=[stop]).shape == (4, 3)


def test_several_prompts_are_refused(held: LoadedModel) -> None:
    two = prompt(held, 0).expand(2, -1)
    with pytest.raises(ValueError, match="one prompt"):
        contrastive(held, two, 0.6, 4)
    with pytest.raises(ValueError, match="one prompt"):
        diverse(held, two, 4, 2, 0.5)


def test_parameters_out_of_range_are_refused(held: LoadedModel) -> None:
    prompt_1L = prompt(held, 0)
    for alpha, k in ((1.5, 4), (-0.1, 4), (0.6, 0)):
        with pytest.raises(ValueError, match="0 <= alpha <= 1 and k >= 1"):
            contrastive(held, prompt_1L, alpha, k)
    for groups in (0, 3):
        with pytest.raises(ValueError, match="do not divide 4 beams"):
            diverse(held, prompt_1L, 4, groups, 0.5)


def test_without_a_cache_they_are_unsupported_and_leave_no_hook(held: LoadedModel) -> None:
    with pytest.raises(ModelUnsupported, match="without a cache"):
        contrastive(held, prompt(held, 0), 0.6, 4, use_cache=False)
    with pytest.raises(ModelUnsupported, match="without a cache"):
        diverse(held, prompt(held, 0), 4, 2, 0.5, use_cache=False)
    assert not held.model.get_decoder()._forward_hooks


def test_a_model_without_a_head_has_nothing_to_search_with(held: LoadedModel) -> None:
    body = held.model.get_decoder()
    with pytest.raises(ModelUnsupported, match="no body apart from its head"):
        contrastive_search(body, prompt(held, 0), None, None, GenerationConfig(), alpha=0.6, k=4)


SMALL = {"vocab_size": 97, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4}
LLAMA_LIKE = {**SMALL, "intermediate_size": 48, "num_key_value_heads": 2}


@pytest.mark.parametrize(
    "config",
    [
        FalconConfig(**SMALL, alibi=True),
        Gemma2Config(**LLAMA_LIKE, head_dim=8, sliding_window=6),
        OPTConfig(**SMALL, ffn_dim=48, word_embed_proj_dim=32),
    ],
    ids=["alibi", "sliding windows and capped logits", "a body within a body"],
)
def test_other_architectures_agree_with_transformers_too(held: LoadedModel, config: Any) -> None:
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(config).eval().double()
    model.generation_config = GenerationConfig()
    other = replace(held, model=model)
    prompt_1L = torch.randint(3, 97, (1, 11))
    assert torch.equal(contrastive(other, prompt_1L, 0.0, 4), generate(other, prompt_1L))
    beam_search = generate(other, prompt_1L, num_beams=4, num_return_sequences=4)
    assert torch.equal(diverse(other, prompt_1L, 4, 1, 0.0), beam_search)
    expected = naive_contrastive(other, prompt_1L, 0.6, 4)
    assert contrastive(other, prompt_1L, 0.6, 4).tolist() == [expected]
