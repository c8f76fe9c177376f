"""Every text once, no batch above the budget, and none lost when memory runs out."""

from collections.abc import Iterator

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from scoring import batching
from scoring.batching import BudgetedRunner, Unfit, collate, is_out_of_memory, plan


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
        assert result == (lengths[index] if lengths[index] <= memory else Unfit())
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
    assert len(list(runner.results([10] * 16, run))) == 16
    assert sizes[-8:] == [2] * 8


def test_other_errors_are_not_swallowed() -> None:
    def run(batch: list[int]) -> list[int]:
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    with pytest.raises(RuntimeError, match="shapes"):
        list(BudgetedRunner(100).results([1, 2], run))


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (torch.OutOfMemoryError("CUDA out of memory"), True),
        (MemoryError(), True),
        (RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory"), True),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate"), True),
        (RuntimeError("CUDA error: device-side assert triggered"), False),
        (ValueError("out of memory"), False),
    ],
)
def test_out_of_memory_is_told_from_other_errors(error: BaseException, expected: bool) -> None:
    assert is_out_of_memory(error) is expected


def test_a_real_allocation_that_fails_counts_as_out_of_memory() -> None:
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**58, dtype=torch.uint8)
    assert is_out_of_memory(caught.value)


def test_padding_is_on_the_right_and_known_by_length() -> None:
    ids_BL, real_BL = collate([[5, 6, 7], [8]], pad_id=6)
    assert ids_BL.tolist() == [[5, 6, 7], [8, 6, 6]]
    assert real_BL.tolist() == [[True, True, True], [True, False, False]]
