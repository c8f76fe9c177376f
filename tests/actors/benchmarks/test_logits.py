"""The logits benchmark makes full logits, keeps neither graph nor logits, and measures the memory of the logits."""

import json
import subprocess
import sys
import tempfile
import time
import weakref
from collections.abc import Iterator
from typing import Any

import psutil
import pytest
import torch
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    BertConfig,
    Gemma3Config,
    GPT2Config,
    GPTJConfig,
    LlamaConfig,
    OPTConfig,
    PreTrainedConfig,
    RobertaConfig,
)

from actors.benchmarks.decoding_strategy import DecodingStrategy
from actors.benchmarks.generation import Generation
from actors.benchmarks.logits import Logits, LogitsFactors
from models.builtin.cache import model_directory, sample_text
from models.errors import ModelUnsupported
from models.load import LoadedModel, load_model, release_memory, unload
from models.positions import position_limit
from models.resolve import ModelFiles
from sweeps.metric_columns import LOGITS, MEMORY
from sweeps.schema import COLUMNS
from sweeps.task import Slot, Task
from tests.actors.probes.test_memory import TWO_GPUS, FakeAllocator

pytestmark = pytest.mark.slow

BIG_VOCABULARY = LlamaConfig(
    vocab_size=50_000, hidden_size=32, intermediate_size=64, num_hidden_layers=1, num_attention_heads=2
)


@pytest.fixture(scope="module")
def tiny() -> Iterator[LoadedModel]:
    loaded = load_model("builtin://tiny-base", dtype="float32")
    yield loaded
    unload(loaded)


def random_model(config: PreTrainedConfig, name: str = "random") -> LoadedModel:
    """Return a model with random weights and the built-in tokenizer."""
    directory = model_directory("tiny-base")
    model = AutoModelForCausalLM.from_config(config, dtype=torch.float32).eval()
    tokenizer = AutoTokenizer.from_pretrained(directory)
    return LoadedModel(model, tokenizer, ModelFiles(name, directory, None, None), "none", torch.float32)


def changed(config: LlamaConfig, **changes: Any) -> LlamaConfig:
    return LlamaConfig(**{**config.to_diff_dict(), **changes})


def rows(held: LoadedModel, words: int, iterations: int = 1, warmup: int = 0) -> list[dict[str, Any]]:
    factors = LogitsFactors(device="cpu", cpu_cores=1, model=held.files.name, input_words=words)
    task = Task("s", "logits", factors.model_dump(), Slot("cpu", 0, 1), "", iterations, warmup, 0, 0, 0)
    return list(Logits().rows(held, task, factors))


class Watch:
    """Notes every forward pass from inside the model."""

    def __init__(self, model: torch.nn.Module) -> None:
        self.inputs: list[torch.Tensor] = []
        self.shapes: list[tuple[int, ...]] = []
        self.inference: list[bool] = []
        self.left_over: list[int] = []
        """Number of earlier logits that were still alive when a pass began."""
        self._logits: list[weakref.ref[torch.Tensor]] = []
        self._handles = [
            model.register_forward_pre_hook(self._before),
            model.register_forward_hook(self._after),
        ]

    def _before(self, _module: Any, inputs: tuple[torch.Tensor, ...]) -> None:
        self.inputs.append(inputs[0])
        self.left_over.append(sum(logits() is not None for logits in self._logits))

    def _after(self, _module: Any, _inputs: Any, output: Any) -> None:
        self.shapes.append(tuple(output.logits.shape))
        self.inference.append(output.logits.is_inference() and output.logits.grad_fn is None)
        self._logits.append(weakref.ref(output.logits))

    def __enter__(self) -> "Watch":
        return self

    def __exit__(self, *_: object) -> None:
        for handle in self._handles:
            handle.remove()


@pytest.mark.slow
def test_one_pass_a_row_over_the_same_text_with_the_logits_of_every_token(tiny: LoadedModel) -> None:
    with Watch(tiny.model) as watch:
        measured = rows(tiny, words=30, iterations=3, warmup=2)
    expected = tiny.tokenizer(sample_text(30, seed=0), return_tensors="pt")["input_ids"]
    tokens = expected.shape[1]
    passes = [ids for ids in watch.inputs if ids.shape[1] > 1]  # one token goes first, to have the libraries there
    assert len(measured) == 3
    assert len(passes) == 3 + 2
    assert all(torch.equal(ids, expected) for ids in passes)
    assert watch.shapes[-5:] == [(1, tokens, tiny.model.config.vocab_size)] * 5
    assert {row["input_tokens"] for row in measured} == {tokens}


