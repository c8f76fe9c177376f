"""Share of a model that bitsandbytes really packed. Some layers stay as they are, whatever was asked for."""

from collections.abc import Iterator
from typing import Any, Final

from torch import nn

from models.errors import ModelUnsupported

CPU_OUTPUTS: Final = 32
CPU_INPUTS: Final = 64
"""Rows and columns that bitsandbytes' packing for AVX512 with bfloat16 asserts."""


PACKED_AS: Final = {"Params4bit": "4-bit", "Int8Params": "8-bit"}
"""By bitsandbytes' kind of parameter: the quantization that makes it."""


def quantized_share(model: nn.Module) -> float:
    """Share of the model's parameters that are packed, each counted as it was before packing."""
    counts = list(_counts(model))
    total = sum(count for count, _ in counts)
    return sum(count for count, packed in counts if packed) / total if total else 0.0


def refuse_unpacked(name: str, quantization: str, model: nn.Module) -> None:
    """Refuse a model of which nothing is packed, though quantization was asked for: its rows would say what is not so.

    Raises:
        ModelUnsupported: with the kinds of layers that hold its weights.
    """
    if quantized_share(model) > 0:
        return
    kinds = sorted({type(module).__name__ for module in model.modules() if _holds_matrix(module)})
    raise ModelUnsupported(
        f"model {name!r} with quantization {quantization}: bitsandbytes packed none of its weights, which are in "
        f"layers of {', '.join(kinds)}; measure it with quantization none"
    )


def refuse_other_bits(name: str, quantization: str, model: nn.Module) -> None:
    """Refuse a model of which something is packed in another way than asked for.

    Raises:
        ModelUnsupported: with what it is packed as.
    """
    others = {PACKED_AS[kind] for kind in map(_kind, model.parameters()) if kind in PACKED_AS} - {quantization}
    if others:
        raise ModelUnsupported(
            f"model {name!r} with quantization {quantization}: it came out packed as {', '.join(sorted(others))}; ask "
            "for that, or take a checkpoint that is not quantized"
        )


def refuse_unfit_for_cpu(name: str, model: nn.Module) -> None:
    """Refuse 4-bit layers on a CPU with bfloat16 whose widths its kernel does not take: they would fail at their use.

    Raises:
        ModelUnsupported: with the first of them.
    """
    modules: Any = model.named_modules()
    for path, module in modules:
        if not getattr(module, "support_avx512bf16_for_cpu", False) or module.weight.device.type != "cpu":
            continue
        outputs, inputs = module.weight.quant_state.shape
        if outputs % CPU_OUTPUTS or inputs % CPU_INPUTS:
            raise ModelUnsupported(
                f"model {name!r} with quantization 4-bit: on this CPU bitsandbytes takes layers whose outputs are a "
                f"multiple of {CPU_OUTPUTS} and whose inputs are one of {CPU_INPUTS}, and {path} has {outputs} and "
                f"{inputs}; take 8-bit or a GPU"
            )


def _counts(model: nn.Module) -> Iterator[tuple[int, bool]]:
    for parameter in model.parameters():
        state = getattr(parameter, "quant_state", None)
        if type(parameter).__name__ == "Params4bit" and state is not None:
            yield state.shape.numel(), True
        else:
            is_int8 = type(parameter).__name__ == "Int8Params" and not parameter.is_floating_point()
            yield parameter.numel(), is_int8


def _kind(parameter: nn.Parameter) -> str:
    return type(parameter).__name__


def _holds_matrix(module: nn.Module) -> bool:
    return any(parameter.ndim > 1 for parameter in module.parameters(recurse=False))
