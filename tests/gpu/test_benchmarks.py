"""Every benchmark on a GPU, as a user runs it: values where they belong, and those of the card."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
import torch

from actors.devices.nodes import slug
from models.load import native_dtype
from tests.gpu.conftest import MODEL_BYTES, VOCABULARY, spec_of, table

pytestmark = [pytest.mark.gpu, pytest.mark.slow]
Sweep = Callable[..., pd.DataFrame]
TINY = ["builtin://tiny-base"]
PAIR = [["builtin://tiny-base", "builtin://tiny-instruct"]]
PACKED = ["none", "4-bit", "8-bit"]
STRATEGIES = ["greedy", "sampling", "beam_search", "diverse_beam_search", "contrastive"]


def test_rows_are_of_the_card(sweep: Sweep) -> None:
    generation = table("generation", "generation", {"model": TINY, "quantization": PACKED, "max_new_tokens": [8]}, 2)
    rows = sweep(spec_of([generation]), "--address", "inline")
    assert len(rows) == 6
    card = torch.cuda.get_device_properties(0)
    assert set(rows["device_name"]) == {card.name}
    assert set(rows["device_class"]) == {slug(card.name)}
    assert set(rows["device_uuid"]) <= set(_uuids())
    assert set(rows["dtype_effective"]) == {native_dtype(("cuda:0",))}
    assert all(set(json.loads(placed).values()) == {"cuda:0"} for placed in rows["device_map_effective"])
    assert (rows["peak_allocated_bytes"] > 0).all()
    assert (rows["generation_rate_tokens_per_s"] > 0).all()
    share = rows.groupby("quantization")["quantized_share"].min()
    assert share["4-bit"] > 0.1
    assert share["8-bit"] > 0.1


def _uuids() -> list[str]:
    answer = subprocess.run(
        ["nvidia-smi", "--query-gpu=uuid", "--format=csv,noheader"], capture_output=True, text=True, check=True
    )
    return answer.stdout.split()


def test_every_benchmark_measures(sweep: Sweep) -> None:
    tables = [
        table("loading", "model_loading", {"model": TINY, "cache_state": ["warm"], "quantization": PACKED}),
        table("decoding", "decoding_strategy", {"model": TINY, "decoding_strategy": STRATEGIES, "max_new_tokens": [8]}),
        table("logits", "logits", {"model": TINY, "input_words": [20, 60]}),
        table("encoding", "encoding", {"model": TINY, "input_words": [20]}),
        table("fidelity", "fidelity", {"model": TINY, "quantization": ["4-bit", "8-bit"]}),
        table("scores", "binoculars", {"pair": PAIR, "quantization": PACKED}),
    ]
    rows = sweep(spec_of(tables), "--address", "inline")
    assert set(rows["sweep"]) == {"loading", "decoding", "logits", "encoding", "fidelity", "scores"}
    assert set(rows["status"]) == {"ok"}
    assert (rows.loc[rows["sweep"] == "loading", "load_time_s"] > 0).all()
    assert (rows.loc[rows["sweep"] == "fidelity", "kl"] >= 0).all()


def test_scores_are_those_of_the_cpu(sweep: Sweep) -> None:
    scores = table("scores", "binoculars", {"pair": PAIR, "device": ["gpu", "cpu"], "dtype": ["float32"]})
    rows = sweep(spec_of([scores]), "--address", "inline")
    keys = ["dataset", "record_id", "author", "fragment_index"]
    sides = {device: group.set_index(keys).sort_index() for device, group in rows.groupby("device")}
    assert len(sides["gpu"]) == len(sides["cpu"]) > 100
    for name in ("score", "log_ppl", "log_xppl", "fast_detect", "log_rank", "lrr"):
        on_gpu, on_cpu = sides["gpu"][name], sides["cpu"][name]
        assert (on_gpu.isna() == on_cpu.isna()).all()
        assert on_cpu.notna().sum() > 100
        assert (on_gpu - on_cpu).abs().max() < 2e-3, name


def test_peak_memory_holds_the_logits_and_grows_with_them(sweep: Sweep, wide_model: Path) -> None:
    factors = {"model": [str(wide_model)], "input_words": [100, 400], "dtype": ["float32"]}
    rows = sweep(spec_of([table("logits", "logits", factors, 2)]), "--address", "inline")
    logits_bytes = rows["input_tokens"] * VOCABULARY * 4
    beyond = rows["peak_allocated_beyond_model_bytes"]
    assert (beyond >= logits_bytes).all()
    assert (beyond <= 1.5 * logits_bytes + 2**27).all(), list(zip(beyond, logits_bytes, strict=True))
    assert (rows["peak_allocated_bytes"] >= beyond + 2 * MODEL_BYTES).all()