@pytest.mark.slow
def test_no_graph_and_no_earlier_logits_are_kept(tiny: LoadedModel) -> None:
    assert all(parameter.requires_grad for parameter in tiny.model.parameters())
    with Watch(tiny.model) as watch:
        rows(tiny, words=10, iterations=3, warmup=1)
    assert all(watch.inference)
    assert watch.left_over == [0] * len(watch.left_over)


def test_the_rate_is_tokens_over_time(tiny: LoadedModel) -> None:
    started_s = time.perf_counter()
    (row,) = rows(tiny, words=20)
    assert 0 < row["calculation_time_s"] < time.perf_counter() - started_s
    assert row["calculation_rate_tokens_per_s"] == pytest.approx(row["input_tokens"] / row["calculation_time_s"])


def test_every_metric_has_its_column_and_a_cpu_row_none_of_the_allocator_s(tiny: LoadedModel) -> None:
    (row,) = rows(tiny, words=5)
    assert row.keys() - {"revision"} <= COLUMNS["logits"].metrics.keys()
    absent = {name for name in LOGITS | MEMORY if name not in row}
    assert absent == {name for name in LOGITS | MEMORY if "allocated" in name or "reserved" in name or "used" in name}
    assert row["peak_rss_bytes"] > row["peak_rss_beyond_model_bytes"]


@pytest.mark.parametrize("check", ["memory_is_that_of_the_logits", "mapped_weights_belong_to_the_model"])
@pytest.mark.slow
def test_memory_beyond_the_model(check: str) -> None:
    """Run the check in a fresh process, like a worker: in a long test run the kernel reclaims cold pages meanwhile."""
    start = "import gc; from tests.actors.benchmarks import test_logits; gc.freeze(); "  # as workers freeze
    code = f"{start}test_logits.{check}()"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=240, check=False)
    assert answer.returncode == 0, answer.stderr


def memory_is_that_of_the_logits() -> None:
    held = random_model(BIG_VOCABULARY)
    for words in (20, 200, 20):  # malloc keeps small blocks and returns big ones: both must be seen
        measured = rows(held, words, iterations=4, warmup=1)
        logits_bytes = measured[0]["input_tokens"] * BIG_VOCABULARY.vocab_size * torch.float32.itemsize
        for row in measured:
            assert logits_bytes <= row["peak_rss_beyond_model_bytes"] < 4 * logits_bytes
        assert measured[-1]["peak_rss_bytes"] - measured[0]["peak_rss_bytes"] < logits_bytes / 2


def mapped_weights_belong_to_the_model() -> None:
    config = changed(BIG_VOCABULARY, hidden_size=256)
    with tempfile.TemporaryDirectory() as directory:
        AutoModelForCausalLM.from_config(config, dtype=torch.float32).save_pretrained(directory)
        AutoTokenizer.from_pretrained(model_directory("tiny-base")).save_pretrained(directory)
        release_memory()
        before_bytes = psutil.Process().memory_info().rss
        held = load_model(directory, dtype="float32")
        (row,) = rows(held, words=2)
    weights_bytes = held.model.num_parameters() * torch.float32.itemsize
    rest_bytes = row["peak_rss_bytes"] - row["peak_rss_beyond_model_bytes"]
    assert rest_bytes - before_bytes > 0.95 * weights_bytes
    assert row["peak_rss_beyond_model_bytes"] < weights_bytes / 4


class OnTwoGpus(LoadedModel):
    """A model that claims to be on GPUs, whose counters FakeAllocator fakes."""

    devices = property(lambda self: (*TWO_GPUS, torch.device("cpu")))  # type: ignore[assignment]


