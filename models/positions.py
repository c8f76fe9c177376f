"""Number of tokens that a model has positions for."""

import re
from typing import Any, Final

from torch import nn
from transformers import PreTrainedModel

from models.errors import ModelUnsupported

_BY_LENGTH: Final = re.compile(r"longrope$|su$|.*dynamic")
"""Rotary types whose frequencies depend on the longest text of a batch (`su` is the old name of longrope)."""


def position_limit(model: PreTrainedModel) -> int | None:
    """Return the most tokens that fit the model's tables of absolute positions; None for a model without a table.

    A table is an embedding, or a matrix among the buffers, with a name such as `wpe`, `embed_positions`,
    `position_embeddings` or `pos_encoding`. MPT makes a table in each pass, as long as its configuration says. Most
    rotary models have no table and take any length.
    """
    decoder = model.get_decoder()  # a vision tower beside the decoder has positions of image patches
    limits = _made_anew(model.config.get_text_config())
    for name, module in decoder.named_modules():
        if isinstance(module, nn.Embedding) and _is_of_positions(name):
            limits.append(module.num_embeddings - _first_position(module))
    for name, buffer in decoder.named_buffers():
        if buffer.ndim == 2 and buffer.is_floating_point() and _is_of_positions(name):
            limits.append(buffer.shape[0])
    return min(limits, default=None)


def readable_tokens(model: PreTrainedModel) -> int | None:
    """Return the most tokens that the model was made for, by its tables and its configuration; None if unlimited."""
    made_for = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    known = [limit for limit in (position_limit(model), made_for) if limit]
    return min(known, default=None)


def steady_tokens(model: PreTrainedModel) -> int | None:
    """Return the longest text of a batch, in tokens, up to which a text is scored as if it were alone; None for any.

    With a longer text in the batch, longrope uses other frequencies for every token of every text.
    """
    config = model.config.get_text_config()
    limits = [
        rope.get("original_max_position_embeddings") or getattr(config, "original_max_position_embeddings", None)
        for rope in _ropes(getattr(config, "rope_parameters", None))
        if _BY_LENGTH.match(str(rope.get("rope_type") or rope.get("type") or ""))
    ]
    return min((int(limit) for limit in limits if limit), default=None)


def refuse_too_long(name: str, model: PreTrainedModel, tokens: int, what: str, remedy: str) -> None:
    """Refuse a text that is too long for a table of positions.

    Called before the forward pass: an index beyond the table breaks the CUDA context, and the worker with it.

    Args:
        name: of the model.
        model: in memory.
        tokens: number of tokens of the text.
        what: begins the message: the text, with a verb ("prompt and new tokens are").
        remedy: ends the message: what the user can do.

    Raises:
        ModelUnsupported: the model has a table of fewer positions.
    """
    limit = position_limit(model)
    if limit is not None and tokens > limit:
        raise ModelUnsupported(f"{what} {tokens} tokens and model {name!r} has positions for {limit}; {remedy}")


def _ropes(said: Any) -> list[dict[str, Any]]:
    """Return the rotary parameters of a configuration, which has them once or per kind of layer."""
    if not isinstance(said, dict):
        return []
    return [said, *(part for part in said.values() if isinstance(part, dict))]


def _made_anew(config: Any) -> list[int]:
    """Return the length of a table that is made in each pass; nothing for a model without such a table.

    Such models say `max_seq_len`. A model with `max_position_embeddings` keeps its table, if any, among its weights.
    """
    length = getattr(config, "max_seq_len", None)
    return [length] if length and not hasattr(config, "max_position_embeddings") else []


def _is_of_positions(name: str) -> bool:
    """Tell whether a module or buffer of this name holds positions."""
    return re.search(r"wpe|pos(?!t)", name.rpartition(".")[2]) is not None


def _first_position(table: nn.Embedding) -> int:
    """Return the number of rows before the first token's: OPT and BART begin at `offset`, RoBERTa after its padding."""
    offset = getattr(table, "offset", 0)
    return int(offset) if table.padding_idx is None else table.padding_idx + 1
