"""logits: the cost of one forward pass over a text in time and, above all, in memory.

Timed: `model(ids)` alone, until the logits of every position are in memory; every device of the model is synchronized
before and after. The text is tokenized and moved before.

Shapes: L tokens of the input, V entries of the vocabulary.
"""

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar, Final

from pydantic import Field

from actors.benchmarks.base import timed_rows
from actors.benchmarks.generation import prompt_ids
from actors.benchmarks.model import HoldsModel, ModelFactors
from sweeps.plan.declaration import Factors, PositiveInt
from sweeps.schema import COLUMNS, Columns
from sweeps.task import Row, Task

if TYPE_CHECKING:
    import torch

    from actors.probes.memory import MemoryUse
    from models.load import LoadedModel

NS_PER_S: Final = 1e9


class LogitsFactors(ModelFactors):
    """A model, and how much it reads."""

    input_words: PositiveInt = Field(
        default=100, description="words of the text, which is drawn from the built-in texts by the sweep's seed"
    )


class Logits(HoldsModel):
    """One forward pass over one text."""

    columns: ClassVar[Columns] = COLUMNS["logits"]
    factors: ClassVar[type[Factors]] = LogitsFactors
    memory_grows_with: ClassVar[str | None] = "input_words"

    def rows(self, held: "LoadedModel", task: Task, factors: LogitsFactors) -> Iterator[Row]:
        """Yield a row for each iteration; all have the same text.

        Raises:
            ModelUnsupported: the text has more tokens than the model has positions.
        """
        from models.positions import refuse_too_long

        input_1L = prompt_ids(held, factors.input_words, task.seed)
        refuse_too_long(
            held.files.name, held.model, input_1L.shape[1], what="the input has", remedy="choose fewer input_words"
        )
        baseline = memory_baseline(held, input_1L)
        return timed_rows(task, lambda _: measure(held, input_1L, baseline))


def measure(held: "LoadedModel", input_1L: "torch.Tensor", baseline: "MemoryUse") -> Row:
    """Make one forward pass, timed; its output is freed before this returns.

    Args:
        held: the model.
        input_1L: token ids on the model's input device.
        baseline: memory in use before any pass, from `memory_baseline`.

    Returns:
        The metrics of one row.
    """
    import torch

    from actors.probes.memory import PeakMemory, synchronize

    with torch.inference_mode(), PeakMemory(held.devices) as memory:
        synchronize(held.devices)
        started_ns = time.perf_counter_ns()
        logits_1LV = held.model(input_1L).logits
        synchronize(held.devices)
        calculation_time_s = (time.perf_counter_ns() - started_ns) / NS_PER_S
    input_tokens = input_1L.shape[1]
    if logits_1LV.shape[:2] != input_1L.shape:
        raise RuntimeError(f"{input_tokens} tokens gave logits of shape {tuple(logits_1LV.shape)}, not one for each")
    return (
        memory.columns
        | memory.above_baseline(baseline)
        | memory.by_device
        | {
            "revision": held.files.revision,
            "dtype_effective": held.dtype_name,
            "device_map_effective": held.device_map,
            "quantized_share": held.quantized_share,
            "input_tokens": input_tokens,
            "calculation_time_s": calculation_time_s,
            "calculation_rate_tokens_per_s": input_tokens / calculation_time_s,
        }
    )


def memory_baseline(held: "LoadedModel", input_1L: "torch.Tensor") -> "MemoryUse":
    """Return the memory in use with the model loaded and nothing running, with which the peaks are compared.

    Call this once a task, before the warm-ups. Right before each pass, the baseline would include memory that the
    allocators keep from the pass before, and the next pass would seem to need none. To release that memory before each
    pass would slow down the timed code.
    """
    import torch

    from actors.probes.memory import memory_use
    from models.load import release_memory
    from models.touch import cpu_tensors, touch

    # Memory that is allocated once and stays is no memory of this input: mapped weights, libraries at first use.
    touch(cpu_tensors(held.model))
    with torch.inference_mode():
        held.model(input_1L[:, :1])
    release_memory()
    return memory_use(held.devices)
