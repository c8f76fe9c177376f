"""What generate() is asked for by each decoding strategy, and nothing else: no strategy sees another's settings.

transformers fills what a generation config leaves open from the model's own, and what is off when it is None
(`min_p`, `suppress_tokens`, …) is always open. So the model's own config is set aside while generate() runs, and the
strategy 'default' is a copy of it.
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
"""By strategy: fields of GenerationConfig. Sampling draws from the whole distribution, as the model gives it."""

CHOOSES_ROWS: Final = ("beam_search", "beam_sample", "group_beam_search", "contrastive_search")
"""Modes in which a row of the batch goes on from another one."""
TOKENS: Final = ("bos_token_id", "eos_token_id", "pad_token_id")
"""Fields of a model's own config that say what its tokens are, not how to choose among them."""
ONE_SEQUENCE: Final[Mapping[str, Any]] = {
    "max_length": None,
    "min_length": None,
    "max_time": None,
    "stop_strings": None,
    "num_return_sequences": 1,
    "return_dict_in_generate": False,
}
"""What of a model's own config would end generation elsewhere, or give more than one sequence of ids."""


@dataclass(frozen=True)
class Decoding:
    """What generate() is asked for in one run."""

    mode: str
    """What it will do, in transformers' words: `greedy_search`, `sample`, `beam_search`, `beam_sample`,
    `group_beam_search` or `contrastive_search`."""
    settings: "GenerationConfig"
    custom: Mapping[str, Any] = field(default_factory=dict)
    """A strategy of models/decoding.py with its parameters, as arguments of generate()."""


def decoding_of(model: "PreTrainedModel", strategy: Strategy, new_tokens: int) -> Decoding:
    """Settings of its own for one run, from which exactly `new_tokens` come.

    The fewest are also the most, which suppresses every end token that the model knows.

    Raises:
        Unsupported: the model's own config, as 'default' takes it, asks for more than choosing a token a step.
        ModelUnsupported: several rows go on from each other's, and the model's memory does not let them.
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
            settings.top_k = None  # or transformers warns that top_k is for sampling only
            return Decoding(mode, settings, {"custom_generate": contrastive_search, **choice})
    raise Unsupported(
        f"decoding_strategy 'default': the generation config of {model.name_or_path} asks for {mode}, which does not "
        "take one step a token; name another strategy"
    )


def generate(
    model: "PreTrainedModel", prompt_1L: "torch.Tensor", decoding: Decoding, processor: "LogitsProcessor"
) -> "torch.Tensor":
    """Prompt and new tokens, shape (1, T); `processor` is called once a step."""
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
    """While this is open, the model has no generation config of its own to fill gaps from."""
    from transformers import GenerationConfig

    own = model.generation_config
    model.generation_config = GenerationConfig()
    try:
        yield
    finally:
        model.generation_config = own
