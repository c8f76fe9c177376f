"""Batches of texts under a token budget, and their retry when memory runs out.

Texts are sorted by length, longest first: a batch pads little, and the largest batch is tried first. The budget counts
tokens with their padding. An out-of-memory error halves the budget, and the remaining texts are batched again. A text
that does not fit alone has the result `DoesNotFit`. Invariant: every text has exactly one result.
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
class DoesNotFit:
    """Result of a text that does not fit into memory even alone."""


def plan(lengths: Sequence[int], indices: Sequence[int], token_budget: int) -> list[list[int]]:
    """Split `indices` into batches whose padded size keeps to the budget. A text longer than the budget is alone.

    Args:
        lengths: Tokens of every text.
        indices: Texts to batch, as positions in `lengths`.
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
    """Return token ids [B, L], padded on the right, and a mask [B, L] that is True for the texts' own tokens.

    Any id may pad, eos included: the mask comes from the lengths, never from the ids.
    """
    lengths_B = torch.tensor([len(ids) for ids in texts])
    real_BL = torch.arange(int(lengths_B.max())) < lengths_B[:, None]
    ids_BL = torch.full(real_BL.shape, pad_id)
    ids_BL[real_BL] = torch.tensor([token for ids in texts for token in ids])
    return ids_BL, real_BL


class BudgetedRunner:
    """Runs batches under a token budget that halves when memory runs out, and stays halved."""

    def __init__(self, token_budget: int) -> None:
        self.token_budget = token_budget

    def results(
        self, lengths: Sequence[int], run: Callable[[list[int]], list[Result]]
    ) -> Iterator[tuple[int, Result | DoesNotFit]]:
        """Yield index and result of every text, in the order in which the texts are run.

        Args:
            lengths: Tokens of every text.
            run: Takes the indices of a batch and returns a result for each, in that order.
        """
        batches = plan(lengths, range(len(lengths)), self.token_budget)[::-1]
        while batches:
            batch = batches.pop()
            results = _try(run, batch)
            if results is not None:
                yield from zip(batch, results, strict=True)
            elif len(batch) == 1:
                yield batch[0], DoesNotFit()
            else:
                self.token_budget = len(batch) * lengths[batch[0]] // 2
                rest = [index for waiting in [batch, *batches] for index in waiting]
                batches = plan(lengths, rest, self.token_budget)[::-1]


def _try(run: Callable[[list[int]], list[Result]], batch: list[int]) -> list[Result] | None:
    """Run a batch; None where memory ran out."""
    try:
        return run(batch)
    except Exception as error:
        if not is_oom(error):
            raise
    release_memory()  # not within `except`: the frames of a living error hold the tensors
    return None
