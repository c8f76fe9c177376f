"""decoding_strategy: the cost of each of seven strategies of choosing tokens; timed and counted as in `generation`."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar, Final

from pydantic import Field

from actors.benchmarks.base import timed_rows
from actors.benchmarks.decoding import Strategy
from actors.benchmarks.generation import GenerationFactors, measure, prompt_for
from actors.benchmarks.model import HoldsModel
from sweeps.plan.declaration import Factors
from sweeps.schema import COLUMNS, Columns
from sweeps.task import Row, Task, digest

if TYPE_CHECKING:
    from models.load import LoadedModel

SEEDS: Final = 2**63
"""Number of seeds that torch accepts, negative ones left out."""


class DecodingStrategyFactors(GenerationFactors):
    """A model, how much it reads and writes, and how it chooses what to write."""

    decoding_strategy: Strategy = Field(
        default="greedy",
        description='rule that chooses each token; `"default"` is the model\'s own generation config, and '
        "docs/measurements.md has the settings of the others",
    )


class DecodingStrategy(HoldsModel):
    """Generation of a fixed number of tokens by one strategy, one sequence at a time."""

    columns: ClassVar[Columns] = COLUMNS["decoding_strategy"]
    factors: ClassVar[type[Factors]] = DecodingStrategyFactors

    def rows(self, held: "LoadedModel", task: Task, factors: DecodingStrategyFactors) -> Iterator[Row]:
        """Yield a row for each iteration; all have the same prompt, and each has its own random seed.

        Raises:
            ModelUnsupported: prompt and new tokens together exceed the model's positions.
        """
        prompt_1L = prompt_for(held, factors, task.seed)
        tokens, strategy = factors.max_new_tokens, factors.decoding_strategy
        return timed_rows(
            task, lambda number: measure(held, prompt_1L, tokens, strategy, seed=sampling_seed(task.seed, number))
        )


def sampling_seed(task_seed: int, number: int) -> int:
    """Return the seed of one run of a task, a digest, so that neighbouring seeds and runs are unrelated.

    Args:
        task_seed: seed of the sweep.
        number: number of the run, negative for warm-ups.
    """
    return int(digest([task_seed, number]), 16) % SEEDS
