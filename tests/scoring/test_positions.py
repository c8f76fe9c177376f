"""Limits of a text's length, by the positions of the models."""

from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, LlamaConfig, MptConfig, Phi3Config

from models.errors import ModelUnsupported
from models.load import LoadedModel
from models.positions import position_limit, readable_tokens
from scoring.binoculars import Binoculars
from tests.scoring.families import _GROUPED, loaded_model

LONGROPE = {"rope_type": "longrope", "rope_theta": 1e4, "short_factor": [1.0] * 4, "long_factor": [9.0] * 4}
CHANGING: dict[str, Any] = {
    "longrope": lambda: Phi3Config(
        **_GROUPED, original_max_position_embeddings=40, rope_parameters=LONGROPE | {"factor": 15.0}
    ),
    "dynamic": lambda: LlamaConfig(
        **_GROUPED,
        rope_parameters={
            "rope_type": "dynamic",
            "rope_theta": 1e4,
            "factor": 2.0,
            "original_max_position_embeddings": 40,
        },
    ),
}


def of(config: Any, name: str = "random") -> LoadedModel:
    torch.manual_seed(0)
    return loaded_model(AutoModelForCausalLM.from_config(config), name)


@pytest.mark.parametrize("kind", CHANGING)
def test_positions_that_change_with_the_batch_are_refused_beyond_their_first_length(kind: str) -> None:
    changing, steady = of(CHANGING[kind](), "changing"), of(LlamaConfig(**_GROUPED), "steady")
    for pair in ((changing, steady), (steady, changing), (changing, changing)):
        with pytest.raises(ModelUnsupported, match=r"'changing' .* more than 40 tokens.*set max_tokens to 40 or less"):
            Binoculars(*pair, max_tokens=41)
        Binoculars(*pair, max_tokens=40)


def test_up_to_that_length_a_text_scores_as_alone() -> None:
    model = of(CHANGING["longrope"]())
    binoculars = Binoculars(model, model, max_tokens=40)
    short, _long = binoculars.score(["a short text", "x" * 100])
    assert short.score == pytest.approx(binoculars.score(["a short text"])[0].score, abs=1e-5)


@pytest.mark.parametrize("name", ["su", "longrope"])
def test_what_models_with_code_of_their_own_say_in_old_words_is_read(name: str) -> None:
    model = of(LlamaConfig(**_GROUPED))
    model.model.config.rope_parameters = {"type": name}  # where transformers keeps their rope_scaling
    model.model.config.original_max_position_embeddings = 50
    with pytest.raises(ModelUnsupported, match="set max_tokens to 50 or less"):
        Binoculars(model, model)


def test_positions_of_kinds_of_layers_are_read() -> None:
    model = of(LlamaConfig(**_GROUPED))
    layers = {"full": LONGROPE | {"original_max_position_embeddings": 60}, "sliding": {"rope_type": "default"}}
    probed = Binoculars(model, model)
    model.model.config.rope_parameters = layers
    with pytest.raises(ModelUnsupported, match="more than 60 tokens"):
        probed.pair.refuse_unsteady_positions(512)


def test_texts_that_the_model_cannot_read_anyway_refuse_nothing() -> None:
    config = CHANGING["dynamic"]()
    config.max_position_embeddings = 40
    model = of(config)
    Binoculars(model, model, max_tokens=512)


def test_the_table_that_mpt_makes_in_each_pass_is_a_limit() -> None:
    model = of(MptConfig(d_model=32, n_heads=2, n_layers=1, expansion_ratio=1, max_seq_len=40, vocab_size=300))
    assert (position_limit(model.model), readable_tokens(model.model)) == (40, 40)
    cut, fitting = Binoculars(model, model).score(["x" * 100, "x" * 39])
    assert (cut.length_tokens, cut.truncated, fitting.truncated) == (40, True, False)
    assert cut.score == pytest.approx(fitting.score)


def test_what_a_rotary_model_calls_max_seq_len_is_no_table() -> None:
    model = of(LlamaConfig(**_GROUPED, max_seq_len=40)).model
    assert (position_limit(model), readable_tokens(model)) == (None, 600)
