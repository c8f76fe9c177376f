"""The scorer and the searches on a GPU against the float64 oracle and the CPU."""

import copy
from dataclasses import asdict, replace

import pytest
import torch

from models.load import LoadedModel, load_model
from scoring.binoculars import Binoculars
from scoring.fidelity import Fidelity
from tests.models.test_decoding import contrastive, diverse, prompt
from tests.scoring.families import CONFIGS, loaded_model, random_pair
from tests.scoring.oracle import oracle

pytestmark = [pytest.mark.gpu, pytest.mark.slow]
TEXTS = [
    "The cat sat on the mat, and the dog lay beside it until the evening came.",
    "Short one.",
    "Numbers 1 2 3 and signs ?! – é 新 follow here, in a text of a middling length.",
]


def moved(pair: tuple[LoadedModel, LoadedModel], dtype: torch.dtype) -> tuple[LoadedModel, LoadedModel]:
    """Copies of a pair on the card."""
    first, second = (
        replace(loaded, model=copy.deepcopy(loaded.model).to("cuda", dtype), dtype=dtype) for loaded in pair
    )
    return first, second


@pytest.mark.parametrize("family", CONFIGS)
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.bfloat16, 0.05)])
def test_scores_equal_the_oracle(family: str, dtype: torch.dtype, tolerance: float) -> None:
    pair = random_pair(family)
    for text, score in zip(TEXTS, Binoculars(*moved(pair, dtype)).score(TEXTS), strict=True):
        log_ppl, log_xppl = oracle(*pair, pair[0].tokenizer(text)["input_ids"])
        assert score.log_ppl == pytest.approx(log_ppl, rel=tolerance)
        assert score.score == pytest.approx(log_ppl / log_xppl, rel=tolerance)


def test_the_panel_equals_that_of_the_cpu() -> None:
    pair = random_pair("llama")
    on_card = Binoculars(*moved(pair, torch.float32)).score(TEXTS)
    on_cpu = Binoculars(*pair).score(TEXTS)
    for ours, expected in zip(on_card, on_cpu, strict=True):
        numbers = {name: value for name, value in asdict(expected).items() if isinstance(value, float)}
        assert len(numbers) > 10
        assert {name: asdict(ours)[name] for name in numbers} == pytest.approx(numbers, rel=1e-4, abs=1e-5)


def test_a_model_compared_with_itself_on_the_card_has_lost_nothing() -> None:
    pair = moved(random_pair("llama"), torch.float32)
    (result,) = Fidelity(pair[0], pair[0]).compare(TEXTS[:1])
    assert result.kl == pytest.approx(0, abs=1e-6)


def test_searches_find_the_same_tokens_as_on_the_cpu() -> None:
    held = load_model("builtin://tiny-base", dtype="float32")
    held.model.double()
    on_card = loaded_model(copy.deepcopy(held.model).to("cuda"), tokenizer=held.tokenizer)
    for seed in range(3):
        prompt_1L = prompt(held, seed)
        for search in (
            lambda model, ids: contrastive(model, ids, alpha=0.6, k=4),
            lambda model, ids: diverse(model, ids, beams=4, groups=2, penalty=0.5),
        ):
            assert torch.equal(search(on_card, prompt_1L.to("cuda")).cpu(), search(held, prompt_1L))
