"""How much of a model bitsandbytes really packed: what was asked for is not what every layer took."""

from collections.abc import Iterator

from torch import nn

from models.errors import ModelUnsupported


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


def _counts(model: nn.Module) -> Iterator[tuple[int, bool]]:
    for parameter in model.parameters():
        state = getattr(parameter, "quant_state", None)
        if type(parameter).__name__ == "Params4bit" and state is not None:
            yield state.shape.numel(), True
        else:
            is_int8 = type(parameter).__name__ == "Int8Params" and not parameter.is_floating_point()
            yield parameter.numel(), is_int8


def _holds_matrix(module: nn.Module) -> bool:
    return any(parameter.ndim > 1 for parameter in module.parameters(recurse=False))
