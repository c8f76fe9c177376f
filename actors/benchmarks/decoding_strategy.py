"""decoding_strategy: what choosing tokens in one of seven ways costs; timed and counted as in `generation`."""

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
"""How many seeds torch takes without a sign."""


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
        """One row an iteration, all with the same prompt; what is drawn is drawn anew in each.

        Raises:
            ModelUnsupported: prompt and new tokens are more than the model has positions for.
        """
        prompt_1L = prompt_for(held, factors, task.seed)
        tokens, strategy = factors.max_new_tokens, factors.decoding_strategy
        return timed_rows(
            task, lambda number: measure(held, prompt_1L, tokens, strategy, seed=sampling_seed(task.seed, number))
        )


def sampling_seed(task_seed: int, number: int) -> int:
    """The seed of one run of a task: neighbouring seeds and runs share nothing.

    Args:
        task_seed: the sweep's.
        number: of the run, negative for warm-ups.
    """
    return int(digest([task_seed, number]), 16) % SEEDS
