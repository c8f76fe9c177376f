"""Packing of weights by bitsandbytes: the settings for a quantization, and the share of a model that was packed.

bitsandbytes leaves some layers as they are, whichever quantization is asked for.
"""

from collections.abc import Iterator
from typing import Any, Final, Literal

import torch
from torch import nn
from transformers import BitsAndBytesConfig

from models.errors import ModelUnsupported

CPU_OUTPUTS: Final = 32
CPU_INPUTS: Final = 64
"""Outputs and inputs of a layer must be multiples of these, for bitsandbytes' 4-bit kernel for AVX512 with bfloat16."""
PACKED_AS: Final = {"Params4bit": "4-bit", "Int8Params": "8-bit"}
"""Quantization by the bitsandbytes class of the parameters that it makes."""


def packing_config(
    quantization: Literal["none", "4-bit", "8-bit"], compute_dtype: torch.dtype
) -> BitsAndBytesConfig | None:
    """Return the settings with which weights are packed at load: NF4 or LLM.int8; None for no quantization."""
    match quantization:
        case "none":
            return None
        case "4-bit":
            return BitsAndBytesConfig(
                load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=compute_dtype
            )
        case "8-bit":
            return BitsAndBytesConfig(load_in_8bit=True)


def quantized_share(model: nn.Module) -> float:
    """Return the share (0 to 1) of a model's parameters that are packed, each counted as it was before packing."""
    counts = list(_counts(model))
    total = sum(count for count, _ in counts)
    return sum(count for count, packed in counts if packed) / total if total else 0.0


def refuse_unpacked(name: str, quantization: str, model: nn.Module) -> None:
    """Refuse a model of which no weight is packed although quantization was asked for: its rows would be false.

    Raises:
        ModelUnsupported: no weight is packed. The message names the kinds of layers that hold the weights.
    """
    if quantized_share(model) > 0:
        return
    kinds = sorted({type(module).__name__ for module in model.modules() if _holds_matrix(module)})
    raise ModelUnsupported(
        f"model {name!r} with quantization {quantization}: bitsandbytes packed none of its weights, which are in "
        f"layers of {', '.join(kinds)}; measure it with quantization none"
    )


def refuse_other_bits(name: str, quantization: str, model: nn.Module) -> None:
    """Refuse a model with weights that are packed in another way than asked for.

    Raises:
        ModelUnsupported: some weights are packed in another way. The message names that quantization.
    """
    others = {PACKED_AS[kind] for kind in map(_kind, model.parameters()) if kind in PACKED_AS} - {quantization}
    if others:
        raise ModelUnsupported(
            f"model {name!r} with quantization {quantization}: its weights are packed as {', '.join(sorted(others))}; "
            "ask for that, or take a checkpoint that is not quantized"
        )


def refuse_unfit_for_cpu(name: str, model: nn.Module) -> None:
    """Refuse a model with 4-bit layers whose widths the bfloat16 kernel of this CPU does not take.

    Such a layer would fail only in the first forward pass.

    Raises:
        ModelUnsupported: a layer does not fit the kernel. The message names the first such layer and its widths.
    """
    modules: Any = model.named_modules()
    for path, module in modules:
        if not getattr(module, "support_avx512bf16_for_cpu", False) or module.weight.device.type != "cpu":
            continue
        outputs, inputs = module.weight.quant_state.shape
        if outputs % CPU_OUTPUTS or inputs % CPU_INPUTS:
            raise ModelUnsupported(
                f"model {name!r} with quantization 4-bit: bitsandbytes on this CPU needs layers whose outputs are a "
                f"multiple of {CPU_OUTPUTS} and whose inputs are a multiple of {CPU_INPUTS}, but {path} has {outputs} "
                f"outputs and {inputs} inputs; take 8-bit or a GPU"
            )


def _counts(model: nn.Module) -> Iterator[tuple[int, bool]]:
    """Yield each parameter's number of elements before packing, with whether the parameter is packed."""
    for parameter in model.parameters():
        state = getattr(parameter, "quant_state", None)
        if type(parameter).__name__ == "Params4bit" and state is not None:
            yield state.shape.numel(), True
        else:
            is_int8 = type(parameter).__name__ == "Int8Params" and not parameter.is_floating_point()
            yield parameter.numel(), is_int8


def _kind(parameter: nn.Parameter) -> str:
    """Return the name of a parameter's class, which tells how bitsandbytes packed it."""
    return type(parameter).__name__


def _holds_matrix(module: nn.Module) -> bool:
    """Tell whether a module itself, not its children, has a parameter of at least two dimensions."""
    return any(parameter.ndim > 1 for parameter in module.parameters(recurse=False))
