"""Models that see later tokens, padding or other texts are refused; those that predict are not, whatever their kind."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    BertConfig,
    BertLMHeadModel,
    BloomConfig,
    DeepseekV3Config,
    FalconMambaConfig,
    Gemma3TextConfig,
    LlamaConfig,
    Mamba2Config,
    MambaConfig,
    MixtralConfig,
    MptConfig,
    OPTConfig,
    RecurrentGemmaConfig,
    RobertaConfig,
    RwkvConfig,
    XLNetConfig,
)

from actors.failures import classify
from models.builtin.cache import model_directory
from models.errors import ModelUnsupported
from models.load import load_model
from scoring.binoculars import Binoculars
from scoring.heads import WholeModel, scorable_model
from tests.scoring.families import CONFIGS, loaded_model, random_model

SMALL = {"vocab_size": 300, "hidden_size": 32, "num_hidden_layers": 2}
ATTENTION = {**SMALL, "intermediate_size": 48, "num_attention_heads": 4}

ENCODERS: dict[str, Callable[[], Any]] = {
    "bert": lambda: BertConfig(**ATTENTION),
    "roberta": lambda: RobertaConfig(**ATTENTION),
    "xlnet": lambda: XLNetConfig(vocab_size=300, d_model=32, n_layer=2, n_head=4, d_inner=48),
    "llama, not causal": lambda: LlamaConfig(**ATTENTION, is_causal=False),
    "gemma3, both directions": lambda: Gemma3TextConfig(
        **ATTENTION, head_dim=8, num_key_value_heads=2, use_bidirectional_attention=True
    ),
}
DECODERS: dict[str, Callable[[], Any]] = {
    "bert": lambda: BertConfig(**ATTENTION, is_decoder=True),
    "opt": lambda: OPTConfig(**SMALL, num_attention_heads=4, ffn_dim=48, word_embed_proj_dim=32),
    "bloom": lambda: BloomConfig(vocab_size=300, hidden_size=32, n_layer=2, n_head=4),
    "mpt": lambda: MptConfig(vocab_size=300, d_model=32, n_layers=2, n_heads=4),
    "mixtral": lambda: MixtralConfig(**ATTENTION, num_key_value_heads=2, num_local_experts=4),
    "deepseek": lambda: DeepseekV3Config(
        **ATTENTION,
        moe_intermediate_size=16,
        n_routed_experts=4,
        n_group=1,
        topk_group=1,
        num_experts_per_tok=2,
        kv_lora_rank=8,
        q_lora_rank=8,
        qk_rope_head_dim=8,
        qk_nope_head_dim=8,
        v_head_dim=8,
        first_k_dense_replace=1,
    ),
    "mamba": lambda: MambaConfig(**SMALL, state_size=8),
    "mamba2": lambda: Mamba2Config(**SMALL, state_size=8, num_heads=8, head_dim=8, n_groups=1),
    "falcon mamba": lambda: FalconMambaConfig(**SMALL, state_size=8),
    "rwkv": lambda: RwkvConfig(**SMALL, context_length=128),
    "recurrent gemma": lambda: RecurrentGemmaConfig(**ATTENTION | {"num_hidden_layers": 3}, lru_width=32),
}
DTYPES = [torch.float32, torch.bfloat16]


def random_of(config: Any, dtype: torch.dtype) -> Any:
    torch.manual_seed(0)
    return AutoModelForCausalLM.from_config(config).to(dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", ENCODERS)
def test_what_sees_later_tokens_is_refused(kind: str, dtype: torch.dtype) -> None:
    with pytest.raises(
        ModelUnsupported, match=r"'random' sees later tokens: .* take a causal language model"
    ) as caught:
        scorable_model(loaded_model(random_of(ENCODERS[kind](), dtype)))
    assert classify(caught.value).status == "unsupported"


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", DECODERS)
def test_what_predicts_is_taken(kind: str, dtype: torch.dtype) -> None:
    scorable_model(loaded_model(random_of(DECODERS[kind](), dtype)))


@pytest.mark.parametrize("family", CONFIGS)
def test_every_family_is_taken_in_half_precision(family: str) -> None:
    scorable_model(loaded_model(random_model(family, seed=0).to(torch.bfloat16)))


@pytest.mark.parametrize("quantization", ["none", "4-bit", "8-bit"])
def test_an_encoder_on_the_disk_is_refused_as_either_of_the_pair(tmp_path: Path, quantization: Any) -> None:
    config = BertConfig(**{**ATTENTION, "hidden_size": 64, "intermediate_size": 128, "vocab_size": 2048})
    torch.manual_seed(0)
    BertLMHeadModel(config).save_pretrained(tmp_path)
    AutoTokenizer.from_pretrained(model_directory("tiny-base")).save_pretrained(tmp_path)
    encoder = load_model(str(tmp_path), quantization=quantization)
    causal = load_model("builtin://tiny-base")
    for pair in ((encoder, causal), (causal, encoder)):
        with pytest.raises(ModelUnsupported, match=f"{str(tmp_path)!r} sees later tokens"):
            Binoculars(*pair)


@pytest.mark.parametrize("quantization", ["4-bit", "8-bit"])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_a_quantized_model_that_predicts_is_taken(quantization: Any, dtype: Any) -> None:
    loaded = load_model("builtin://tiny-base", quantization=quantization, dtype=dtype)
    thresholds = [module.state.threshold for module in loaded.model.modules() if hasattr(module, "state")]
    scorable_model(loaded)
    assert [module.state.threshold for module in loaded.model.modules() if hasattr(module, "state")] == thresholds


class Plain(nn.Linear):
    """A head that is not split off."""


def with_plain_head(model: Any) -> Any:
    head = Plain(32, 300, bias=False)
    head.weight = model.lm_head.weight
    model.lm_head = head
    return model


def test_a_model_that_is_not_split_is_probed_too() -> None:
    assert isinstance(scorable_model(loaded_model(with_plain_head(random_model("llama", seed=0)))), WholeModel)
    peeking = with_plain_head(random_of(ENCODERS["llama, not causal"](), torch.float32))
    with pytest.raises(ModelUnsupported, match="sees later tokens"):
        scorable_model(loaded_model(peeking))


def test_experts_may_round_otherwise_in_other_company(monkeypatch: pytest.MonkeyPatch) -> None:
    model = random_of(DECODERS["mixtral"](), torch.bfloat16)

    def rounded(_module: nn.Module, _args: Any, output: Any) -> Any:
        output.last_hidden_state = output.last_hidden_state * (1 + 5e-2 * output.last_hidden_state.sum().sin())
        return output

    model.model.register_forward_hook(rounded)
    scorable_model(loaded_model(model))
    monkeypatch.setattr("scoring.causality._has_experts", lambda _model: False)
    with pytest.raises(ModelUnsupported, match="sees later tokens"):
        scorable_model(loaded_model(model))


def test_noise_of_equal_passes_is_no_influence() -> None:
    model = random_model("llama", seed=0)

    def noisy(_module: nn.Module, _args: Any, output: Any) -> Any:
        output.last_hidden_state = output.last_hidden_state + 1e-5 * torch.randn_like(output.last_hidden_state)
        return output

    model.model.register_forward_hook(noisy)
    scorable_model(loaded_model(model))


def test_a_text_that_counts_for_its_neighbours_is_seen() -> None:
    model = random_model("llama", seed=0)

    def by_batch(_module: nn.Module, _args: Any, output: Any) -> Any:
        state_BLH: Tensor = output.last_hidden_state
        output.last_hidden_state = state_BLH - state_BLH[:, 1:2].mean(0, keepdim=True)
        return output

    model.model.register_forward_hook(by_batch)
    with pytest.raises(ModelUnsupported, match="alone than in a batch with a longer text"):
        scorable_model(loaded_model(model))


def test_padding_that_counts_is_seen() -> None:
    model = random_model("llama", seed=0)

    def by_length(_module: nn.Module, _args: Any, output: Any) -> Any:
        output.last_hidden_state = output.last_hidden_state * (1 + output.last_hidden_state.shape[1] / 10)
        return output

    model.model.register_forward_hook(by_length)
    with pytest.raises(ModelUnsupported, match="alone than in a batch with a longer text"):
        scorable_model(loaded_model(model))


def test_the_probe_keeps_to_a_short_table_of_positions() -> None:
    short = OPTConfig(**SMALL, num_attention_heads=4, ffn_dim=48, word_embed_proj_dim=32, max_position_embeddings=20)
    scorable_model(loaded_model(random_of(short, torch.float32)))
