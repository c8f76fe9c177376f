"""Loads: the timed span, the files that are read, the memory that is left, and loads that are refused."""

import json
import shutil
import statistics
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file
from transformers import LlamaConfig, LlamaForCausalLM

from actors.benchmarks import BENCHMARKS, model_loading
from actors.benchmarks.model_loading import ModelLoadingFactors, find_target, measure
from actors.probes import cache_state
from actors.worker import Worker
from models import load as models_load
from models import sources
from models.builtin.cache import model_directory
from models.errors import ModelUnavailable
from models.load import LoadedModel, load_model
from models.touch import cpu_tensors
from sweeps.errors import Unsupported
from sweeps.metric_columns import EFFECTIVE, MEMORY, MODEL_LOADING
from sweeps.plan.spec import Spec, Sweep
from sweeps.schema import COLUMNS
from sweeps.task import Allocation, Answer, Lease, Outcome, Run, Slot, Stop
from tests.actors.probes.test_page_cache import skip_in_memory
from tests.fakes import plan_of
from tests.models.test_touch import PAGEMAP, present_pages

pytestmark = pytest.mark.slow

TINY = "builtin://tiny-base"
SHARD_BYTES = 20_000_000


def factors(**levels: Any) -> ModelLoadingFactors:
    return ModelLoadingFactors(device="cpu", cpu_cores=1, **({"model": TINY} | levels))


def load(**levels: Any) -> dict[str, Any]:
    asked = factors(**levels)
    return measure(find_target(asked), asked)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a source with `org/big`: random bfloat16 weights in shards, and a second set that no load reads."""
    root = tmp_path_factory.mktemp("source")
    directory = root / "org" / "big"
    config = LlamaConfig(
        vocab_size=4096, hidden_size=512, intermediate_size=2048, num_hidden_layers=6, num_attention_heads=8
    )
    LlamaForCausalLM(config).to(torch.bfloat16).save_pretrained(directory, max_shard_size=SHARD_BYTES)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(model_directory("tiny-base") / name, directory)
    (directory / "consolidated.safetensors").write_bytes(bytes(SHARD_BYTES))
    return root


@pytest.fixture
def big(source: Path) -> dict[str, Any]:
    """Return levels that load `org/big` as it is on the drive: mapped, not converted."""
    return {"model": "org/big", "source": str(source), "dtype": "bfloat16"}


@pytest.fixture
def evictable(source: Path) -> None:
    skip_in_memory(source / "org" / "big" / "config.json")


def shard_bytes(source: Path) -> int:
    return sum(path.stat().st_size for path in (source / "org" / "big").glob("model-*.safetensors"))


@pytest.mark.parametrize("quantization", ["none", "4-bit", "8-bit"])
def test_every_metric_has_its_column(quantization: str) -> None:
    row = load(quantization=quantization, dtype="float32")
    assert row.keys() - {"revision"} <= COLUMNS["model_loading"].metrics.keys()
    assert (MODEL_LOADING | EFFECTIVE).keys() <= row.keys()
    assert {"peak_rss_bytes", "peak_rss_method"} <= row.keys() & MEMORY.keys()
    assert row["load_bytes"] == (model_directory("tiny-base") / "model.safetensors").stat().st_size
    assert row["load_rate_per_s"] == pytest.approx(1 / row["load_time_s"])
    assert row["load_rate_bytes_per_s"] == pytest.approx(row["load_bytes"] / row["load_time_s"])
    assert (row["dtype_effective"], row["filesystem"] is None) == ("float32", row["storage_device"] is None)


def test_only_what_is_read_counts(big: dict[str, Any], source: Path) -> None:
    assert len(find_target(factors(**big)).weights) > 1, "or this is no test of shards"
    assert load(**big)["load_bytes"] == shard_bytes(source)


def test_a_cold_load_reads_the_files_from_the_drive(big: dict[str, Any], source: Path, evictable: None) -> None:
    row = load(**big, cache_state="cold")
    if row["drive_read_bytes"] is None:
        pytest.skip("no /proc/self/io here")
    assert row["cached_fraction_before"] == 0
    assert row["drive_read_bytes"] >= shard_bytes(source)


def test_a_warm_load_reads_none_of_them(big: dict[str, Any], source: Path, evictable: None) -> None:
    rows = [load(**big, cache_state="warm") for _ in range(3)]
    if rows[0]["drive_read_bytes"] is None:
        pytest.skip("no /proc/self/io here")
    assert min(row["cached_fraction_before"] for row in rows) >= cache_state.WARM_FRACTION
    # The best of three: the kernel may reclaim pages at any time, and imports are paged in as they are used.
    assert min(row["drive_read_bytes"] for row in rows) < 0.01 * shard_bytes(source)


def test_what_stays_in_the_page_cache_is_not_called_cold(
    big: dict[str, Any], evictable: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    load(**big, cache_state="warm")
    monkeypatch.setattr(cache_state, "evict", lambda paths: None)
    with pytest.raises(Unsupported, match="stay in the page cache"):
        load(**big, cache_state="cold")


def test_a_second_cache_is_not_called_cold(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_loading, "storage_of", lambda path: model_loading.Storage("tank", "zfs"))
    assert load()["filesystem"] == "zfs"
    with pytest.raises(Unsupported, match="zfs on tank"):
        load(cache_state="cold")


@pytest.fixture
def at_the_end(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[LoadedModel], None]], None]:
    """Call a function on the loaded model just before its unload."""
    unload = models_load.unload

    def register(look: Callable[[LoadedModel], None]) -> None:
        def look_and_unload(loaded: LoadedModel) -> None:
            look(loaded)
            unload(loaded)

        monkeypatch.setattr(models_load, "unload", look_and_unload)

    return register


@pytest.mark.parametrize("touched", [True, False])
def test_every_page_is_in_memory_because_it_was_touched(
    big: dict[str, Any], at_the_end: Any, monkeypatch: pytest.MonkeyPatch, touched: bool
) -> None:
    if not PAGEMAP.exists():
        pytest.skip("no /proc/self/pagemap here")
    fractions: list[float] = []

    def look(loaded: LoadedModel) -> None:
        pages = [page for t in cpu_tensors(loaded.model) for page in present_pages(t.data_ptr(), t.nbytes)]
        fractions.append(statistics.fmean(pages))

    at_the_end(look)
    if not touched:
        monkeypatch.setattr("models.touch.touch", lambda tensors: None)
    load(**big)
    (fraction,) = fractions
    assert (fraction == pytest.approx(1, abs=0.01)) if touched else (fraction < 0.5)


def test_the_clock_sees_the_weights_the_touch_and_the_devices_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each step moves a fake clock by a different power of two, so that the sum tells which steps were timed."""
    clock_s = 0
    steps = {
        "models.sources.find": 1,
        "models.load.read_meta": 2,
        "actors.benchmarks.model_loading.bring_into": 4,
        "models.load.load_weights": 8,
        "models.touch.touch": 16,
        "actors.probes.memory.synchronize": 32,
        "models.load.unload": 64,
    }

    def slowed(name: str, cost_s: int) -> Callable[..., Any]:
        module, _, function = name.rpartition(".")
        original = getattr(__import__(module, fromlist=[function]), function)

        def step(*arguments: Any, **named: Any) -> Any:
            nonlocal clock_s
            clock_s += cost_s
            return original(*arguments, **named)

        return step

    for name, cost_s in steps.items():
        monkeypatch.setattr(name, slowed(name, cost_s))
    monkeypatch.setattr(model_loading.time, "perf_counter_ns", lambda: clock_s * 10**9)
    assert load()["load_time_s"] == 8 + 16 + 32
    assert clock_s >= sum(steps.values()), "or a step was not taken"


