"""The generation benchmark's rows agree with independent counts and times."""

import time
from typing import Any

import pytest
import torch
from transformers import LogitsProcessor

from actors.benchmarks.generation import Generation, GenerationFactors, measure, prompt_ids
from models.load import LoadedModel, load_model, unload
from sweeps.metric_columns import GENERATION, MEMORY
from sweeps.schema import COLUMNS
from sweeps.task import Slot, Task

QUANTIZATIONS = ["none", "4-bit", "8-bit"]


@pytest.fixture(scope="module", params=QUANTIZATIONS)
def held(request: pytest.FixtureRequest) -> Any:
    loaded = load_model("builtin://tiny-base", quantization=request.param)
    yield loaded
    unload(loaded)


class Count(LogitsProcessor):  # type: ignore[misc]
    """Counts steps inside the model's own forward calls, not in generate()."""

    def __init__(self, model: torch.nn.Module) -> None:
        self.positions = 0
        self.calls = 0
        model.register_forward_hook(self._note)

    def _note(self, _module: Any, _inputs: Any, output: Any) -> None:
        self.calls += 1


@pytest.mark.parametrize("new_tokens", [1, 2, 9])
def test_exactly_so_many_tokens_each_one_step(held: LoadedModel, new_tokens: int) -> None:
    steps = Count(held.model)
    prompt = prompt_ids(held, 12, seed=0)
    row = measure(held, prompt, new_tokens)
    assert row["new_tokens"] == new_tokens == steps.calls
    assert row["prompt_tokens"] == prompt.shape[1]


def test_times_add_up(held: LoadedModel) -> None:
    started_s = time.perf_counter()
    row = measure(held, prompt_ids(held, 12, seed=0), 8)
    elapsed_s = time.perf_counter() - started_s
    assert 0 < row["ttft_s"] < row["inference_time_s"] < elapsed_s
    assert row["ttft_s"] + 7 * row["tpot_s"] == pytest.approx(row["inference_time_s"])
    assert row["generation_rate_tokens_per_s"] == pytest.approx(8 / row["inference_time_s"])
    assert row["prefill_tokens_per_s"] == pytest.approx(row["prompt_tokens"] / row["ttft_s"])
    assert row["decode_tokens_per_s"] == pytest.approx(1 / row["tpot_s"])


def test_one_token_has_no_time_per_further_token(held: LoadedModel) -> None:
    row = measure(held, prompt_ids(held, 12, seed=0), 1)
    assert (row["tpot_s"], row["decode_tokens_per_s"]) == (None, None)


def test_every_metric_has_its_column(held: LoadedModel) -> None:
    row = measure(held, prompt_ids(held, 12, seed=0), 4)
    assert row.keys() - {"revision"} <= COLUMNS["generation"].metrics.keys()
    assert GENERATION.keys() <= row.keys()
    assert {"peak_rss_bytes", "peak_rss_method"} <= row.keys() & MEMORY.keys()


def test_end_tokens_do_not_end_it() -> None:
    loaded = load_model("builtin://tiny-base")
    prompt = prompt_ids(loaded, 12, seed=0)
    with torch.inference_mode():
        first = int(loaded.model(prompt).logits[0, -1].argmax())
    loaded.model.generation_config.eos_token_id = first  # greedy search would stop at once
    assert measure(loaded, prompt, 6)["new_tokens"] == 6


def test_the_benchmark_is_greedy_whatever_the_model_s_own_settings_are() -> None:
    loaded = load_model("builtin://tiny-base")
    loaded.model.generation_config.do_sample = True
    task = Task("s", "generation", {}, Slot("cpu", 0, 1), "k", 2, 1, seed=0, round=0, order_index=0)
    factors = GenerationFactors(device="cpu", cpu_cores=1, model="builtin://tiny-base", max_new_tokens=3)
    rows = list(Generation().rows(loaded, task, factors))
    assert [(row["decoding_strategy"], row["generation_mode_effective"]) for row in rows] == [
        ("greedy", "greedy_search")
    ] * 2
    assert rows[0].keys() <= COLUMNS["generation"].metrics.keys() | {"revision"}


@pytest.mark.parametrize(
    ("quantization", "layer"), [("none", "Linear"), ("4-bit", "Linear4bit"), ("8-bit", "Linear8bitLt")]
)
def test_quantization_is_real_on_the_cpu(quantization: Any, layer: str) -> None:
    loaded = load_model("builtin://tiny-base", quantization=quantization, dtype="float32")
    projection = loaded.model.model.layers[0].mlp.up_proj
    assert type(projection).__name__ == layer
    bits = {"none": 32, "4-bit": 4, "8-bit": 8}[quantization]
    weight = projection.weight
    assert weight.numel() * weight.element_size() * 8 == projection.in_features * projection.out_features * bits


def test_prompts_are_seeded() -> None:
    loaded = load_model("builtin://tiny-base")
    first, again, other = (prompt_ids(loaded, 20, seed) for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert first.shape != other.shape or not torch.equal(first, other)


def test_a_model_on_the_cpu_cannot_be_shared_out() -> None:
    with pytest.raises(ValueError, match="cpu has none"):
        GenerationFactors(device="cpu", cpu_cores=1, model="m", device_map="auto")
    assert Generation.resource_kind == "model"
