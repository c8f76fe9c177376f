"""Number of tokens that a model has positions for, where it looks them up in a table."""

import re
from typing import Any, Final

from torch import nn
from transformers import PreTrainedModel

from models.errors import ModelUnsupported

_BY_LENGTH: Final = re.compile(r"longrope$|su$|.*dynamic")
"""Kinds of rotary positions whose frequencies are chosen by the longest text of a batch (`su`: longrope's old name)."""


def position_limit(model: PreTrainedModel) -> int | None:
    """Most tokens that fit the model's tables of absolute positions, learned or computed once; None: it has none.

    A table is an embedding, or a matrix among the buffers, that is called after positions: `wpe`, `embed_positions`,
    `position_embeddings`, `pos_encoding`. MPT makes its table anew in each pass, as long as its configuration says.
    Most rotary models have no table and take any length.
    """
    decoder = model.get_decoder()  # a vision tower beside it has positions too, of patches
    limits = _made_anew(model.config.get_text_config())
    for name, module in decoder.named_modules():
        if isinstance(module, nn.Embedding) and _is_of_positions(name):
            limits.append(module.num_embeddings - _first_position(module))
    for name, buffer in decoder.named_buffers():
        if buffer.ndim == 2 and buffer.is_floating_point() and _is_of_positions(name):
            limits.append(buffer.shape[0])
    return min(limits, default=None)


def readable_tokens(model: PreTrainedModel) -> int | None:
    """Most tokens of which the model makes sense: its table, and what its configuration says that it was made for."""
    made_for = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    known = [limit for limit in (position_limit(model), made_for) if limit]
    return min(known, default=None)


def steady_tokens(model: PreTrainedModel) -> int | None:
    """Most tokens in a batch's longest text for which each text's positions are those that it has alone; None: any.

    Beyond it, longrope turns the tokens of every text of the batch by other frequencies, the first ones too.
    """
    config = model.config.get_text_config()
    limits = [
        rope.get("original_max_position_embeddings") or getattr(config, "original_max_position_embeddings", None)
        for rope in _ropes(getattr(config, "rope_parameters", None))
        if _BY_LENGTH.match(str(rope.get("rope_type") or rope.get("type") or ""))
    ]
    return min((int(limit) for limit in limits if limit), default=None)


def refuse_too_long(name: str, model: PreTrainedModel, tokens: int, what: str, remedy: str) -> None:
    """Before the pass: an index beyond a table of positions breaks the CUDA context, and with it the worker.

    Args:
        name: of the model.
        model: in memory.
        tokens: that it is to have positions for.
        what: has so many tokens.
        remedy: what to do.

    Raises:
        ModelUnsupported: the model looks positions up in a table, and it is too short.
    """
    limit = position_limit(model)
    if limit is not None and tokens > limit:
        raise ModelUnsupported(f"{what} {tokens} tokens and model {name!r} has positions for {limit}; {remedy}")


def _ropes(said: Any) -> list[dict[str, Any]]:
    """What a config says of rotary positions: once, or for each kind of layer."""
    if not isinstance(said, dict):
        return []
    return [said, *(part for part in said.values() if isinstance(part, dict))]


def _made_anew(config: Any) -> list[int]:
    """The length of a table that is no part of the model; where it is one, `max_seq_len` has the usual name, too."""
    length = getattr(config, "max_seq_len", None)
    return [length] if length and not hasattr(config, "max_position_embeddings") else []


def _is_of_positions(name: str) -> bool:
    return re.search(r"wpe|pos(?!t)", name.rpartition(".")[2]) is not None


def _first_position(table: nn.Embedding) -> int:
    """Rows that no token uses: OPT and BART begin at `offset`, RoBERTa behind its padding."""
    offset = getattr(table, "offset", 0)
    return int(offset) if table.padding_idx is None else table.padding_idx + 1
