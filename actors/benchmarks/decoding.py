"""Settings of generate() for each decoding strategy; no strategy sees another's settings, nor the model's own.

transformers takes settings that a generation config leaves open from the model's own config. A setting that is switched
off by None (`min_p`, `suppress_tokens`, …) counts as open. So the model's own config is replaced by an empty one while
generate() runs. The strategy 'default' is a copy of the model's own config.
"""

import copy
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal

from sweeps.errors import Unsupported

if TYPE_CHECKING:
    import torch
    from transformers import GenerationConfig, LogitsProcessor, PreTrainedModel

Strategy = Literal[
    "default",
    "greedy",
    "sampling",
    "beam_search",
    "beam_search_sampling",
    "diverse_beam_search",
    "contrastive",
]

GREEDY: Final[Mapping[str, Any]] = {
    "do_sample": False,
    "num_beams": 1,
    "num_return_sequences": 1,
    "repetition_penalty": 1.0,
    "no_repeat_ngram_size": 0,
    "use_cache": True,
}
SAMPLING: Final[Mapping[str, Any]] = {"do_sample": True, "temperature": 1.0, "top_k": 0, "top_p": 1.0}
BEAMS: Final[Mapping[str, Any]] = {"num_beams": 5, "length_penalty": 1.0, "early_stopping": False}
SETTINGS: Final[Mapping[str, Mapping[str, Any]]] = {
    "greedy": GREEDY,
    "sampling": {**GREEDY, **SAMPLING},
    "beam_search": {**GREEDY, **BEAMS},
    "beam_search_sampling": {**GREEDY, **BEAMS, **SAMPLING},
    "diverse_beam_search": {**GREEDY, **BEAMS, "num_beam_groups": 5, "diversity_penalty": 1.0},
    "contrastive": {**GREEDY, "penalty_alpha": 0.6, "top_k": 4},
}
"""Fields of GenerationConfig by strategy. Sampling draws from the whole distribution that the model returns."""

CHOOSES_ROWS: Final = ("beam_search", "beam_sample", "group_beam_search", "contrastive_search")
"""Modes in which a row of the batch may continue another row."""
TOKENS: Final = ("bos_token_id", "eos_token_id", "pad_token_id")
"""Fields of a model's own config that name its special tokens; every strategy keeps them."""
ONE_SEQUENCE: Final[Mapping[str, Any]] = {
    "max_length": None,
    "min_length": None,
    "max_time": None,
    "stop_strings": None,
    "num_return_sequences": 1,
    "return_dict_in_generate": False,
}
"""Fields of a model's own config that would end generation elsewhere, or return more than one sequence of ids."""


@dataclass(frozen=True)
class Decoding:
    """Settings of generate() for one run."""

    mode: str
    """Name of the mode in transformers: `greedy_search`, `sample`, `beam_search`, `beam_sample`,
    `group_beam_search` or `contrastive_search`."""
    settings: "GenerationConfig"
    custom: Mapping[str, Any] = field(default_factory=dict)
    """Arguments of generate() for a strategy of models/decoding.py: the function and its parameters."""


def decoding_of(model: "PreTrainedModel", strategy: Strategy, new_tokens: int) -> Decoding:
    """Return settings for one run that generates exactly `new_tokens` tokens.

    Minimum and maximum are equal, which suppresses every end token of the model.

    Raises:
        Unsupported: the strategy is 'default', and the model's own config does not choose one token a step.
        ModelUnsupported: rows of the batch continue each other, which the model's state does not allow.
    """
    from models.decoding import contrastive_search, diverse_beam_search, refuse_hidden_state

    settings = _settings(model, strategy, new_tokens)
    mode = str(settings.get_generation_mode().value)
    if mode in CHOOSES_ROWS:
        refuse_hidden_state(model)
    match mode:
        case "greedy_search" | "sample" | "beam_search" | "beam_sample":
            return Decoding(mode, settings)
        case "group_beam_search":
            groups = {"groups": settings.num_beam_groups, "penalty": settings.diversity_penalty}
            return Decoding(mode, settings, {"custom_generate": diverse_beam_search, **groups})
        case "contrastive_search":
            choice = {"alpha": settings.penalty_alpha, "k": settings.top_k}
            settings.top_k = None  # otherwise transformers warns that top_k is for sampling only
            return Decoding(mode, settings, {"custom_generate": contrastive_search, **choice})
    raise Unsupported(
        f"decoding_strategy 'default': the generation config of {model.name_or_path} asks for {mode}, which does not "
        "take one step a token; name another strategy"
    )


def generate(
    model: "PreTrainedModel", prompt_1L: "torch.Tensor", decoding: Decoding, processor: "LogitsProcessor"
) -> "torch.Tensor":
    """Generate, and return prompt and new tokens, shape (1, T); `processor` is called once a step."""
    import torch

    with _without_own_config(model):
        return model.generate(  # type: ignore[no-any-return]
            prompt_1L,
            attention_mask=torch.ones_like(prompt_1L),
            generation_config=decoding.settings,
            logits_processor=[processor],
            **decoding.custom,
        )


def _settings(model: "PreTrainedModel", strategy: Strategy, new_tokens: int) -> "GenerationConfig":
    from transformers import GenerationConfig

    own, length = model.generation_config, {"max_new_tokens": new_tokens, "min_new_tokens": new_tokens}
    if strategy == "default":
        settings, fields = copy.deepcopy(own), ONE_SEQUENCE
    else:
        settings = GenerationConfig(**{name: getattr(own, name) for name in TOKENS})
        fields = SETTINGS[strategy]
    for name, value in {**fields, **length}.items():
        setattr(settings, name, value)
    return settings


@contextmanager
def _without_own_config(model: "PreTrainedModel") -> Iterator[None]:
    """Replace the model's own generation config by an empty one inside the context."""
    from transformers import GenerationConfig

    own = model.generation_config
    model.generation_config = GenerationConfig()
    try:
        yield
    finally:
        model.generation_config = own
