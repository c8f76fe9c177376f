"""Which texts go through the models together, and what happens when they do not fit.

Lengths sorted, longest first, so that a batch pads little and the largest one is tried first; a budget counts
tokens with their padding. An out-of-memory error halves the budget and the texts are batched again; one that
does not fit alone is handed back. Invariant: every text is either scored or handed back, exactly once.
Shapes: B texts, L padded length.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor

from models.load import release_memory
from models.oom import is_oom

Result = TypeVar("Result")


@dataclass(frozen=True)
class Unfit:
    """In the place of a result: the text does not fit into memory even alone."""


def plan(lengths: Sequence[int], indices: Sequence[int], token_budget: int) -> list[list[int]]:
    """Split `indices` into batches whose padded size keeps to the budget; a longer text goes alone.

    Args:
        lengths: Tokens of every text.
        indices: Which of them to batch.
        token_budget: Most tokens of one batch, padding included.
    """
    batches: list[list[int]] = []
    for index in sorted(indices, key=lambda index: (-lengths[index], index)):
        longest = lengths[batches[-1][0]] if batches else 0
        if batches and (len(batches[-1]) + 1) * longest <= token_budget:
            batches[-1].append(index)
        else:
            batches.append([index])
    return batches


def collate(texts: Sequence[Sequence[int]], pad_id: int) -> tuple[Tensor, Tensor]:
    """Token ids [B, L] padded on the right, and which of them are real, as booleans [B, L].

    Any id pads, eos too: what is real is known by lengths, never by ids.
    """
    lengths_B = torch.tensor([len(ids) for ids in texts])
    real_BL = torch.arange(int(lengths_B.max())) < lengths_B[:, None]
    ids_BL = torch.full(real_BL.shape, pad_id)
    ids_BL[real_BL] = torch.tensor([token for ids in texts for token in ids])
    return ids_BL, real_BL


class BudgetedRunner:
    """Runs batches under a token budget that shrinks when memory runs out, and stays shrunk."""

    def __init__(self, token_budget: int) -> None:
        self.token_budget = token_budget

    def results(
        self, lengths: Sequence[int], run: Callable[[list[int]], list[Result]]
    ) -> Iterator[tuple[int, Result | Unfit]]:
        """Index and result of every text, in the order they are run.

        Args:
            lengths: Tokens of every text.
            run: Gets the indices of a batch and returns one result for each, in that order.
        """
        batches = plan(lengths, range(len(lengths)), self.token_budget)[::-1]
        while batches:
            batch = batches.pop()
            results = _try(run, batch)
            if results is not None:
                yield from zip(batch, results, strict=True)
            elif len(batch) == 1:
                yield batch[0], Unfit()
            else:
                self.token_budget = len(batch) * lengths[batch[0]] // 2
                rest = [index for waiting in [batch, *batches] for index in waiting]
                batches = plan(lengths, rest, self.token_budget)[::-1]


def _try(run: Callable[[list[int]], list[Result]], batch: list[int]) -> list[Result] | None:
    try:
        return run(batch)
    except Exception as error:
        if not is_oom(error):
            raise
    release_memory()  # only here: while the error lives, its frames hold the tensors
    return None
