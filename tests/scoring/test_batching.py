"""Every text once, no batch above the budget, and none lost when memory runs out."""

from collections.abc import Iterator

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from scoring import batching
from scoring.batching import BudgetedRunner, DoesNotFit, collate, plan


@pytest.fixture(autouse=True, scope="module")
def _no_collection() -> Iterator[None]:
    """Collecting garbage after each of thousands of simulated failures would take minutes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(batching, "release_memory", lambda: None)
        yield


LENGTHS = st.lists(st.integers(1, 200), max_size=60)


@given(LENGTHS, st.integers(1, 500))
def test_batches_hold_every_text_once_within_the_budget(lengths: list[int], budget: int) -> None:
    batches = plan(lengths, range(len(lengths)), budget)
    assert sorted(index for batch in batches for index in batch) == list(range(len(lengths)))
    for batch in batches:
        assert len(batch) == 1 or len(batch) * max(lengths[index] for index in batch) <= budget


@given(LENGTHS, st.integers(1, 3000), st.integers(1, 300))
def test_memory_that_runs_out_loses_no_text(lengths: list[int], budget: int, memory: int) -> None:
    def run(batch: list[int]) -> list[int]:
        if len(batch) * max(lengths[index] for index in batch) > memory:
            raise MemoryError
        return [lengths[index] for index in batch]

    runner = BudgetedRunner(budget)
    results = list(runner.results(lengths, run))
    assert sorted(index for index, _ in results) == list(range(len(lengths)))
    for index, result in results:
        assert result == (lengths[index] if lengths[index] <= memory else DoesNotFit())
    assert runner.token_budget <= budget


def test_the_budget_halves_and_stays() -> None:
    sizes: list[int] = []

    def run(batch: list[int]) -> list[int]:
        sizes.append(len(batch))
        if len(batch) > 3:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate")
        return batch

    runner = BudgetedRunner(160)
    assert len(list(runner.results([10] * 16, run))) == 16
    assert sizes[:4] == [16, 8, 4, 2]
    sizes.clear()
    assert len(list(runner.results([10] * 16, run))) == 16
    assert sizes == [2] * 8, "the next texts begin with the smaller budget"


def budget_after(error: Exception) -> int:
    """Budget of a runner, from 40, after `error` met two texts that fit only alone."""

    def run(batch: list[int]) -> list[int]:
        if len(batch) > 1:
            raise error
        return batch

    runner = BudgetedRunner(40)
    assert sorted(runner.results([10, 10], run)) == [(0, 0), (1, 1)]
    return runner.token_budget


@pytest.mark.parametrize(
    "sign",
    ["out of memory", "alloc_failed", "can't allocate memory", "cannot allocate memory", "not enough memory"],
)
def test_every_sign_of_memory_that_ran_out_halves_the_budget(sign: str) -> None:
    assert budget_after(RuntimeError(f"Allocator: {sign.capitalize()}: you tried to allocate 4 bytes")) == 10


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory"),
        MemoryError(),
        OSError(12, "Cannot allocate memory"),
        RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate"),
        RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
        RuntimeError("HIP out of memory. Tried to allocate 2 GiB"),
    ],
    ids=str,
)
def test_errors_as_libraries_word_them_halve_the_budget(error: Exception) -> None:
    assert budget_after(error) == 10


def test_a_real_allocation_that_fails_halves_the_budget() -> None:
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**58, dtype=torch.uint8)
    assert budget_after(caught.value) == 10


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("mat1 and mat2 shapes cannot be multiplied"),
        RuntimeError("CUDA error: device-side assert triggered"),
        ValueError("out of memory"),
    ],
    ids=str,
)
def test_other_errors_are_not_swallowed(error: Exception) -> None:
    with pytest.raises(type(error)) as caught:
        budget_after(error)
    assert caught.value is error


def test_padding_is_on_the_right_and_known_by_length() -> None:
    ids_BL, real_BL = collate([[5, 6, 7], [8]], pad_id=6)
    assert ids_BL.tolist() == [[5, 6, 7], [8, 6, 6]]
    assert real_BL.tolist() == [[True, True, True], [True, False, False]]
