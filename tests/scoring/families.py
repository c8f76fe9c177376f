"""Small models of every family that the scorer must handle, and a tokenizer that needs no training."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, pre_tokenizers
from tokenizers import models as tokenizer_models
from tokenizers.processors import TemplateProcessing
from transformers import (
    AutoModelForCausalLM,
    CohereConfig,
    FalconConfig,
    Gemma2Config,
    Gemma3TextConfig,
    GPT2Config,
    GPTNeoXConfig,
    GraniteConfig,
    LlamaConfig,
    MistralConfig,
    PhiConfig,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen3Config,
)

from models.load import LoadedModel
from models.resolve import ModelFiles

VOCABULARY = 300
"""Wider than the tokenizer's 259 ids, as padded embeddings are."""
_SMALL = {
    "vocab_size": VOCABULARY,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "initializer_range": 0.25,
    "pad_token_id": 2,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
_GROUPED = _SMALL | {"num_key_value_heads": 2, "max_position_embeddings": 600}
_WINDOWED = _GROUPED | {"head_dim": 8, "sliding_window": 16}

CONFIGS: dict[str, Callable[[], Any]] = {
    "llama": lambda: LlamaConfig(**_GROUPED),
    "gemma2": lambda: Gemma2Config(**_WINDOWED, final_logit_softcapping=4.0),
    "gemma3": lambda: Gemma3TextConfig(**_WINDOWED),
    "falcon": lambda: FalconConfig(**_SMALL),
    "mistral": lambda: MistralConfig(**_WINDOWED),
    "qwen2": lambda: Qwen2Config(**_GROUPED),
    "qwen3": lambda: Qwen3Config(**_GROUPED, head_dim=8),
    "gpt2": lambda: GPT2Config(
        **{k: _SMALL[k] for k in ("vocab_size", "initializer_range", "bos_token_id", "eos_token_id")},
        n_embd=32,
        n_layer=2,
        n_head=4,
        n_positions=600,
    ),
    "gpt_neox": lambda: GPTNeoXConfig(**_SMALL),
    "cohere": lambda: CohereConfig(**_GROUPED, logit_scale=0.3),
    "granite": lambda: GraniteConfig(**_GROUPED, logits_scaling=5.0),
    "phi": lambda: PhiConfig(**_GROUPED),
}


def byte_tokenizer(bos: bool = True, padding_side: str = "left") -> PreTrainedTokenizerFast:
    """A token a byte; pads left with eos by default, which is the worst that a scorer can meet."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {"<unk>": 0, "<s>": 1, "</s>": 2} | {byte: 3 + i for i, byte in enumerate(alphabet)}
    tokenizer = Tokenizer(tokenizer_models.BPE(vocab=vocabulary, merges=[], unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    if bos:
        tokenizer.post_processor = TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        unk_token="<unk>",
        bos_token="<s>",
        eos_token="</s>",
        pad_token="</s>",
        padding_side=padding_side,
    )


def loaded_model(model: Any, name: str = "random", tokenizer: Any = None) -> LoadedModel:
    """Wrap a model as the loader would."""
    files = ModelFiles(name, Path("/nowhere"), None, None)
    return LoadedModel(model.eval(), tokenizer or byte_tokenizer(), files, "none", model.dtype)


def random_model(family: str, seed: int) -> Any:
    """A freshly initialized model, biases included, so that none of them is zero."""
    torch.manual_seed(seed)
    model = AutoModelForCausalLM.from_config(CONFIGS[family]())
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith("bias"):
                parameter.normal_(std=0.3)
    return model


def random_pair(family: str) -> tuple[LoadedModel, LoadedModel]:
    """Observer and performer: the second is a perturbed copy of the first."""
    observer = random_model(family, seed=0)
    performer = copy.deepcopy(observer)
    torch.manual_seed(1)
    with torch.no_grad():
        for parameter in performer.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.3 * parameter.std())
    return loaded_model(observer, f"{family}-base"), loaded_model(performer, f"{family}-instruct")
