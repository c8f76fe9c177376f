"""Steps that the decoding strategies of this package share: forward passes, rows of the cache, and refusals.

Shapes: B rows of a batch (beams or candidates), V vocabulary, T tokens so far, L tokens of the prompt.
"""

from typing import Any, Final

import torch
from torch import Tensor
from transformers import PreTrainedModel

from models.errors import ModelUnsupported

_CACHES: Final = ("past_key_values", "cache_params")
"""Fields in which a forward pass returns its cache."""


def forward(
    model: PreTrainedModel, ids_BT: Tensor, inputs: dict[str, Any], *, first: bool = False
) -> tuple[Tensor, dict[str, Any]]:
    """Run the tokens that the cache lacks: all of the ids in the first call, later their last column.

    Args:
        model: a causal language model.
        ids_BT: of the text so far.
        inputs: further inputs of the model, the cache among them.
        first: the cache is empty.

    Returns:
        The next token's logits, float32, shape (B, V), and the inputs for the next call.
    """
    prepared = model.prepare_inputs_for_generation(
        ids_BT, next_sequence_length=None if first else 1, is_first_iteration=first, **inputs
    )
    outputs = model(**prepared, return_dict=True)
    # A copy: a view of the last position would keep the logits of the whole prompt in memory.
    logits_BV = outputs.logits[:, -1].to(copy=True, dtype=torch.float32, device=ids_BT.device)
    return logits_BV, model._update_model_kwargs_for_generation(outputs, inputs)


def choose_rows(model: PreTrainedModel, inputs: dict[str, Any], rows: Tensor) -> None:
    """Replace the rows of the cache by the rows with these numbers; a number may occur several times.

    Raises:
        ModelUnsupported: the model has no cache whose rows can be chosen.
    """
    cache = inputs.get("past_key_values")
    if cache is None or not hasattr(cache, "reorder_cache"):
        raise ModelUnsupported(
            f"{type(model).__name__} generates without a cache whose rows can be chosen (its cache: "
            f"{type(cache).__name__}), which contrastive and diverse beam search need; take another strategy"
        )
    cache.reorder_cache(rows)


def refuse_hidden_state(model: PreTrainedModel) -> None:
    """Refuse a model with a recurrent state that is not in a cache whose rows can be chosen.

    RecurrentGemma keeps this state in its layers, RWKV in a list. A beam would go on with the state of another beam.

    Raises:
        ModelUnsupported: the model has such a state outside of its cache.
    """
    if not getattr(model, "_is_stateful", False):
        return
    device = model.get_input_embeddings().weight.device
    ids_1L = torch.zeros((1, 2), dtype=torch.long, device="cpu" if device.type == "meta" else device)
    with torch.inference_mode():
        outputs = model(ids_1L, use_cache=True, return_dict=True)
    if not any(hasattr(outputs.get(name), "reorder_cache") for name in _CACHES):
        raise ModelUnsupported(
            f"{type(model).__name__} keeps its state of the text outside a cache whose rows can be chosen, which beam "
            "search, diverse beam search and contrastive search need; take greedy or sampling"
        )


def refuse_all_but_one_prompt(name: str, input_ids: Tensor, rows: int, inputs: dict[str, Any]) -> None:
    """Refuse several prompts and padding: `rows` rows of ids are one prompt.

    Raises:
        ValueError: there are other rows, or a mask that hides tokens.
    """
    mask = inputs.get("attention_mask")
    if input_ids.shape[0] != rows or (mask is not None and not mask.all()):
        raise ValueError(
            f"{name} takes one prompt without padding, {rows} row(s) of ids; seen {input_ids.shape[0]} row(s)"
            f"{'' if mask is None else ' and a mask'}; generate for one prompt at a time"
        )
