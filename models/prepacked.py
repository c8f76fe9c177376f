"""Checkpoints that come packed: transformers follows their config.json, whichever quantization is asked for.

The checks read configurations and the headers of weight files, before any weight is read.
"""

import copy
from typing import Any, Final

import torch
from safetensors import safe_open

from models.errors import ModelDamaged, ModelUnsupported
from models.resolve import ModelFiles

_KEY: Final = "quantization_config"
_MARKS: Final = (".SCB", ".absmax", ".quant_map")
"""Name endings of the tensors that bitsandbytes writes beside packed weights."""


def refuse_other_packing(files: ModelFiles, config: Any, quantization: str) -> None:
    """Refuse a checkpoint that is packed in another way than asked for: its rows would be false.

    Args:
        files: of the model, for its name.
        config: of the files.
        quantization: as the spec asks.

    Raises:
        ModelUnsupported: the checkpoint is packed in another way. The message names its packing, and the quantization
            to ask for where there is one.
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
    """Refuse files whose config.json says that bitsandbytes packed their weights, but of which no weight is packed.

    Raises:
        ModelDamaged: no weight is packed. The message names the key to remove.
    """
    packing = _packing(config)
    if packing is None or _asked_as(packing) is None or files.gguf_file is not None:
        return
    for path in files.weights:
        with safe_open(path, framework="pt") as weights:
            if any(key.endswith(_MARKS) for key in weights.keys()):  # noqa: SIM118 - the file is no dict
                return
    raise ModelDamaged(
        f"model {files.name!r}: its config.json has a {_KEY} of {_described(packing)}, but none of the weights in "
        f"{files.directory} is packed; take {_KEY} out of config.json, or put the packed weights there"
    )


def computing_in(config: Any, dtype: torch.dtype) -> Any:
    """Return a copy of `config` whose packed layers compute in `dtype`.

    Without it, the dtype that config.json names for them would take effect.
    """
    changed = copy.deepcopy(config)
    packing = _packing(changed)
    if packing is not None and _asked_as(packing) == "4-bit":
        packing["bnb_4bit_compute_dtype"] = str(dtype).removeprefix("torch.")
    return changed


def is_packed(config: Any) -> bool:
    """Tell whether the weights come packed, so that nothing is packed at load."""
    return _packing(config) is not None


def _packing(config: Any) -> dict[str, Any] | None:
    """Return the packing that config.json names, for the model or its text part; None where it names none."""
    for part in (config, config.get_text_config(decoder=True)):
        packing: dict[str, Any] | None = getattr(part, _KEY, None)
        if packing is not None:
            return packing
    return None


def _asked_as(packing: dict[str, Any]) -> str | None:
    """Return the quantization that packs whole weights in the same way; None where there is none."""
    if packing.get("quant_method", "bitsandbytes") != "bitsandbytes":
        return None
    if packing.get("load_in_4bit"):
        return "4-bit" if packing.get("bnb_4bit_quant_type", "fp4") == "nf4" else None
    return "8-bit" if packing.get("load_in_8bit") else None


def _described(packing: dict[str, Any]) -> str:
    """Return a packing in a few words, for a message."""
    method = packing.get("quant_method")
    if packing.get("load_in_4bit"):
        return f"bitsandbytes 4-bit {str(packing.get('bnb_4bit_quant_type', 'fp4')).upper()}"
    if packing.get("load_in_8bit"):
        return "bitsandbytes 8-bit"
    return repr(method) if method else f"no quant_method ({', '.join(sorted(map(str, packing))) or 'empty'})"
