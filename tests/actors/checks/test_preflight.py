"""A load that cannot work on a card is refused before it starts: no kernels, no bitsandbytes, no room. Needs no GPU."""

import sys
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import bitsandbytes
import pytest
import torch

from actors.benchmarks import BENCHMARKS
from actors.benchmarks.base import Weights
from actors.benchmarks.binoculars import BinocularsFactors
from actors.benchmarks.fidelity import FidelityFactors
from actors.benchmarks.generation import Generation, GenerationFactors
from actors.checks.preflight import check_build, check_room, has_kernels
from actors.failures import classify
from actors.worker import Worker
from models.min_weight_bytes import min_weight_bytes
from models.resolve import resolve
from sweeps.errors import Unsupported
from sweeps.plan.declaration import Factors
from sweeps.task import Allocation, Lease, Run, Slot, Task
from tests.actors.checks.test_fatbin import fat_binary
from tests.actors.test_worker import ScriptedCoordinator

K80, GTX_1070, V100, H200, B200, RTX_5070 = (3, 7), (6, 1), (7, 0), (9, 0), (10, 0), (12, 0)
CU130 = ["sm_75", "sm_80", "sm_86", "sm_90", "sm_100", "sm_120", "compute_120"]
CU126 = ["sm_50", "sm_60", "sm_70", "sm_75", "sm_80", "sm_86", "sm_90"]
CU118 = ["sm_50", "sm_60", "sm_70", "sm_75", "sm_80", "sm_86", "sm_37", "sm_90"]
MODEL = "builtin://tiny-base"


@pytest.mark.parametrize(
    ("architectures", "capability", "expected"),
    [
        (CU130, K80, False),
        (CU126, K80, False),
        (CU118, K80, True),
        (["sm_35"], K80, True),
        (["sm_37"], (3, 5), False),
        (CU130, GTX_1070, False),
        (CU126, GTX_1070, True),
        (["sm_62"], GTX_1070, False),
        (["sm_60"], V100, False),
        (["compute_60"], V100, True),
        (["compute_70"], GTX_1070, False),
        (CU126, RTX_5070, False),
        ([*CU126, "compute_90"], RTX_5070, True),
        (CU130, H200, True),
        (CU130, (12, 1), True),
        (["sm_90a"], H200, True),
        (["sm_90a", "compute_90a"], B200, False),
        (["sm_100f"], (10, 3), True),
        (["sm_103f"], B200, False),
        (["compute_100f"], RTX_5070, False),
        (["gfx90a", "", "sm_x"], H200, False),
        ([], H200, False),
    ],
)
def test_code_runs_on_its_own_major_version_and_ptx_on_later_ones(
    architectures: list[str], capability: tuple[int, int], expected: bool
) -> None:
    assert has_kernels(architectures, capability) is expected


@dataclass
class Card:
    """A GPU as torch describes it."""

    name: str
    capability: tuple[int, int]
    free_bytes: int = 8 * 2**30
    total_bytes: int = 12 * 2**30
    reserved_bytes: int = 0
    allocated_bytes: int = 0


def pretend(monkeypatch: pytest.MonkeyPatch, *cards: Card, built_for: list[str], cuda: str | None = "12.6") -> None:
    """Make torch report these cards, and the architectures that it was built for."""

    def of(what: Any) -> Any:
        return lambda device: what(cards[int(str(device).removeprefix("cuda:"))])

    monkeypatch.setattr(torch.version, "cuda", cuda)
    answers = {
        "init": lambda: None,
        "get_arch_list": lambda: built_for,
        "get_device_name": of(lambda card: card.name),
        "get_device_capability": of(lambda card: card.capability),
        "mem_get_info": of(lambda card: (card.free_bytes, card.total_bytes)),
        "memory_reserved": of(lambda card: card.reserved_bytes),
        "memory_allocated": of(lambda card: card.allocated_bytes),
    }
    for name, answer in answers.items():
        monkeypatch.setattr(torch.cuda, name, answer)


def bitsandbytes_with(monkeypatch: pytest.MonkeyPatch, lib: object) -> None:
    import bitsandbytes.cextension

    monkeypatch.setattr(bitsandbytes.cextension, "lib", lib)


def refused(quantization: str, *devices: str) -> str:
    with pytest.raises(Unsupported) as raised:
        check_build(quantization, devices or ("cuda:0",))
    assert classify(raised.value).status == "unsupported"
    return str(raised.value)


