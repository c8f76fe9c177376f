"""Compare a loaded model with its files: transformers makes up weights that it misses, and drops those left over.

Looks at what loading reported and at shapes. A model that passes took every weight of its files that has a part in
predicting tokens. Of a GGUF file transformers reports only what is missing, so its layers are counted.
"""

import re
from typing import Any, Final

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from models.errors import ModelDamaged, ModelUnsupported
from models.resolve import ModelFiles

MAX_SHOWN: Final = 3
_BESIDE: Final = re.compile(
    r"rotary_emb\.inv_freq$"  # computed anew
    r"|(^|\.)position_ids$"
    r"|(^|\.)(attn|attention|self_attention)\.(masked_)?bias$"  # causal masks in old checkpoints
    r"|(^|\.)pooler\."  # what reads a whole text at once
    r"|(^|\.)seq_relationship\."
)
"""Weights that no next token depends on, and that classes do not always name themselves."""
_BLOCK: Final = re.compile(r"blk\.([0-9]+)\.")
_TOWER: Final = re.compile(
    r"(^|\.)(embed_)?(vision|visual|vit|image|img|audio|speech|multi_modal|multimodal|mm)[a-z_0-9]*\."
)
"""Weights that a checkpoint of text and images has beside its language model."""


def refuse_mismatch(files: ModelFiles, info: dict[str, Any], config: Any) -> None:
    """Refuse a model that is not made of the weights in its files, of all of them and of no others.

    What the model's class itself leaves out (layers that predict several tokens at once) is not in `info`.

    Args:
        files: where they were looked for.
        info: `missing_keys`, `mismatched_keys` and `unexpected_keys`, as `from_pretrained` gives them.
        config: of the files. A checkpoint with other parts than text may be loaded for its text alone.

    Raises:
        ModelDamaged: how many, and the first of them.
    """
    missing = sorted(info["missing_keys"])
    misshapen = sorted(key for key, *_ in info["mismatched_keys"])
    left = sorted(key for key in info["unexpected_keys"] if not _is_beside(key, config))
    if missing or misshapen or left:
        raise ModelDamaged(
            f"model {files.name!r}: the weights in {files.directory} are not those of its config.json: "
            f"{len(missing)} missing{_first(missing)}, {len(misshapen)} of another shape{_first(misshapen)}, "
            f"{len(left)} that the model has no place for{_first(left)}; put the config.json there that belongs to them"
        )


def refuse_half(files: ModelFiles, config: Any) -> None:
    """Refuse an encoder-decoder: of it, a causal language model would be the decoder, without what it decodes.

    Raises:
        ModelUnsupported: so it is.
    """
    if getattr(config, "is_encoder_decoder", False):
        raise ModelUnsupported(
            f"model {files.name!r}: {config.model_type} is an encoder-decoder, and only causal language models, which "
            "are decoders alone, are run here"
        )


def refuse_more_layers(files: ModelFiles, config: Any) -> None:
    """Refuse a GGUF file that holds more layers than it says: the model would be made of the first ones.

    Raises:
        ModelDamaged: with both numbers.
    """
    if files.gguf_file is None:
        return
    from gguf import GGUFReader

    (path,) = files.weights
    blocks = {match[1] for tensor in GGUFReader(path).tensors if (match := _BLOCK.match(tensor.name))}
    layers = getattr(config.get_text_config(), "num_hidden_layers", None)
    if layers is not None and len(blocks) > layers:
        raise ModelDamaged(f"model {files.name!r}: {path} says that it has {layers} layers, and holds {len(blocks)}")


def refuse_other_head(files: ModelFiles, model: PreTrainedModel) -> None:
    """Refuse a model whose config.json says that embedding and head are one matrix, where the files hold two.

    transformers keeps both, other software ties them: the same files would be two models.

    Raises:
        ModelDamaged: with the key to set.
    """
    embedding, head = model.get_input_embeddings(), model.get_output_embeddings()
    tied = getattr(model.config, "tie_word_embeddings", False) and getattr(model, "_tied_weights_keys", None)
    if not tied or head is None or type(head) is not torch.nn.Linear:
        return
    one, other = embedding.weight, head.weight
    if one is other or "meta" in (one.device.type, other.device.type) or one.shape != other.shape:
        return
    if not torch.equal(one.to(other.device), other):
        raise ModelDamaged(
            f"model {files.name!r}: config.json says tie_word_embeddings, and the files hold an embedding and a head "
            "that differ; set tie_word_embeddings to false there if both are meant"
        )


def refuse_other_tokenizer(files: ModelFiles, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> None:
    """Refuse a tokenizer that knows more tokens than the model has embeddings: such an id breaks the CUDA context.

    Tokens that were added to its vocabulary, as for padding or images, may lie beyond: no text is made of them.

    Raises:
        ModelDamaged: with both numbers.
    """
    rows = model.get_input_embeddings().weight.shape[0]
    if tokenizer.vocab_size > rows:
        raise ModelDamaged(
            f"model {files.name!r}: its tokenizer has {tokenizer.vocab_size} tokens and its embedding {rows} rows: "
            "the tokenizer is another model's; put the one there that belongs to the weights"
        )


def _is_beside(key: str, config: Any) -> bool:
    if _BESIDE.search(key):
        return True
    return any(name != "text_config" for name in getattr(config, "sub_configs", {})) and bool(_TOWER.search(key))


def _first(keys: list[str]) -> str:
    return f" ({', '.join(keys[:MAX_SHOWN])}{', …' if len(keys) > MAX_SHOWN else ''})" if keys else ""
