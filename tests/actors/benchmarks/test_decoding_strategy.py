"""Seven strategies on one model: exact in length, measured step by step, and independent of each other."""

import copy
from collections.abc import Iterator
from typing import Any, get_args

import pytest
import torch
from transformers import GenerationConfig
from transformers.generation import configuration_utils

from actors.benchmarks import BENCHMARKS, generation
from actors.benchmarks.decoding import SETTINGS, Strategy, decoding_of
from actors.benchmarks.decoding_strategy import DecodingStrategyFactors, sampling_seed
from actors.benchmarks.generation import StepTimes, measure, prompt_ids
from models.load import LoadedModel, load_model, unload
from sweeps.errors import Unsupported
from sweeps.metric_columns import GENERATION, MEMORY
from sweeps.schema import COLUMNS
from sweeps.store.rows import measured_row
from sweeps.task import Lease, Slot, Task

STRATEGIES: tuple[Strategy, ...] = get_args(Strategy)
DRAWING: tuple[Strategy, ...] = ("sampling", "beam_search_sampling")
MODES = {
    "default": "greedy_search",
    "greedy": "greedy_search",
    "sampling": "sample",
    "beam_search": "beam_search",
    "beam_search_sampling": "beam_sample",
    "diverse_beam_search": "group_beam_search",
    "contrastive": "contrastive_search",
}
NEW_TOKENS = 6


@pytest.fixture(scope="module")
def loaded() -> Iterator[LoadedModel]:
    model = load_model("builtin://tiny-base", dtype="float32")
    yield model
    unload(model)


@pytest.fixture
def held(loaded: LoadedModel) -> Iterator[LoadedModel]:
    """Return the model with a generation config that the test may change."""
    own = loaded.model.generation_config
    loaded.model.generation_config = copy.deepcopy(own)
    yield loaded
    loaded.model.generation_config = own


@pytest.fixture
def outputs(held: LoadedModel, monkeypatch: pytest.MonkeyPatch) -> list[list[int]]:
    """Collect the tokens that each generate() of the model adds to the prompt."""
    return recorded(held, monkeypatch)


def recorded(held: LoadedModel, monkeypatch: pytest.MonkeyPatch) -> list[list[int]]:
    seen: list[list[int]] = []
    own = held.model.generate

    def generate(prompt_1L: torch.Tensor, **arguments: Any) -> torch.Tensor:
        ids: torch.Tensor = own(prompt_1L, **arguments)
        seen.append(ids[0, prompt_1L.shape[1] :].tolist())
        return ids

    monkeypatch.setattr(held.model, "generate", generate)
    return seen


def task(strategy: str, *, iterations: int = 2, seed: int = 0) -> Task:
    factors = {
        "model": "builtin://tiny-base",
        "device": "cpu",
        "cpu_cores": 1,
        "decoding_strategy": strategy,
        "max_new_tokens": NEW_TOKENS,
        "prompt_words": 9,
    }
    slot = Slot("cpu", 0, 1)
    return Task("s", "decoding_strategy", factors, slot, "k", iterations, 1, seed=seed, round=0, order_index=0)


def rows_of(held: LoadedModel, cell: Task) -> list[dict[str, Any]]:
    factors = DecodingStrategyFactors.model_validate(dict(cell.factors))
    return list(BENCHMARKS["decoding_strategy"].rows(held, cell, factors))


def test_the_levels_are_the_published_ones_and_any_other_is_refused() -> None:
    assert set(STRATEGIES) == set(MODES) == {"default", *SETTINGS}
    with pytest.raises(ValueError, match="'contrastive'"):
        DecodingStrategyFactors.model_validate(dict(task("group").factors))


def test_it_shares_the_model_with_generation() -> None:
    ours, theirs = BENCHMARKS["decoding_strategy"], BENCHMARKS["generation"]
    assert (ours.resource_kind, ours.load_factors) == (theirs.resource_kind, theirs.load_factors)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_rows_fit_the_schema_and_say_what_took_effect(held: LoadedModel, strategy: Strategy) -> None:
    cell = task(strategy)
    rows = [
        measured_row(Lease(cell, 1), COLUMNS[cell.benchmark], number, {}, row)
        for number, row in enumerate(rows_of(held, cell))
    ]
    assert len(rows) == cell.iterations
    for row in rows:
        assert GENERATION.keys() | COLUMNS["decoding_strategy"].factors.keys() - {"max_memory"} <= row.keys()
        assert row.keys() & MEMORY.keys() >= {"peak_rss_bytes", "peak_rss_method"}
        assert (row["decoding_strategy"], row["generation_mode_effective"]) == (strategy, MODES[strategy])


