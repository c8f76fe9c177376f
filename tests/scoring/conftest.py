"""Fixtures that the tests of scoring share."""

from collections.abc import Iterator

import pytest
import torch

from models.load import LoadedModel
from tests.scoring.families import random_pair


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> Iterator[None]:
    """Tensors this small wait for threads longer than they compute, above all on a busy machine."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def llama_pair() -> tuple[LoadedModel, LoadedModel]:
    """The pair that tests use where the family does not matter."""
    return random_pair("llama")
