"""Models with a state outside their cache: strategies in which a row continues another row are refused."""

from typing import Any

import pytest
import torch
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    MambaConfig,
    MambaForCausalLM,
    RecurrentGemmaConfig,
    RecurrentGemmaForCausalLM,
    RwkvConfig,
    RwkvForCausalLM,
)

from actors.benchmarks.decoding import Strategy, decoding_of
from models.decoding import refuse_hidden_state
from models.errors import ModelUnsupported

SHAPE: dict[str, Any] = {"vocab_size": 64, "hidden_size": 32, "intermediate_size": 48}
HEADS: dict[str, Any] = {"num_attention_heads": 4, "num_key_value_heads": 1}
HIDDEN: dict[str, Any] = {
    "in its layers": lambda: RecurrentGemmaForCausalLM(
        RecurrentGemmaConfig(**SHAPE, **HEADS, num_hidden_layers=3, lru_width=32, attention_window_size=64)
    ),
    "in a list": lambda: RwkvForCausalLM(RwkvConfig(**SHAPE, num_hidden_layers=2, attention_hidden_size=32)),
}
CACHED: dict[str, Any] = {
    "a state in a cache": lambda: MambaForCausalLM(MambaConfig(**SHAPE, num_hidden_layers=1)),
    "no state": lambda: LlamaForCausalLM(LlamaConfig(**SHAPE, **HEADS, num_hidden_layers=1)),
}


@pytest.mark.parametrize("place", HIDDEN)
def test_strategies_that_choose_rows_are_refused(place: str) -> None:
    torch.manual_seed(0)
    model = HIDDEN[place]().eval()
    choosing: tuple[Strategy, ...] = ("beam_search", "beam_search_sampling", "diverse_beam_search", "contrastive")
    for strategy in choosing:
        with pytest.raises(ModelUnsupported, match=r"outside a cache whose rows.*take greedy or sampling"):
            decoding_of(model, strategy, 2)
    alone: tuple[Strategy, ...] = ("greedy", "sampling", "default")
    for strategy in alone:
        decoding_of(model, strategy, 2)
    model.generation_config.num_beams = 3
    with pytest.raises(ModelUnsupported):
        decoding_of(model, "default", 2)


@pytest.mark.parametrize("kind", CACHED)
def test_models_with_all_in_a_cache_may_be_searched(kind: str) -> None:
    refuse_hidden_state(CACHED[kind]().eval())
