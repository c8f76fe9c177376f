"""Checkpoints that come packed: transformers takes what their config.json says, whatever quantization was asked for.

Looks at configurations and at the headers of weight files, before any weight is read.
"""

import copy
from typing import Any, Final

import torch
from safetensors import safe_open

from models.errors import ModelDamaged, ModelUnsupported
from models.resolve import ModelFiles

_KEY: Final = "quantization_config"
_MARKS: Final = (".SCB", ".absmax", ".quant_map")
"""How tensors end that bitsandbytes writes beside packed weights."""


def refuse_other_packing(files: ModelFiles, config: Any, quantization: str) -> None:
    """Refuse a checkpoint that is packed in another way than asked for: its rows would say what is not so.

    Args:
        files: of the model, for its name.
        config: of the files.
        quantization: as asked for.

    Raises:
        ModelUnsupported: with what it is, and with what to ask for where that is possible.
    """
    packing = _packing(config)
    if packing is None or quantization == (own := _asked_as(packing)):
        return
    remedy = f"ask for quantization {own}" if own else "take a checkpoint of the model that is not quantized"
    raise ModelUnsupported(
        f"model {files.name!r} with quantization {quantization}: its config.json has a {_KEY} of "
        f"{_described(packing)}, so its weights are packed already; {remedy}"
    )


def refuse_empty_claim(files: ModelFiles, config: Any) -> None:
    """Refuse files whose config.json says that bitsandbytes packed their weights, where no weight is packed.

    Raises:
        ModelDamaged: with the key to take out.
    """
    packing = _packing(config)
    if packing is None or _asked_as(packing) is None or files.gguf_file is not None:
        return
    for path in files.weights:
        with safe_open(path, framework="pt") as weights:
            if any(key.endswith(_MARKS) for key in weights.keys()):  # noqa: SIM118 - no dict
                return
    raise ModelDamaged(
        f"model {files.name!r}: its config.json has a {_KEY} of {_described(packing)}, and none of the weights in "
        f"{files.directory} is packed; take {_KEY} out of config.json, or put the weights there that belong to it"
    )


def computing_in(config: Any, dtype: torch.dtype) -> Any:
    """A copy of `config` whose packed layers compute in `dtype`; the file's own choice would win over it otherwise."""
    changed = copy.deepcopy(config)
    packing = _packing(changed)
    if packing is not None and _asked_as(packing) == "4-bit":
        packing["bnb_4bit_compute_dtype"] = str(dtype).removeprefix("torch.")
    return changed


def is_packed(config: Any) -> bool:
    """Whether the weights come packed, and need no packing at load."""
    return _packing(config) is not None


def _packing(config: Any) -> dict[str, Any] | None:
    """What config.json says of it, of the model or of its text part; None where it says nothing."""
    for part in (config, config.get_text_config(decoder=True)):
        packing: dict[str, Any] | None = getattr(part, _KEY, None)
        if packing is not None:
            return packing
    return None


def _asked_as(packing: dict[str, Any]) -> str | None:
    """The quantization that gives the same from whole weights; None where none does."""
    if packing.get("quant_method", "bitsandbytes") != "bitsandbytes":
        return None
    if packing.get("load_in_4bit"):
        return "4-bit" if packing.get("bnb_4bit_quant_type", "fp4") == "nf4" else None
    return "8-bit" if packing.get("load_in_8bit") else None


def _described(packing: dict[str, Any]) -> str:
    method = packing.get("quant_method")
    if packing.get("load_in_4bit"):
        return f"bitsandbytes 4-bit {str(packing.get('bnb_4bit_quant_type', 'fp4')).upper()}"
    if packing.get("load_in_8bit"):
        return "bitsandbytes 8-bit"
    return repr(method) if method else f"no quant_method ({', '.join(sorted(map(str, packing))) or 'empty'})"