def test_memory_is_back_after_every_load(big: dict[str, Any], source: Path) -> None:
    asked = factors(**big)
    target = find_target(asked)
    rows = [measure(target, asked) for _ in range(4)]
    assert min(row["peak_rss_bytes"] for row in rows) > shard_bytes(source)
    assert max(row["unreleased_bytes"] for row in rows[1:]) < 0.1 * shard_bytes(source)


@pytest.mark.slow
def test_memory_does_not_pile_up_where_weights_are_converted(big: dict[str, Any], source: Path) -> None:
    """The arena of each of the four loader threads keeps up to 64 MB for the next load, in changing amounts."""
    asked = factors(**big | {"dtype": "float32"})
    target = find_target(asked)
    unreleased_bytes = [measure(target, asked)["unreleased_bytes"] for _ in range(12)]
    model_bytes = 2 * shard_bytes(source)
    assert sum(unreleased_bytes[1:]) < 3 * model_bytes, "eleven loads"


def test_memory_is_compared_before_the_load_and_after_the_unload(monkeypatch: pytest.MonkeyPatch) -> None:
    events: list[str] = []
    held_bytes = iter([1000, 1234])
    load_weights, unload = models_load.load_weights, models_load.unload
    monkeypatch.setattr(model_loading, "_memory_bytes", lambda devices: events.append("memory") or next(held_bytes))
    monkeypatch.setattr(models_load, "load_weights", lambda *a, **k: events.append("load") or load_weights(*a, **k))
    monkeypatch.setattr(models_load, "unload", lambda loaded: events.append("unload") or unload(loaded))
    assert load()["unreleased_bytes"] == 234
    assert events == ["memory", "load", "unload", "memory"]


def test_two_sources_are_two_places(tmp_path: Path, at_the_end: Any) -> None:
    directories = []
    at_the_end(lambda loaded: directories.append(loaded.files.directory))
    for drive in ("nvme", "nfs"):
        shutil.copytree(model_directory("tiny-base"), tmp_path / drive / "tiny-base")
        load(source=str(tmp_path / drive))
    assert directories == [tmp_path / "nvme" / "tiny-base", tmp_path / "nfs" / "tiny-base"]