@pytest.mark.slow
def test_gpu_columns_by_device_in_sum_and_beyond_the_model(monkeypatch: pytest.MonkeyPatch, tiny: LoadedModel) -> None:
    cuda = FakeAllocator(monkeypatch)
    first, second = TWO_GPUS
    cuda.now = {first: 1000, second: 500}
    held = OnTwoGpus(tiny.model, tiny.tokenizer, tiny.files, "none", torch.float32)
    with tiny.model.register_forward_hook(lambda *_: cuda.launch(second, 40)):
        measured = rows(held, words=5, iterations=2, warmup=1)
    for row in measured:
        assert row["peak_allocated_bytes"] == 1000 + 540
        assert row["peak_allocated_beyond_model_bytes"] == 40
        assert row["peak_reserved_beyond_model_bytes"] == 40 + 2 * cuda.CACHE
        assert json.loads(row["peak_allocated_by_device_bytes"]) == {"cuda:0": 1000, "cuda:1": 540}
        assert row.keys() - {"revision"} == COLUMNS["logits"].metrics.keys()


SHAPE = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "vocab_size": 2048}
TABLES = {
    "gpt2": (GPT2Config(**SHAPE, n_positions=24), 24),
    "opt": (OPTConfig(**SHAPE, max_position_embeddings=24, ffn_dim=32, word_embed_proj_dim=32), 24),
    "gptj": (GPTJConfig(**SHAPE, n_positions=24, rotary_dim=4), 24),
    "bert": (BertConfig(**SHAPE, max_position_embeddings=24, intermediate_size=32, is_decoder=True), 24),
    "roberta": (
        RobertaConfig(
            **SHAPE,
            max_position_embeddings=24,
            intermediate_size=32,
            is_decoder=True,
            pad_token_id=1,
            type_vocab_size=1,
        ),
        22,
    ),
}


@pytest.mark.parametrize("family", TABLES)
def test_an_input_beyond_the_table_of_positions_is_refused_before_the_pass(family: str) -> None:
    config, limit = TABLES[family]
    held = random_model(config, family)
    assert position_limit(held.model) == limit
    with torch.inference_mode():
        held.model(torch.full((1, limit), 5))  # as many do fit
        with pytest.raises((IndexError, RuntimeError)):
            held.model(torch.full((1, limit + 1), 5))
    with Watch(held.model) as watch, pytest.raises(ModelUnsupported, match=rf"tokens and model '{family}'.* {limit};"):
        rows(held, words=limit + 1)
    assert watch.inputs == []


@pytest.mark.parametrize("benchmark", [Generation, DecodingStrategy])
def test_prompt_and_new_tokens_beyond_the_table_are_refused_before_the_pass(benchmark: Any) -> None:
    config, limit = TABLES["gpt2"]
    held = random_model(config, "gpt2")
    prompt = held.tokenizer(sample_text(5, seed=0))["input_ids"]

    def generated(new_tokens: int) -> list[dict[str, Any]]:
        factors = benchmark.factors(device="cpu", cpu_cores=1, model="m", prompt_words=5, max_new_tokens=new_tokens)
        task = Task("s", "b", factors.model_dump(), Slot("cpu", 0, 1), "", 1, 0, 0, 0, 0)
        return list(benchmark().rows(held, task, factors))

    (row,) = generated(limit - len(prompt))  # as many do fit
    assert row["prompt_tokens"] + row["new_tokens"] == limit
    refusal = rf"prompt and new tokens are {limit + 1} tokens and model 'gpt2' has positions for {limit}; choose fewer"
    with Watch(held.model) as watch, pytest.raises(ModelUnsupported, match=refusal):
        generated(limit + 1 - len(prompt))
    assert watch.inputs == []


def test_a_rotary_model_takes_more_than_it_was_made_for() -> None:
    held = random_model(changed(BIG_VOCABULARY, vocab_size=2048, max_position_embeddings=8))
    (row,) = rows(held, words=20)
    assert row["input_tokens"] > 8


def test_positions_of_a_vision_tower_are_no_limit_to_text() -> None:
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(Gemma3Config())
    assert any("position_embedding" in name for name, _ in model.named_modules())
    assert position_limit(model) is None


def test_longer_inputs_need_more_memory_says_the_declaration() -> None:
    assert Logits.memory_grows_with in LogitsFactors.model_fields
    assert Logits.resource_kind == "model"