@pytest.mark.parametrize("new_tokens", [1, NEW_TOKENS])
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_exactly_so_many_tokens_one_a_step_though_the_model_would_end_at_once(
    held: LoadedModel, strategy: Strategy, new_tokens: int, outputs: list[list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    prompt_1L = prompt_ids(held, 9, seed=0)
    with torch.inference_mode():
        end = int(held.model(prompt_1L).logits[0, -1].argmax())
    held.model.generation_config.eos_token_id = end
    clocks: list[StepTimes] = []

    class Clock(StepTimes):
        def __init__(self, devices: Any) -> None:
            super().__init__(devices)
            clocks.append(self)

    monkeypatch.setattr(generation, "StepTimes", Clock)
    row = measure(held, prompt_1L, new_tokens, strategy)
    assert [len(clock.times_ns) for clock in clocks] == [new_tokens]
    assert row["new_tokens"] == new_tokens == len(outputs[0])
    assert row["prompt_tokens"] == prompt_1L.shape[1]
    assert end not in outputs[0]


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_times_add_up(held: LoadedModel, strategy: Strategy) -> None:
    row = measure(held, prompt_ids(held, 9, seed=0), NEW_TOKENS, strategy)
    assert 0 < row["ttft_s"] < row["inference_time_s"]
    assert row["ttft_s"] + (NEW_TOKENS - 1) * row["tpot_s"] == pytest.approx(row["inference_time_s"])
    assert row["generation_rate_tokens_per_s"] == pytest.approx(NEW_TOKENS / row["inference_time_s"])


def test_a_run_that_is_not_one_step_a_token_is_an_error(held: LoadedModel, monkeypatch: pytest.MonkeyPatch) -> None:
    own = held.model.generate
    monkeypatch.setattr(held.model, "generate", lambda *prompt, **others: own(*prompt, **others)[:, :-1])
    with pytest.raises(RuntimeError, match=r"asked for exactly 6 .* beam_search gave 5 in 6 steps"):
        measure(held, prompt_ids(held, 9, seed=0), NEW_TOKENS, "beam_search")


@pytest.mark.slow
def test_order_changes_nothing_nor_is_anything_left_behind(held: LoadedModel, outputs: list[list[int]]) -> None:
    own, settings = held.model.generation_config, held.model.generation_config.to_dict()
    torch.manual_seed(5)
    undisturbed = torch.rand(3)
    torch.manual_seed(5)
    written = []
    for order in (STRATEGIES, STRATEGIES[::-1]):
        outputs.clear()
        for strategy in order:
            rows_of(held, task(strategy))
        runs = [outputs[start : start + 3] for start in range(0, len(outputs), 3)]  # a warm-up and two iterations
        written.append(dict(zip(order, runs, strict=True)))
    assert written[0] == written[1]
    assert len({tuple(run[0]) for run in written[0].values()}) > 4, "strategies that differ in what they write"
    assert held.model.generation_config is own
    assert own.to_dict() == settings
    assert torch.equal(torch.rand(3), undisturbed)


def test_the_model_s_own_settings_reach_default_alone(held: LoadedModel, outputs: list[list[int]]) -> None:
    prompt_1L = prompt_ids(held, 9, seed=0)
    for strategy in STRATEGIES:
        measure(held, prompt_1L, NEW_TOKENS, strategy, seed=3)
    plain = dict(zip(STRATEGIES, outputs, strict=True))
    outputs.clear()
    own = held.model.generation_config
    own.suppress_tokens = sorted({token for tokens in plain.values() for token in tokens})  # None switches it off
    own.repetition_penalty = 3.0
    own.min_p, own.top_k, own.top_p, own.temperature = 0.9, 1, 0.5, 0.1
    own.num_beam_groups, own.penalty_alpha = 1, 0.1
    own.length_penalty, own.no_repeat_ngram_size = -2.0, 1
    own.max_length, own.min_length, own.num_return_sequences = 7, 3, 1
    for strategy in STRATEGIES:
        measure(held, prompt_1L, NEW_TOKENS, strategy, seed=3)
    shipped = dict(zip(STRATEGIES, outputs, strict=True))
    assert not set(shipped.pop("default")) & set(plain.pop("default"))
    assert shipped == plain


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_every_iteration_draws_anew_and_the_same_sweep_draws_the_same(
    held: LoadedModel, strategy: Strategy, outputs: list[list[int]]
) -> None:
    for seed in (0, 0, 1):
        rows_of(held, task(strategy, seed=seed))
    first, again, _ = (outputs[start : start + 3] for start in range(0, 9, 3))
    assert first == again
    assert len({tuple(tokens) for tokens in first}) == (3 if strategy in DRAWING else 1)


def test_seeds_of_runs_are_all_different_and_torch_takes_them() -> None:
    seeds = {sampling_seed(seed, number) for seed in range(20) for number in range(-5, 20)}
    assert len(seeds) == 20 * 25
    for seed in seeds:
        torch.Generator().manual_seed(seed)


SHIPPED: dict[str, dict[str, Any]] = {
    "sample": {"do_sample": True, "temperature": 0.6, "top_p": 0.9},
    "beam_search": {"num_beams": 3, "num_return_sequences": 3, "early_stopping": True, "max_length": 9},
    "contrastive_search": {"penalty_alpha": 0.6, "top_k": 4},
    "group_beam_search": {"num_beams": 5, "num_beam_groups": 5, "diversity_penalty": 1.0},
}


@pytest.mark.parametrize("mode", SHIPPED)
def test_default_is_what_the_model_ships(held: LoadedModel, mode: str, outputs: list[list[int]]) -> None:
    prompt_1L = prompt_ids(held, 9, seed=0)
    measure(held, prompt_1L, NEW_TOKENS, "contrastive")
    measure(held, prompt_1L, NEW_TOKENS, "diverse_beam_search")
    contrastive, diverse = outputs
    for name, value in SHIPPED[mode].items():
        setattr(held.model.generation_config, name, value)
    row = measure(held, prompt_1L, NEW_TOKENS, "default", seed=1)
    assert (row["generation_mode_effective"], row["new_tokens"]) == (mode, NEW_TOKENS)
    expected = {"contrastive_search": contrastive, "group_beam_search": diverse}
    assert mode not in expected or outputs[-1] == expected[mode]


def test_a_default_that_takes_several_tokens_a_step_is_unsupported(held: LoadedModel) -> None:
    held.model.generation_config.prompt_lookup_num_tokens = 3
    with pytest.raises(Unsupported, match="asks for assisted_generation"):
        measure(held, prompt_ids(held, 9, seed=0), NEW_TOKENS, "default")


def test_strategies_are_what_they_are_named_for(held: LoadedModel) -> None:
    found = {strategy: decoding_of(held.model, strategy, 4) for strategy in STRATEGIES}
    for strategy in DRAWING:
        settings = found[strategy].settings
        assert (settings.do_sample, settings.temperature, settings.top_k, settings.top_p) == (True, 1.0, 0, 1.0)
    for strategy, decoding in found.items():
        assert decoding.settings.num_beams == (5 if "beam" in strategy else None if strategy == "default" else 1)
    assert found["diverse_beam_search"].custom.items() >= {"groups": 5, "penalty": 1.0}.items()
    assert found["contrastive"].custom.items() >= {"alpha": 0.6, "k": 4}.items()


def test_nothing_is_said_of_settings_that_are_as_they_should_be(
    held: LoadedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr(configuration_utils.logger, "warning_once", said.append)
    for strategy in STRATEGIES:
        measure(held, prompt_ids(held, 9, seed=0), 2, strategy)
    GenerationConfig(top_k=3)
    assert len(said) == 1, "of the last line alone"


@pytest.mark.parametrize("quantization", ["none", "4-bit", "8-bit"])
def test_all_run_quantized_and_in_the_machine_s_own_dtype(quantization: Any) -> None:
    quantized = load_model("builtin://tiny-base", quantization=quantization)
    prompt_1L = prompt_ids(quantized, 9, seed=0)
    assert {measure(quantized, prompt_1L, 3, strategy)["new_tokens"] for strategy in STRATEGIES} == {3}
    unload(quantized)
