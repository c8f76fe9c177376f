"""Bring every page of a loaded model into memory: weights that are mapped to their file are read only when touched."""

import mmap
from collections.abc import Iterable, Iterator
from itertools import chain

import torch


def cpu_tensors(model: torch.nn.Module) -> Iterator[torch.Tensor]:
    """Return every parameter and buffer in host memory, those included that accelerate moves to a GPU when needed."""
    kept_aside = {}
    for module in model.modules():
        hook = getattr(module, "_hf_hook", None)
        for part in getattr(hook, "hooks", (hook,)):
            tensors = getattr(getattr(part, "weights_map", None), "dataset", {})
            kept_aside[id(tensors)] = tensors  # all modules share one
    everything = chain(model.parameters(), model.buffers(), *(tensors.values() for tensors in kept_aside.values()))
    return (tensor for tensor in everything if tensor.device.type == "cpu")


def touch(tensors: Iterable[torch.Tensor]) -> None:
    """Read one byte of every page of these CPU tensors.

    Tensors are read in the order of their addresses. For mapped tensors that is the order of the file, so the drive
    reads on instead of seeking.
    """
    storages = {storage.data_ptr(): storage for storage in (tensor.untyped_storage() for tensor in tensors)}
    for _, storage in sorted(storages.items()):
        bytes_N = torch.empty(0, dtype=torch.uint8).set_(storage)
        if len(bytes_N):
            bytes_N[:: mmap.PAGESIZE].sum()
            bytes_N[-1].item()  # steps from the first byte can stop short of the last page
