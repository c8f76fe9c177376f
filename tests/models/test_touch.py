"""After a touch every page is there; the kernel's page table is the witness."""

import mmap
from pathlib import Path
from typing import Any

import accelerate
import pytest
import torch

from models.load import load_model
from models.touch import cpu_tensors, touch

PAGEMAP = Path("/proc/self/pagemap")
ENTRY_BYTES = 8
PRESENT = 1 << 63


def present_pages(address: int, size_bytes: int) -> list[bool]:
    """Tell of each page of a range of addresses whether this process has it in memory, by proc(5)."""
    first, last = address // mmap.PAGESIZE, (address + size_bytes - 1) // mmap.PAGESIZE
    with PAGEMAP.open("rb", buffering=0) as entries:
        entries.seek(first * ENTRY_BYTES)
        found = entries.read((last - first + 1) * ENTRY_BYTES)
    return [bool(int.from_bytes(found[at : at + ENTRY_BYTES], "little") & PRESENT) for at in range(0, len(found), 8)]


@pytest.mark.parametrize(("start", "size"), [(0, 5 * mmap.PAGESIZE), (4000, 2 * mmap.PAGESIZE + 200), (17, 1)])
def test_the_first_the_last_and_every_page_between(start: int, size: int) -> None:
    if not PAGEMAP.exists():
        pytest.skip("no /proc/self/pagemap here")
    block = mmap.mmap(-1, 8 * mmap.PAGESIZE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    tensor = torch.frombuffer(block, dtype=torch.uint8, count=size, offset=start)
    assert not any(present_pages(tensor.data_ptr(), size))
    touch([tensor])
    assert all(present_pages(tensor.data_ptr(), size))


def test_tensors_of_any_kind() -> None:
    transposed_bfloat16 = torch.ones(3, 2, dtype=torch.bfloat16).T
    touch([torch.empty(0), transposed_bfloat16, torch.nn.Parameter(torch.ones(2, 2)), torch.tensor(True)])


def test_storages_are_read_in_the_order_of_their_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    tensors = sorted((torch.zeros(5) for _ in range(5)), key=torch.Tensor.data_ptr, reverse=True)
    seen: list[int] = []

    def noted(tensor: torch.Tensor, storage: Any) -> torch.Tensor:
        seen.append(storage.data_ptr())
        return tensor.reshape(0)

    monkeypatch.setattr(torch.Tensor, "set_", noted)
    touch(tensors)
    assert seen == [tensor.data_ptr() for tensor in reversed(tensors)]


def test_what_accelerate_keeps_on_the_cpu_is_among_the_tensors() -> None:
    model = load_model("builtin://tiny-base", dtype="float32").model
    places = {tensor.data_ptr() for tensor in cpu_tensors(model)}
    accelerate.cpu_offload(model, execution_device=torch.device("cpu"))
    assert {weight.device.type for weight in model.parameters()} == {"meta"}
    assert {tensor.data_ptr() for tensor in cpu_tensors(model)} == places
