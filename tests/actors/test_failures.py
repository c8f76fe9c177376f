"""Exceptions become the right statuses."""

import pytest
import torch

from actors.failures import MAX_MESSAGE, TaskTimeout, classify
from models.errors import ModelDamaged, ModelUnavailable, ModelUnsupported
from scoring.errors import CorpusUnavailable
from sweeps.errors import Unsupported

CASES = [
    (ValueError("x"), "error", False),
    (KeyError("x"), "error", False),
    (MemoryError(), "oom_host", False),
    (RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory"), "oom_host", False),
    (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"), "oom_gpu", False),
    (RuntimeError("CUDA error: out of memory"), "oom_gpu", False),
    (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate(handle)"), "oom_gpu", False),
    (RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"), "oom_gpu", False),
    (RuntimeError("HIP out of memory. Tried to allocate 2 GiB"), "oom_gpu", False),
    (OSError("CUDA out of memory"), "oom_gpu", False),
    (OSError(12, "Cannot allocate memory"), "oom_host", False),
    (ValueError("out of memory"), "error", False),
    (RuntimeError("CUDA error: device-side assert triggered"), "error", True),
    (Unsupported("x"), "unsupported", False),
    (ModelUnavailable("x"), "unavailable", False),
    (CorpusUnavailable("x"), "unavailable", False),
    (ModelUnsupported("x"), "unsupported", False),
    (ModelDamaged("x"), "error", False),
    (TaskTimeout("x"), "timeout", False),
]


@pytest.mark.parametrize(("error", "status", "poisons"), CASES, ids=[f"{type(e).__name__}-{s}" for e, s, _ in CASES])
def test_status(error: Exception, status: str, poisons: bool) -> None:
    failure = classify(error)
    assert (failure.status, failure.poisons_device, failure.error_type) == (status, poisons, type(error).__name__)
    assert failure.message


@pytest.mark.parametrize(
    ("sign", "status"),
    [
        ("out of memory", "oom_gpu"),
        ("alloc_failed", "oom_gpu"),
        ("can't allocate memory", "oom_host"),
        ("cannot allocate memory", "oom_host"),
        ("not enough memory", "oom_host"),
    ],
)
def test_every_sign_of_memory_that_ran_out_has_a_status(sign: str, status: str) -> None:
    assert classify(RuntimeError(f"Allocator: {sign.capitalize()}: you tried to allocate 4 bytes")).status == status


def test_a_long_message_keeps_its_end() -> None:
    assert classify(ValueError("a" * 5000 + " the reason")).message.endswith(" the reason")
    assert len(classify(ValueError("a" * 5000)).message) == MAX_MESSAGE