def test_a_gguf_file_loads_the_same_weights(tmp_path: Path, at_the_end: Any) -> None:
    pytest.importorskip("gguf", reason="pip install gguf")
    write_gguf(model_directory("tiny-base"), tmp_path / "tiny" / "f32.gguf")
    token_ids = torch.arange(20)[None]
    logits = []
    at_the_end(lambda loaded: logits.append(loaded.model(token_ids).logits))
    levels = {"model": "tiny#f32.gguf", "source": str(tmp_path), "dtype": "float32"}
    row = load(**levels)
    assert row["load_bytes"] == (tmp_path / "tiny" / "f32.gguf").stat().st_size
    expected = load_model(TINY, dtype="float32").model(token_ids).logits
    torch.testing.assert_close(logits[0], expected)


def write_gguf(source: Path, path: Path) -> None:
    """Write a GGUF file of an unquantized Llama with its byte-level BPE tokenizer."""
    from gguf import GGUFWriter, TokenType

    config = json.loads((source / "config.json").read_text())
    tokenizer = json.loads((source / "tokenizer.json").read_text())["model"]
    heads = config["num_attention_heads"]
    path.parent.mkdir()
    writer = GGUFWriter(path, "llama")
    writer.add_name("tiny")
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(heads)
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_rope_dimension_count(config["head_dim"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_vocab_size(config["vocab_size"])
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(sorted(tokenizer["vocab"], key=tokenizer["vocab"].get))
    writer.add_token_types([TokenType.NORMAL] * len(tokenizer["vocab"]))
    writer.add_token_merges([" ".join(pair) for pair in tokenizer["merges"]])
    writer.add_bos_token_id(config["bos_token_id"])
    writer.add_eos_token_id(config["eos_token_id"])
    for name, weight in load_file(source / "model.safetensors").items():
        if name.endswith(("q_proj.weight", "k_proj.weight")):  # GGUF pairs rotated dimensions as neighbours
            halves = weight.reshape(heads, 2, -1, weight.shape[1])
            weight = np.ascontiguousarray(halves.swapaxes(1, 2).reshape(weight.shape))
        writer.add_tensor(gguf_name(name), weight)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def gguf_name(name: str) -> str:
    for ours, theirs in (
        ("model.embed_tokens", "token_embd"),
        ("lm_head", "output"),
        ("model.norm", "output_norm"),
        ("model.layers", "blk"),
        ("input_layernorm", "attn_norm"),
        ("post_attention_layernorm", "ffn_norm"),
        ("mlp.down_proj", "ffn_down"),
        ("mlp.gate_proj", "ffn_gate"),
        ("mlp.up_proj", "ffn_up"),
        ("self_attn.o_proj", "attn_output"),
        ("self_attn", "attn"),
        ("attn.q_proj", "attn_q"),
        ("attn.k_proj", "attn_k"),
        ("attn.v_proj", "attn_v"),
    ):
        name = name.replace(ours, theirs)
    return name


def test_a_model_that_a_source_lacks_names_the_paths(tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable, match=rf"{tmp_path}/org/name"):
        load(model="org/name", source=str(tmp_path))


def test_what_has_to_be_fetched_is_there_before_the_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    resolved: list[str] = []
    resolve = sources.resolve
    monkeypatch.setattr(sources, "resolve", lambda name: resolved.append(name) or resolve(name))
    asked = factors()
    target = find_target(asked)
    measure(target, asked)
    assert resolved == [TINY], "once, and not by the load"


@pytest.mark.parametrize("source", ["models", "./models", "hub"])
def test_a_source_is_written_from_the_root_on(source: str) -> None:
    with pytest.raises(ValueError, match="is no source"):
        factors(source=source)


class FakeCoordinator:
    """A coordinator that hands out prepared leases and keeps the rows."""

    def __init__(self, leases: Iterator[Lease]) -> None:
        self.answers: Iterator[Answer] = (Run((lease,), neighbours=0) for lease in leases)
        self.outcomes: list[Outcome] = []

    def join(self, *_: Any) -> None: ...

    def exchange(self, worker_id: str, outcomes: list[Outcome]) -> Answer:
        self.outcomes += outcomes
        return next(self.answers, Stop())


def test_a_worker_holds_nothing_between_tasks(tmp_path: Path) -> None:
    levels = {name: [level] for name, level in factors().model_dump().items()}
    levels["source"] = ["default", str(tmp_path)]
    sweep = Sweep(name="s", benchmark="model_loading", iterations=2, warmup=1, seed=0, factors=levels)
    plan = plan_of(Spec(name="loading", sweep=[sweep]), BENCHMARKS)
    coordinator: Any = FakeCoordinator(Lease(task, 1) for _, task in plan.tasks())
    Worker(Allocation("w", Slot("cpu", 0, 1), "here", "cpu", "a CPU"), BENCHMARKS, ({}, "e1")).work(coordinator)
    statuses = sorted((row["source"], row["status"]) for outcome in coordinator.outcomes for row in outcome.rows)
    assert statuses == sorted([("default", "ok"), ("default", "ok"), (str(tmp_path), "unavailable")])
    assert [outcome.loads for outcome in coordinator.outcomes] == [0, 0]
    assert not any(task.loads for _, task in plan.tasks())
