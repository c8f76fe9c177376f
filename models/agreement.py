"""Compare a loaded model with its files: transformers invents weights that are missing, and drops weights left over.

The checks read the report of the load, and shapes. A model that passes them has taken every weight of its files that
takes part in predicting tokens. For a GGUF file, transformers reports only missing weights, so the layers of the file
are counted.
"""

import re
from typing import Any, Final

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from models.errors import ModelDamaged, ModelUnsupported
from models.resolve import ModelFiles

MAX_SHOWN: Final = 3
_BESIDE: Final = re.compile(
    r"rotary_emb\.inv_freq$"  # computed at load
    r"|(^|\.)position_ids$"
    r"|(^|\.)(attn|attention|self_attention)\.(masked_)?bias$"  # causal masks in old checkpoints
    r"|(^|\.)pooler\."  # reads a whole text at once
    r"|(^|\.)seq_relationship\."
)
"""Weights that no next token depends on, and that the model's class does not always list as such."""
_BLOCK: Final = re.compile(r"blk\.([0-9]+)\.")
_TOWER: Final = re.compile(
    r"(^|\.)(embed_)?(vision|visual|vit|image|img|audio|speech|multi_modal|multimodal|mm)[a-z_0-9]*\."
)
"""Weights of images and sound in a checkpoint, beside those of its language model."""


def refuse_mismatch(files: ModelFiles, info: dict[str, Any], config: Any) -> None:
    """Refuse a model that is not made of exactly the weights in its files.

    Weights that the model's class leaves out itself (layers that predict several tokens at once) are not in `info`.

    Args:
        files: of the model.
        info: `missing_keys`, `mismatched_keys` and `unexpected_keys`, as `from_pretrained` returns them.
        config: of the files. A checkpoint of text and images may be loaded for its text alone.

    Raises:
        ModelDamaged: weights are missing, have another shape or are left over. The message counts them and names the
            first ones.
    """
    missing = sorted(info["missing_keys"])
    misshapen = sorted(key for key, *_ in info["mismatched_keys"])
    left = sorted(key for key in info["unexpected_keys"] if not _is_beside(key, config))
    if missing or misshapen or left:
        raise ModelDamaged(
            f"model {files.name!r}: the weights in {files.directory} do not match its config.json: "
            f"{len(missing)} missing{_first(missing)}, {len(misshapen)} of another shape{_first(misshapen)}, "
            f"{len(left)} that the model has no place for{_first(left)}; put the config.json of these weights there"
        )


def refuse_half(files: ModelFiles, config: Any) -> None:
    """Refuse an encoder-decoder: loaded as a causal language model, its decoder would run without its encoder.

    Raises:
        ModelUnsupported: the model is an encoder-decoder.
    """
    if getattr(config, "is_encoder_decoder", False):
        raise ModelUnsupported(
            f"model {files.name!r}: {config.model_type} is an encoder-decoder; only causal language models, which are "
            "decoders alone, are run here"
        )


def refuse_more_layers(files: ModelFiles, config: Any) -> None:
    """Refuse a GGUF file that holds more layers than its header says: only the first ones would be loaded.

    Raises:
        ModelDamaged: the file holds more layers. The message tells both numbers.
    """
    if files.gguf_file is None:
        return
    from gguf import GGUFReader

    (path,) = files.weights
    blocks = {match[1] for tensor in GGUFReader(path).tensors if (match := _BLOCK.match(tensor.name))}
    layers = getattr(config.get_text_config(), "num_hidden_layers", None)
    if layers is not None and len(blocks) > layers:
        raise ModelDamaged(
            f"model {files.name!r}: the header of {path} says {layers} layers, but the file holds {len(blocks)}"
        )


def refuse_other_head(files: ModelFiles, model: PreTrainedModel) -> None:
    """Refuse a model whose config.json says that embedding and head are one matrix, but whose files hold two.

    transformers keeps both matrices, other software ties them: the same files would be two models.

    Raises:
        ModelDamaged: embedding and head differ. The message names the key to set.
    """
    embedding, head = model.get_input_embeddings(), model.get_output_embeddings()
    tied = getattr(model.config, "tie_word_embeddings", False) and getattr(model, "_tied_weights_keys", None)
    if not tied or head is None or type(head) is not torch.nn.Linear:
        return
    first, second = embedding.weight, head.weight
    if first is second or "meta" in (first.device.type, second.device.type) or first.shape != second.shape:
        return
    if not torch.equal(first.to(second.device), second):
        raise ModelDamaged(
            f"model {files.name!r}: config.json says tie_word_embeddings, but the files hold an embedding and a head "
            "that differ; set tie_word_embeddings to false there if both are meant"
        )


def refuse_other_tokenizer(files: ModelFiles, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> None:
    """Refuse a tokenizer with more tokens than the model has embeddings: an id without one breaks the CUDA context.

    Added tokens, as for padding or images, may have larger ids: no text is tokenized to them.

    Raises:
        ModelDamaged: the tokenizer has more tokens than the embedding has rows. The message tells both numbers.
    """
    rows = model.get_input_embeddings().weight.shape[0]
    if tokenizer.vocab_size > rows:
        raise ModelDamaged(
            f"model {files.name!r}: its tokenizer has {tokenizer.vocab_size} tokens, but its embedding has {rows} "
            "rows: the tokenizer is another model's; put the tokenizer of these weights there"
        )


def _is_beside(key: str, config: Any) -> bool:
    """Tell whether no next token depends on a weight of this name."""
    if _BESIDE.search(key):
        return True
    return any(name != "text_config" for name in getattr(config, "sub_configs", {})) and bool(_TOWER.search(key))


def _first(keys: list[str]) -> str:
    """Return the first names in parentheses; '' where there are none."""
    return f" ({', '.join(keys[:MAX_SHOWN])}{', …' if len(keys) > MAX_SHOWN else ''})" if keys else ""