def test_a_card_without_kernels_is_told_with_the_build_and_the_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, Card("NVIDIA GeForce GTX 1070", GTX_1070), Card("Tesla K80", K80), built_for=CU126)
    check_build("none", ("cuda:0",))
    message = refused("none", "cuda:0", "cuda:1")
    assert message.startswith(
        f"Tesla K80 (cuda:1, compute capability 3.7): torch {torch.__version__} for CUDA 12.6 has no kernels for it, "
        "only for sm_50, sm_60, sm_70"
    )
    assert 'machines.toml, as [device."tesla-k80"] python = ' in message
    assert "docs/clusters.md" in message


def test_a_build_without_cuda_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, Card("Tesla K80", K80), built_for=[], cuda=None)
    assert "is built without CUDA, and the slot has GPUs; name an interpreter" in refused("none")


def test_a_driver_that_does_not_do_is_told_in_its_own_words(monkeypatch: pytest.MonkeyPatch) -> None:
    def too_old() -> None:
        raise RuntimeError("The NVIDIA driver on your system is too old (found version 11040).\nPlease update")

    pretend(monkeypatch, Card("Tesla K80", K80), built_for=CU130)
    monkeypatch.setattr(torch.cuda, "init", too_old)
    message = refused("none")
    assert "for CUDA 12.6 cannot use the GPUs of this node: The NVIDIA driver on your system is too old" in message
    assert "Please update" not in message


def test_a_build_that_does_not_say_what_it_is_for_is_not_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, Card("Tesla K80", K80), built_for=[])
    check_build("none", ("cuda:0",))


def test_bitsandbytes_without_kernels_for_the_card_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    library = tmp_path / "libbitsandbytes_cuda118.so"
    library.write_bytes(fat_binary((2, 60), (2, 90)))
    pretend(monkeypatch, Card("Tesla K80", K80), Card("GTX 1070", GTX_1070), built_for=CU118, cuda="11.8")
    bitsandbytes_with(monkeypatch, SimpleNamespace(compiled_with_cuda=True, _lib=SimpleNamespace(_name=str(library))))
    check_build("4-bit", ("cuda:1",))
    check_build("none", ("cuda:0",))
    message = refused("8-bit")
    assert message.startswith("quantization 8-bit on Tesla K80 (cuda:0, compute capability 3.7): ")
    build = f"libbitsandbytes_cuda118.so of bitsandbytes {bitsandbytes.__version__}"
    assert f"{build} has no kernels for it, only for sm_60, sm_90" in message


def test_bitsandbytes_whose_cuda_library_did_not_load_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, Card("GTX 1070", GTX_1070), built_for=CU126)
    bitsandbytes_with(
        monkeypatch, SimpleNamespace(compiled_with_cuda=False, error_msg="libcudart.so.12: cannot open\n")
    )
    assert "did not load its CUDA library for CUDA 12.6: libcudart.so.12: cannot open" in refused("4-bit")
    check_build("none", ("cuda:0",))


def test_bitsandbytes_that_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, Card("GTX 1070", GTX_1070), built_for=CU126)
    monkeypatch.setitem(sys.modules, "bitsandbytes", None)
    assert "quantization 4-bit needs bitsandbytes, which does not import here" in refused("4-bit")


def weights(chosen: Factors, devices: tuple[str, ...]) -> Weights:
    names = {BinocularsFactors: "binoculars", FidelityFactors: "fidelity", GenerationFactors: "generation"}
    found = BENCHMARKS[names[type(chosen)]].weights(chosen, devices)
    assert found is not None
    return found


def factors(**levels: Any) -> GenerationFactors:
    chosen: dict[str, Any] = {"device": "gpu", "cpu_cores": 1, "model": MODEL, "dtype": "float32"}
    return GenerationFactors(**(chosen | levels))


def test_a_card_without_room_is_out_of_memory_before_the_load(monkeypatch: pytest.MonkeyPatch) -> None:
    needed_bytes = min_weight_bytes(resolve(MODEL), "none", 4)
    full = Card("Tesla K80", K80, free_bytes=needed_bytes - 1)
    pretend(monkeypatch, full, built_for=CU118)
    with pytest.raises(torch.OutOfMemoryError) as raised:
        check_room(weights(factors(), ("cuda:0",)))
    failure = classify(raised.value)
    assert (failure.status, failure.poisons_device) == ("oom_gpu", False)
    assert f"the weights of {MODEL} (quantization none) need at least {needed_bytes:,} bytes" in failure.message
    assert f"of the {12 * 2**30:,} of Tesla K80 (cuda:0, compute capability 3.7) {needed_bytes - 1:,} are free" in (
        failure.message
    )
    assert f"other processes hold about {12 * 2**30 - needed_bytes + 1:,}" in failure.message
    check_room(weights(factors(quantization="4-bit"), ("cuda:0",)))
    check_room(weights(factors(device_map="auto"), ("cuda:0",)))
    full.free_bytes += 1
    check_room(weights(factors(), ("cuda:0",)))


