"""generation: how fast a model makes exactly `max_new_tokens` tokens, and what memory that takes.

Timed: `generate` alone, with every device of the model synchronized before and after; the prompt is built,
tokenized and moved before. The time of each step is taken where its logits are ready.
"""

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, ClassVar

from actors.benchmarks.base import timed_rows
from actors.benchmarks.model import HoldsModel, ModelFactors
from sweeps.factors import Factors, PositiveInt
from sweeps.task import Row, Task

if TYPE_CHECKING:
    import torch

    from models.load import LoadedModel

NS_PER_S = 1e9


class GenerationFactors(ModelFactors):
    """A model, and how much it reads and writes."""

    max_new_tokens: PositiveInt = 32
    prompt_words: PositiveInt = 32


class Generation(HoldsModel):
    """Greedy generation of a fixed number of tokens, one sequence at a time."""

    factors: ClassVar[type[Factors]] = GenerationFactors

    def rows(self, held: "LoadedModel", task: Task, factors: GenerationFactors) -> Iterator[Row]:
        """One row an iteration, all with the same prompt."""
        prompt_1L = prompt_ids(held, factors.prompt_words, task.seed)
        return timed_rows(task, lambda _: measure(held, prompt_1L, factors.max_new_tokens))


def prompt_ids(held: "LoadedModel", words: int, seed: int) -> "torch.Tensor":
    """Token ids of `words` seeded words of text, shape (1, L), on the device where the model takes them."""
    from models.embedded import sample_text

    encoded = held.tokenizer(sample_text(words, seed), return_tensors="pt")
    return encoded["input_ids"].to(held.input_device)  # type: ignore[no-any-return]


def measure(held: "LoadedModel", prompt_1L: "torch.Tensor", max_new_tokens: int) -> Row:
    """Generate once, timed.

    Returns:
        The metrics of one row. TTFT is the time to the first new token's logits (prefill); TPOT the mean time
        of each further token, so that ttft_s + (new_tokens - 1) * tpot_s is inference_time_s.
    """
    import torch

    from actors.memory import PeakMemory, synchronize

    steps = StepTimes(held.devices)
    settings = greedy_settings(held, max_new_tokens)
    with torch.inference_mode(), PeakMemory(held.devices) as memory:
        synchronize(held.devices)
        started_ns = time.perf_counter_ns()
        output_1N = held.model.generate(
            prompt_1L,
            attention_mask=torch.ones_like(prompt_1L),
            generation_config=settings,
            logits_processor=[steps],
        )
        synchronize(held.devices)
        inference_time_s = (time.perf_counter_ns() - started_ns) / NS_PER_S
    prompt_tokens = prompt_1L.shape[1]
    new_tokens = output_1N.shape[1] - prompt_tokens
    if new_tokens != max_new_tokens:
        raise RuntimeError(f"asked for exactly {max_new_tokens} new tokens, the model gave {new_tokens}")
    ttft_s = (steps.times_ns[0] - started_ns) / NS_PER_S
    tpot_s = (inference_time_s - ttft_s) / (new_tokens - 1) if new_tokens > 1 else None
    return memory.columns | {
        "revision": held.files.revision,
        "dtype_effective": held.dtype_name,
        "device_map_effective": held.device_map,
        "prompt_tokens": prompt_tokens,
        "new_tokens": new_tokens,
        "inference_time_s": inference_time_s,
        "generation_rate_tokens_per_s": new_tokens / inference_time_s,
        "ttft_s": ttft_s,
        "tpot_s": tpot_s,
        "prefill_tokens_per_s": prompt_tokens / ttft_s,
        "decode_tokens_per_s": None if tpot_s is None else 1 / tpot_s,
        "decoding_strategy": "greedy",
    }


class StepTimes:
    """A logits processor that changes nothing and notes when each step's logits were ready.

    A streamer would do for greedy search only: generate() refuses one together with beams.
    """

    def __init__(self, devices: "tuple[torch.device, ...]") -> None:
        from actors.memory import synchronize

        self._synchronize = synchronize
        self._devices = devices
        self.times_ns: list[int] = []

    def __call__(self, _input_ids: "torch.Tensor", scores: "torch.Tensor") -> "torch.Tensor":
        """Called by generate() with the ids so far and the next token's logits."""
        self._synchronize(self._devices)
        self.times_ns.append(time.perf_counter_ns())
        return scores


def greedy_settings(held: "LoadedModel", new_tokens: int) -> Any:
    """A generation config of its own, so that nothing leaks into the next task through the model's.

    Exactly `new_tokens` come out: min equals max, which suppresses every end token the model knows.
    """
    from transformers import GenerationConfig

    end_ids = held.model.generation_config.eos_token_id
    return GenerationConfig(
        max_new_tokens=new_tokens,
        min_new_tokens=new_tokens,
        do_sample=False,
        num_beams=1,
        use_cache=True,
        eos_token_id=end_ids,
        pad_token_id=end_ids[0] if isinstance(end_ids, list) else end_ids,
    )
