"""Checks before a model is loaded on GPUs: torch and bitsandbytes can compute there, and the weights have room.

Without these checks a mistake shows as a puzzling CUDA error, as a long load in vain, or as a process that is gone.
"""

import re
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

import torch

from actors.benchmarks.base import Quantization, Weights
from actors.checks import fatbin
from actors.devices.nodes import slug
from models.load import native_dtype
from models.min_weight_bytes import min_weight_bytes
from models.resolve import resolve
from sweeps.errors import Unsupported

_ARCHITECTURE: Final = re.compile(r"(?P<kind>sm|compute)_(?P<major>[0-9]+)(?P<minor>[0-9])(?P<only>[af]?)")
CONTEXT_BYTES: Final = 2**30
"""Upper bound of the memory that a process takes on a card only by using the card."""


def has_kernels(architectures: Iterable[str], capability: tuple[int, int]) -> bool:
    """Tell whether code compiled for those architectures runs on a card of that compute capability.

    Machine code (`sm_60`) runs on cards of the same major version and the same or a later minor version. PTX
    (`compute_60`) runs on cards of the same or a later capability. With the suffix `a`, either runs on exactly that
    capability; with `f`, on the same major version and the same or a later minor version.
    Source: CUDA C++ Programming Guide, 'Compute Capability', on binary and PTX compatibility.
    """
    return any(_runs(match, capability) for name in architectures if (match := _ARCHITECTURE.fullmatch(name)))


def check_build(quantization: str, devices: Sequence[str]) -> None:
    """Check that the libraries of this interpreter can compute on these cards.

    Args:
        quantization: level of the factor; unless `none`, bitsandbytes is checked too.
        devices: torch names, such as `cuda:0`.

    Raises:
        Unsupported: a library cannot; the message names the library, the card and the remedy.
    """
    _check_torch(devices)
    if quantization != "none":
        _check_bitsandbytes(quantization, devices)


def check_room(weights: Weights) -> None:
    """Check by a lower bound that models which have to be whole on one card can fit there.

    Args:
        weights: weights of the task.

    Raises:
        torch.OutOfMemoryError: the weights do not fit; the message names the card, the least bytes of the weights, the
            free bytes, and what other processes hold.
        ModelError: this node does not have the model.
    """
    for device in dict.fromkeys([*weights.full_precision_by_device, *weights.models_by_device]):
        dtype = getattr(torch, native_dtype((device,)) if weights.dtype == "auto" else weights.dtype)
        lots: list[tuple[Quantization, Sequence[str]]] = [
            ("none", weights.full_precision_by_device.get(device, ())),
            (weights.quantization, weights.models_by_device.get(device, ())),
        ]
        needed_bytes = sum(
            min_weight_bytes(resolve(name), quantization, dtype.itemsize)
            for quantization, names in lots
            for name in names
        )
        free_bytes, total_bytes = torch.cuda.mem_get_info(device)
        reserved_bytes = torch.cuda.memory_reserved(device)
        reusable_bytes = reserved_bytes - torch.cuda.memory_allocated(device)
        if needed_bytes <= free_bytes + reusable_bytes:
            continue
        elsewhere_bytes = total_bytes - free_bytes - reserved_bytes
        is_alone = elsewhere_bytes <= CONTEXT_BYTES
        others = "no other process holds much" if is_alone else f"other processes hold about {elsewhere_bytes:,}"
        models = " and ".join(
            f"{' and '.join(names)} (quantization {quantization})" for quantization, names in lots if names
        )
        raise torch.OutOfMemoryError(
            f"CUDA out of memory, seen before the load: the weights of {models} need at least {needed_bytes:,} bytes; "
            f"of the {total_bytes:,} of {_card(device)} {free_bytes + reusable_bytes:,} are free, {others}"
        )


def _runs(architecture: re.Match[str], capability: tuple[int, int]) -> bool:
    built_for = int(architecture["major"]), int(architecture["minor"])
    if architecture["only"] == "a":
        return capability == built_for
    is_for_later_ones = architecture["kind"] == "compute" and not architecture["only"]
    return capability >= built_for and (is_for_later_ones or capability[0] == built_for[0])


def _check_torch(devices: Sequence[str]) -> None:
    build = f"torch {torch.__version__}"
    if torch.version.cuda is None:
        raise Unsupported(f"{build} of this worker is built without CUDA, and the slot has GPUs; {_remedy('')}")
    try:
        torch.cuda.init()  # type: ignore[no-untyped-call]
    except (RuntimeError, AssertionError) as error:
        why = str(error).strip().splitlines()[0]
        raise Unsupported(
            f"{build} for CUDA {torch.version.cuda} cannot use the GPUs of this node: {why}; {_remedy('')}"
        ) from error
    built_for = torch.cuda.get_arch_list()
    for device in devices:
        if built_for and not has_kernels(built_for, torch.cuda.get_device_capability(device)):
            raise Unsupported(
                f"{_card(device)}: {build} for CUDA {torch.version.cuda} has no kernels for it, only for "
                f"{', '.join(built_for)}; {_remedy(slug(torch.cuda.get_device_name(device)))}"
            )


def _check_bitsandbytes(quantization: str, devices: Sequence[str]) -> None:
    try:
        import bitsandbytes
        from bitsandbytes.cextension import lib
    except ImportError as error:
        raise Unsupported(
            f"quantization {quantization} needs bitsandbytes, which does not import here ({error}); pip install it for "
            f"the interpreter {sys.executable}"
        ) from error
    build = f"bitsandbytes {bitsandbytes.__version__}"
    if not getattr(lib, "compiled_with_cuda", False):
        why = next(iter(str(vars(lib).get("error_msg", "")).strip().splitlines()), "it loaded the library for CPUs")
        raise Unsupported(
            f"quantization {quantization}: {build} did not load its CUDA library for CUDA {torch.version.cuda}: {why}; "
            f"'{sys.executable} -m bitsandbytes' says more"
        )
    library = Path(lib._lib._name)  # the file that ctypes loaded: the only public sign of the choice
    built_for = fatbin.architectures(library)
    for device in devices:
        if built_for and not has_kernels(built_for, torch.cuda.get_device_capability(device)):
            raise Unsupported(
                f"quantization {quantization} on {_card(device)}: {library.name} of {build} has no kernels for it, "
                f"only for {', '.join(built_for)}; use quantization none there, or build bitsandbytes for it "
                "(docs/clusters.md, 'Interpreters')"
            )


def _card(device: str) -> str:
    major, minor = torch.cuda.get_device_capability(device)
    return f"{torch.cuda.get_device_name(device)} ({device}, compute capability {major}.{minor})"


def _remedy(device_class: str) -> str:
    return (
        "name an interpreter whose torch supports it in machines.toml, as "
        f'[device."{device_class or "its slug"}"] python = "…" (docs/clusters.md, \'Interpreters\')'
    )