def test_memory_of_our_own_is_neither_somebody_elses_nor_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    card = Card("Tesla K80", K80, free_bytes=0, reserved_bytes=12 * 2**30, allocated_bytes=0)
    pretend(monkeypatch, card, built_for=CU118)
    check_room(weights(factors(), ("cuda:0",)))
    card.allocated_bytes = card.reserved_bytes
    with pytest.raises(torch.OutOfMemoryError, match="no other process holds much"):
        check_room(weights(factors(), ("cuda:0",)))


def test_a_pair_needs_room_for_both_where_they_are_to_be(monkeypatch: pytest.MonkeyPatch) -> None:
    one_bytes = min_weight_bytes(resolve(MODEL), "none", 4)
    small, large = Card("small", GTX_1070, free_bytes=one_bytes), Card("large", GTX_1070)
    pretend(monkeypatch, small, large, built_for=CU126)

    def pair(device: str, placement: Any, performer: str = "builtin://tiny-instruct") -> BinocularsFactors:
        names = [MODEL, performer]
        return BinocularsFactors(device=device, cpu_cores=1, pair=names, placement=placement, dtype="float32")

    with pytest.raises(torch.OutOfMemoryError, match="tiny-base and builtin://tiny-instruct"):
        check_room(weights(pair("gpu", "same"), ("cuda:0",)))
    check_room(weights(pair("gpu", "same", performer=MODEL), ("cuda:0",)))
    check_room(weights(pair("gpu x2", "split"), ("cuda:0", "cuda:1")))
    check_room(weights(pair("gpu x2", "same"), ("cuda:0", "cuda:1")))
    large.free_bytes = 0
    with pytest.raises(torch.OutOfMemoryError, match="the weights of builtin://tiny-instruct"):
        check_room(weights(pair("gpu x2", "split"), ("cuda:0", "cuda:1")))


def test_a_quantized_model_beside_its_full_precision_needs_room_for_both(monkeypatch: pytest.MonkeyPatch) -> None:
    needed_bytes = min_weight_bytes(resolve(MODEL), "none", 4) + min_weight_bytes(resolve(MODEL), "8-bit", 4)
    card = Card("GTX 1070", GTX_1070, free_bytes=needed_bytes - 1)
    pretend(monkeypatch, card, built_for=CU126)

    def chosen(quantization: Any) -> FidelityFactors:
        return FidelityFactors(device="gpu", cpu_cores=1, model=MODEL, quantization=quantization, dtype="float32")

    both = rf"{MODEL} \(quantization none\) and {MODEL} \(quantization 8-bit\) need at least {needed_bytes:,} bytes"
    with pytest.raises(torch.OutOfMemoryError, match=both):
        check_room(weights(chosen("8-bit"), ("cuda:0",)))
    check_room(weights(chosen("4-bit"), ("cuda:0",)))
    check_room(weights(chosen("none"), ("cuda:0",)))
    card.free_bytes += 1
    check_room(weights(chosen("8-bit"), ("cuda:0",)))


class NeverLoads(Generation):
    def load(self, factors: Any, devices: tuple[str, ...]) -> Any:
        raise AssertionError("loaded")


class FakeCoordinator(ScriptedCoordinator):
    def join(self, *_: Any) -> None:
        pass


def last_row(levels: GenerationFactors, allocation: Allocation) -> dict[str, Any]:
    """Return the last row of a worker on that allocation, whose loads would fail."""
    task = Task("s", "generation", levels.model_dump(), allocation.slot, "model", 1, 0, 0, 0, 0)
    coordinator = FakeCoordinator([Run((Lease(task, 1),), 0)])
    Worker(allocation, {"generation": NeverLoads()}, ({}, "e1")).work(coordinator)
    return coordinator.outcomes[0].rows[-1]


def test_a_worker_asks_before_it_loads(monkeypatch: pytest.MonkeyPatch) -> None:
    allocation = Allocation("w", Slot("gpu", 1, 1), "here", "tesla-k80", "Tesla K80", ("GPU-aaa",))
    card = Card("Tesla K80", K80, free_bytes=0)
    pretend(monkeypatch, card, built_for=CU126)
    assert last_row(factors(), allocation)["status"] == "unsupported"
    pretend(monkeypatch, card, built_for=CU118)
    assert last_row(factors(), allocation)["status"] == "oom_gpu"
    card.free_bytes = card.total_bytes
    assert last_row(factors(), allocation)["error_message"] == "loaded"


def test_a_worker_without_gpus_asks_nothing() -> None:
    allocation = Allocation("w", Slot("cpu", 0, 1), "here", "cpu", "a CPU")
    assert last_row(factors(device="cpu"), allocation)["error_message"] == "loaded"
