"""Models that may be split into body and head are split, and no others."""

import logging
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from scoring.heads import LogitMap, SplitModel, WholeModel, scorable_model
from tests.scoring.families import CONFIGS, loaded_model, random_model

MAPS = {"gemma2": LogitMap("softcap", 4.0), "cohere": LogitMap("scale", 0.3), "granite": LogitMap("scale", 0.2)}


@pytest.mark.parametrize("family", CONFIGS)
def test_every_family_is_split_with_its_own_map(family: str) -> None:
    split = scorable_model(loaded_model(random_model(family, seed=0)))
    assert isinstance(split, SplitModel)
    assert split.logit_map == MAPS.get(family, LogitMap())
    assert split.vocabulary == 300


@pytest.mark.parametrize("family", ["llama", "gemma2", "falcon", "gpt2"])
def test_states_are_those_of_real_tokens_text_after_text(family: str) -> None:
    model = random_model(family, seed=0)
    split = scorable_model(loaded_model(model))
    ids_BL = torch.tensor([[5, 6, 7, 8], [9, 10, 0, 0]])
    real_BL = torch.tensor([[1, 1, 1, 1], [1, 1, 0, 0]], dtype=torch.bool)
    with torch.inference_mode():
        state_TX = split.states(ids_BL, real_BL)
        logits_TV = torch.empty(6, 300)
        split.logits_into(logits_TV, state_TX, 0)
        own = [model(input_ids=torch.tensor([ids])).logits[0] for ids in ([5, 6, 7, 8], [9, 10])]
    assert torch.allclose(logits_TV, torch.cat(own), atol=1e-4)


def whole(model: Any, caplog: pytest.LogCaptureFixture) -> str:
    with caplog.at_level(logging.WARNING, logger="scoring"):
        taken = scorable_model(loaded_model(model))
    assert isinstance(taken, WholeModel)
    (message,) = [record.message for record in caplog.records if record.name.startswith("scoring")]
    return message


def test_logits_changed_after_the_head_are_not_split(caplog: pytest.LogCaptureFixture) -> None:
    model = random_model("llama", seed=0)

    def shifted(_module: nn.Module, _args: Any, output: Any) -> Any:
        output.logits = output.logits + torch.arange(300) / 100
        return output

    model.register_forward_hook(shifted)
    assert "after the head" in whole(model, caplog)


def test_a_small_soft_cap_in_the_config_is_seen_even_where_logits_are_small() -> None:
    model = random_model("gemma2", seed=0)
    with torch.no_grad():
        model.lm_head.weight.mul_(1e-3)
    split = scorable_model(loaded_model(model))
    assert isinstance(split, SplitModel)
    assert split.logit_map.kind == "softcap"


def test_a_head_that_reads_something_else_is_not_split(caplog: pytest.LogCaptureFixture) -> None:
    model = random_model("llama", seed=0)
    model.lm_head.register_forward_pre_hook(lambda _module, args: (args[0] * 2,))
    assert "does not read the output of its body" in whole(model, caplog)


def test_a_head_that_adds_to_its_own_matmul_is_not_split(caplog: pytest.LogCaptureFixture) -> None:
    model = random_model("llama", seed=0)
    model.lm_head.register_forward_hook(lambda _module, _args, output: output + torch.arange(300) / 100)
    assert "give other logits than the whole model" in whole(model, caplog)


def test_a_head_that_is_no_linear_layer_is_not_split(caplog: pytest.LogCaptureFixture) -> None:
    class Quantized(nn.Linear):
        pass

    model = random_model("llama", seed=0)
    weight = model.lm_head.weight
    model.lm_head = Quantized(32, 300, bias=False)
    model.lm_head.weight = weight
    assert "Quantized" in whole(model, caplog)


def test_bfloat16_logits_come_as_float32() -> None:
    model = random_model("gemma2", seed=0).to(torch.bfloat16)
    split = scorable_model(loaded_model(model))
    assert isinstance(split, SplitModel)
    ids_1L = torch.tensor([[5, 6, 7]])
    logits_TV: Tensor = torch.empty(3, 300)
    with torch.inference_mode():
        split.logits_into(logits_TV, split.states(ids_1L, torch.ones(1, 3, dtype=torch.bool)), 0)
        own = model(input_ids=ids_1L).logits[0]
    assert torch.allclose(logits_TV, own.float(), atol=0.05)


def test_where_bfloat16_is_emulated_the_head_multiplies_in_float32_and_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scoring.heads.native_dtype", lambda _devices: "float32")
    split = scorable_model(loaded_model(random_model("llama", seed=0).to(torch.bfloat16)))
    assert isinstance(split, SplitModel)
    assert split.matmul_dtype == torch.float32
    state_TX, logits_TV = torch.randn(5, 32, dtype=torch.bfloat16), torch.empty(5, 300)
    with torch.inference_mode():
        split.logits_into(logits_TV, state_TX, 0)
        exact_TV = state_TX.float() @ split.weight_VH.float().T
    assert torch.equal(logits_TV, exact_TV.to(torch.bfloat16).float())
