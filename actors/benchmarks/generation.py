"""generation: the time and memory in which a model generates exactly `max_new_tokens` tokens.

Timed: `generate` alone, with every device of the model synchronized before and after. The prompt is built, tokenized
and moved before. The time of each step is taken when its logits are ready.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from actors.benchmarks.base import timed_rows
from actors.benchmarks.decoding import Strategy, decoding_of, generate
from actors.benchmarks.model import HoldsModel, ModelFactors
from sweeps.plan.declaration import Factors, PositiveInt
from sweeps.schema import COLUMNS, Columns
from sweeps.task import Row, Task

if TYPE_CHECKING:
    import torch

    from models.load import LoadedModel

NS_PER_S = 1e9


class GenerationFactors(ModelFactors):
    """A model, and how much it reads and writes."""

    max_new_tokens: PositiveInt = Field(
        default=32, description="tokens that are generated: exactly so many, because end tokens are suppressed"
    )
    prompt_words: PositiveInt = Field(
        default=32, description="words of the prompt, which is drawn from the built-in texts by the sweep's seed"
    )


class Generation(HoldsModel):
    """Greedy generation of a fixed number of tokens, one sequence at a time."""

    columns: ClassVar[Columns] = COLUMNS["generation"]
    factors: ClassVar[type[Factors]] = GenerationFactors

    def rows(self, held: "LoadedModel", task: Task, factors: GenerationFactors) -> Iterator[Row]:
        """Yield a row for each iteration; all have the same prompt.

        Raises:
            ModelUnsupported: prompt and new tokens together exceed the model's positions.
        """
        prompt_1L = prompt_for(held, factors, task.seed)
        strategy: Row = {"decoding_strategy": "greedy"}
        return timed_rows(task, lambda _: measure(held, prompt_1L, factors.max_new_tokens) | strategy)


def prompt_for(held: "LoadedModel", factors: GenerationFactors, seed: int) -> "torch.Tensor":
    """Return the token ids of a cell's prompt, shape (1, L).

    Raises:
        ModelUnsupported: prompt and new tokens together exceed the model's table of positions.
    """
    from models.positions import refuse_too_long

    prompt_1L = prompt_ids(held, factors.prompt_words, seed)
    refuse_too_long(
        held.files.name,
        held.model,
        prompt_1L.shape[1] + factors.max_new_tokens,
        what="prompt and new tokens are",
        remedy="choose fewer prompt_words or max_new_tokens",
    )
    return prompt_1L


def prompt_ids(held: "LoadedModel", words: int, seed: int) -> "torch.Tensor":
    """Return the token ids of `words` words of seeded text, shape (1, L), on the model's input device."""
    from models.builtin.cache import sample_text

    encoded = held.tokenizer(sample_text(words, seed), return_tensors="pt")
    return encoded["input_ids"].to(held.input_device)  # type: ignore[no-any-return]


def measure(
    held: "LoadedModel",
    prompt_1L: "torch.Tensor",
    max_new_tokens: int,
    strategy: Strategy = "greedy",
    seed: int = 0,
) -> Row:
    """Generate once, timed.

    Args:
        held: the model.
        prompt_1L: token ids on the model's input device.
        max_new_tokens: the exact number of tokens to generate.
        strategy: the decoding strategy.
        seed: random seed, for strategies that sample; the caller's random state is restored.

    Returns:
        The metrics of one row. TTFT is the time to the first new token's logits (prefill); TPOT the mean time
        of each further token, so that ttft_s + (new_tokens - 1) * tpot_s is inference_time_s.

    Raises:
        Unsupported: the strategy is 'default', and the model's own config does not choose one token a step.
    """
    import torch

    from actors.probes.memory import PeakMemory, synchronize

    steps = StepTimes(held.devices)
    decoding = decoding_of(held.model, strategy, max_new_tokens)
    with torch.inference_mode(), _seeded(held.devices, seed), PeakMemory(held.devices) as memory:
        synchronize(held.devices)
        started_ns = time.perf_counter_ns()
        output_1T = generate(held.model, prompt_1L, decoding, steps)
        synchronize(held.devices)
        inference_time_s = (time.perf_counter_ns() - started_ns) / NS_PER_S
    prompt_tokens = prompt_1L.shape[1]
    new_tokens = output_1T.shape[1] - prompt_tokens
    if not new_tokens == len(steps.times_ns) == max_new_tokens:
        raise RuntimeError(
            f"asked for exactly {max_new_tokens} new tokens, one a step; "
            f"{strategy} gave {new_tokens} in {len(steps.times_ns)} steps"
        )
    ttft_s = (steps.times_ns[0] - started_ns) / NS_PER_S
    tpot_s = (inference_time_s - ttft_s) / (new_tokens - 1) if new_tokens > 1 else None
    return memory.columns | {
        "revision": held.files.revision,
        "dtype_effective": held.dtype_name,
        "device_map_effective": held.device_map,
        "quantized_share": held.quantized_share,
        "prompt_tokens": prompt_tokens,
        "new_tokens": new_tokens,
        "inference_time_s": inference_time_s,
        "generation_rate_tokens_per_s": new_tokens / inference_time_s,
        "ttft_s": ttft_s,
        "tpot_s": tpot_s,
        "prefill_tokens_per_s": prompt_tokens / ttft_s,
        "decode_tokens_per_s": None if tpot_s is None else 1 / tpot_s,
        "generation_mode_effective": decoding.mode,
    }


class StepTimes:
    """A logits processor that changes nothing, and notes the time at which each step's logits are ready.

    A streamer could do this without beams only: generate() refuses a streamer together with beams.
    """

    def __init__(self, devices: "tuple[torch.device, ...]") -> None:
        from actors.probes.memory import synchronize

        self._synchronize = synchronize
        self._devices = devices
        self.times_ns: list[int] = []

    def __call__(self, _input_ids: "torch.Tensor", scores: "torch.Tensor") -> "torch.Tensor":
        """Note the time; generate() calls this once a step, with the ids so far and all beams' next logits."""
        self._synchronize(self._devices)
        self.times_ns.append(time.perf_counter_ns())
        return scores


@contextmanager
def _seeded(devices: "tuple[torch.device, ...]", seed: int) -> Iterator[None]:
    """Seed torch on the CPU and on `devices` inside the context, and restore its random state afterwards."""
    import torch

    with torch.random.fork_rng(devices=[device for device in devices if device.type == "cuda"]):
        torch.manual_seed(seed)
        yield
