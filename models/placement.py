"""Placement of a model on devices: memory limits as accelerate reads them, and device maps that are refused.

Knows no weights and no files. A device map comes from accelerate, which fills the GPUs in their order, then the CPU,
then the disk.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

import torch

from models.errors import ModelUnsupported

_SPILL_SIGNS: Final = ("dispatched on the CPU or the disk", "offloaded to the disk")
"""Words of transformers for a map that is not possible for quantized weights, or for a GGUF file."""


def limits_by_device(max_memory: Mapping[str, str | int] | None) -> dict[int | str, str | int] | None:
    """Return the limits with GPUs as numbers, as accelerate needs them; None where nothing is limited.

    The keys of a TOML table are always strings.
    """
    if not max_memory:
        return None
    return {int(device) if device.isdigit() else device: limit for device, limit in max_memory.items()}


def torch_devices(device_map: Mapping[str, int | str | torch.device]) -> dict[str, torch.device]:
    """Return a torch device by module name, from a map in which accelerate numbers the GPUs."""
    return {
        module: torch.device("cuda", device) if isinstance(device, int) else torch.device(device)
        for module, device in device_map.items()
    }


@contextmanager
def placement_explained(name: str, device_map: str, quantization: str) -> Iterator[None]:
    """Explain refusals of the block, in which the model `name` is loaded, with what the user can do.

    Raises:
        ModelUnsupported: there are no kernels for the quantization here, or the quantization does not allow the map.
    """
    try:
        yield
    except (ImportError, NotImplementedError) as error:
        raise ModelUnsupported(f"model {name!r} with quantization {quantization}: {error}") from error
    except ValueError as error:
        if not any(sign in str(error) for sign in _SPILL_SIGNS):
            raise
        reason = "would be on the CPU or the disk, which is not possible for such weights beside a GPU"
        raise _unsupported(name, device_map, quantization, reason) from error


def refuse_disk(name: str, device_map: str, quantization: str, effective: Mapping[str, object]) -> None:
    """Refuse a model of which a part stayed on the disk: the disk would be timed.

    Args:
        name: of the model.
        device_map: as the spec asks.
        quantization: as the spec asks.
        effective: device by module name, as accelerate placed them; empty where all modules are on one device.

    Raises:
        ModelUnsupported: a module is on the disk.
    """
    if "disk" in effective.values():
        raise _unsupported(name, device_map, quantization, "would be read from the disk at every step")


def _unsupported(name: str, device_map: str, quantization: str, reason: str) -> ModelUnsupported:
    """Return the exception for a model of which a part is in a place that is not possible."""
    return ModelUnsupported(
        f"model {name!r} with device_map {device_map!r} and quantization {quantization}: part of it {reason}; "
        "raise max_memory (a device that it does not name takes nothing, 'cpu' too), ask for more or larger GPUs, "
        "or take another device_map or device"
    )
